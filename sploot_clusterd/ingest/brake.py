"""The dead-letter brake: when most of what comes in cannot be applied, the fault is in a deploy, not in the jobs.

Draining the stream into the dead letters would then only move the trouble, so reading stops for a while, and goes on
with a small quota, until good jobs are the rule again.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from sploot_clusterd.health import Health

_WINDOW: Final = 200
_MIN_LETTERS: Final = 100
_MIN_SHARE: Final = 0.5
_FIRST_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 300.0
_NAME: Final = "brake"


class Brake:
    """Pauses reading after 100 dead letters among the last 200 outcomes, if they are at least half of them."""

    def __init__(self, health: Health, clock: Callable[[], float] = time.monotonic) -> None:
        self._health = health
        self._clock = clock
        self._outcomes: deque[bool] = deque(maxlen=_WINDOW)
        self._pause = _FIRST_PAUSE
        self._until = 0.0

    def good(self, count: int = 1) -> None:
        """Jobs were applied (or rightly skipped)."""
        self._outcomes.extend([False] * min(count, _WINDOW))
        if len(self._outcomes) == _WINDOW and not any(self._outcomes):
            self._pause = _FIRST_PAUSE

    def bad(self) -> None:
        """A job became a dead letter."""
        self._outcomes.append(True)
        letters = sum(self._outcomes)
        if letters >= _MIN_LETTERS and letters >= _MIN_SHARE * len(self._outcomes):
            self._trip(letters)

    def seconds_left(self) -> float:
        """How long reading has to pause; 0 if it may go on."""
        left = self._until - self._clock()
        if left > 0:
            return left
        if self._until:
            self._until = 0.0
            self._health.clear_fault(_NAME)
        return 0.0

    def _trip(self, letters: int) -> None:
        self._health.set_fault(
            _NAME,
            f"dead-letter brake: {letters} of the last {len(self._outcomes)} jobs could not be applied; reading goes "
            f"on in {self._pause:.0f} s with a small quota",
        )
        self._until = self._clock() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._outcomes.clear()
