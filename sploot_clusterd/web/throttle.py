"""A brake for log lines that strangers can cause."""

import time
from collections.abc import Callable


class Throttle:
    """Lets one line pass in `every` seconds, and counts the ones that it held back."""

    def __init__(self, every: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._next = -float("inf")
        self._held_back = 0

    def passes(self) -> int | None:
        """None: stay silent. Else how many were held back since the last line that passed."""
        now = self._clock()
        if now < self._next:
            self._held_back += 1
            return None
        self._next = now + self._every
        held_back, self._held_back = self._held_back, 0
        return held_back
