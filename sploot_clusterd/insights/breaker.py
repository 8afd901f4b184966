"""When a service in trouble is asked again: a circuit breaker, after Nygard, "Release It!", 2007.

It is closed while all is well. Some failures in a row open it: nothing is asked until a pause is over, and then one
request, the probe, finds out. It closes the breaker, or opens it for another pause.
"""

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from sploot_clusterd.waiting import backoff

FAILURES: Final = 8
"""In a row. Of a service that fails one in ten, that many happen once in 100 million requests."""
_IN_A_ROW: Final = 60.0
"""Seconds between two failures after which the first is forgotten: one image that is asked for now and then, always in
vain, is no trouble of the service.
"""
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 1.5
"""Seconds: short, for a service that is back is to be used within two seconds; and one probe a pause harms nobody."""
_REFUSED_PAUSE: Final = 60.0


class State(IntEnum):
    """The numbers are the gauge's."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Told of every outcome. Outcomes of what was asked before it opened are no news to it any more."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = -math.inf
        self._pauses = 0
        self._until = 0.0
        self.state = State.CLOSED

    def seconds_left(self) -> float:
        """Until a request may be made: 0 for now, infinity while a probe is under way."""
        if self.state is State.CLOSED:
            return 0.0
        if self.state is State.HALF_OPEN:
            return math.inf
        return max(0.0, self._until - self._clock())

    def admit(self) -> bool:
        """A request is about to be made, which `seconds_left` allows. Returns whether it is the probe."""
        if self.state is State.OPEN:
            self.state = State.HALF_OPEN
        return self.state is State.HALF_OPEN

    def succeeded(self, *, probe: bool) -> None:
        if probe or self.state is State.CLOSED:
            self.state = State.CLOSED
            self._failures = self._pauses = 0

    def failed(self, *, probe: bool, retry_after: float | None = None) -> None:
        """`retry_after`: seconds that the service asks to be left alone for."""
        if not probe and self.state is not State.CLOSED:
            return
        now = self._clock()
        self._failures = self._failures + 1 if now - self._failed_at <= _IN_A_ROW else 1
        self._failed_at = now
        if probe or retry_after is not None or self._failures >= FAILURES:
            self._pauses += 1
            self._open(max(backoff(self._pauses, _FIRST_PAUSE, _LONGEST_PAUSE), retry_after or 0.0))

    def refused(self) -> None:
        """Whoever asked: until a setting is mended nobody gets an answer."""
        self._open(_REFUSED_PAUSE)

    def abandoned(self, *, probe: bool) -> None:
        """A request ended without an outcome."""
        if probe and self.state is State.HALF_OPEN:
            self.state = State.OPEN

    def look_again(self) -> None:
        """The next request is a probe, whatever the pause was."""
        self._until = 0.0

    def _open(self, seconds: float) -> None:
        self.state = State.OPEN
        self._until = self._clock() + seconds
