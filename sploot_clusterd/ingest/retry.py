"""What follows a failure: of a job, of a commit that met another one, and of Redis."""

import logging
import random
from typing import Final, NamedTuple

from sploot_clusterd.errors import BadJobError, BadStateError, Reason, StoreUnavailableError
from sploot_clusterd.ingest.brake import PUT_OFF
from sploot_clusterd.waiting import backoff

log = logging.getLogger(__name__)

_FIRST_MS: Final = 1000.0
_LONGEST_MS: Final = 60_000.0


class TryAgain(NamedTuple):
    """`attempts` counts this failure too."""

    attempts: int
    delay_ms: int


class SetAside(NamedTuple):
    reason: Reason


def after_failure(error: Exception, attempts: int, max_attempts: int) -> TryAgain | SetAside:
    """What to do with a job whose run raised `error`, after `attempts` earlier failures.

    A job that can never work is set aside at once. Anything else may pass, and is tried `max_attempts` times in all:
    after a second at first, then twice as long each time, up to a minute.
    """
    if isinstance(error, BadJobError):
        return SetAside(error.reason)
    if isinstance(error, BadStateError):
        return SetAside("bad_state")
    failures = attempts + 1
    if failures >= max_attempts:
        return SetAside("max_attempts")
    return TryAgain(failures, round(backoff(failures, _FIRST_MS, _LONGEST_MS)))


def put_off_ms() -> int:
    """How long a bad job of a pet that has many is put off: by a random part, that they do not come back together."""
    return round(backoff(1, 1000 * PUT_OFF, 1000 * PUT_OFF))


def conflict_pause(tries: int, seconds: float) -> float:
    """Seconds before a commit that met a conflict is computed again: up to twice the `seconds` that it took, at least
    2 ms, doubling, and at most a tenth of a second. Rivals that pause for less than they compute never part.
    """
    return random.uniform(0.0, min(max(2.0 * seconds, 0.002 * 2**tries), 0.1))  # noqa: S311 - spreads load


class OutageLog:
    """What one loop says of a Redis that is away: a line when it goes, or for another reason, and one when it is back.

    Each loop tries several times a second: with a line a try, an outage of a night would fill the disk.
    """

    def __init__(self, message: str, **fields: str) -> None:
        """`message` is the line while Redis is away; both lines carry the `fields`."""
        self._message = message
        self._fields = fields
        self._reason = ""

    def unavailable(self, error: StoreUnavailableError) -> None:
        if error.detail != self._reason:
            self._reason = error.detail
            log.warning(self._message, extra={"data": {**self._fields, "error": error.detail}})

    def available(self) -> None:
        if self._reason:
            self._reason = ""
            log.info("redis is back", extra={"data": self._fields})
