"""What becomes of a run that failed, and where a batch is computed: pure functions, easily read and tested."""

import random
from typing import Final, NamedTuple

from sploot_clusterd.errors import BadJobError, BadStateError, Reason

_FIRST_MS: Final = 1000
_LONGEST_MS: Final = 60_000
_INLINE_SECONDS: Final = 0.001
"""Estimated work above this goes to the thread pool. A hop there and back costs about 0.1 ms: less is not worth it."""

_INLINE_BYTES: Final = 64 * 1024
"""Payload above this is decoded in the thread pool: about 0.3 ms of packed vectors, or a few ms of JSON numbers."""


class Again(NamedTuple):
    """Try it again. `attempts` counts this failure too."""

    attempts: int
    delay_ms: int


class SetAside(NamedTuple):
    reason: Reason


def after_failure(error: Exception, attempts: int, max_attempts: int) -> Again | SetAside:
    """What to do with a job whose run raised `error`, after `attempts` earlier failures.

    A job that can never work is set aside at once. Anything else may pass, and is tried `max_attempts` times in all.
    """
    if isinstance(error, BadJobError):
        return SetAside(error.reason)
    if isinstance(error, BadStateError):
        return SetAside("bad_state")
    failed = attempts + 1
    if failed >= max_attempts:
        return SetAside("max_attempts")
    return Again(failed, backoff_ms(failed))


def backoff_ms(failures: int) -> int:
    """Milliseconds until the next try: min(60 s, 1 s * 2^(failures - 1)), times a random factor from 0.5 to 1."""
    ceiling = min(float(_LONGEST_MS), _FIRST_MS * 2.0 ** (failures - 1))
    return round(ceiling * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards no secret


def conflict_pause(tries: int) -> float:
    """Seconds before a commit that met a conflict is computed again: up to 2 ms, doubling, so that rivals part."""
    return random.uniform(0.0, 0.002 * 2**tries)  # noqa: S311


def decode_in_thread(size: int) -> bool:
    """Whether a batch of `size` bytes is decoded in the thread pool.

    Every array that is unpacked beside a computing thread costs its caller a wait for the interpreter's lock, and the
    loop must not be that caller.
    """
    return size > _INLINE_BYTES


def in_thread(estimates: list[float]) -> bool:
    """Whether a batch goes to the thread pool, by the estimated seconds of each pet's work.

    Tiny pieces run between the loop's other work, for a hop costs them a quarter of their rate. One large piece, or
    many that together would keep readers waiting, goes to the pool.
    """
    return max(estimates, default=0.0) > _INLINE_SECONDS
