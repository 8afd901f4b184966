"""So many requests a second: a token bucket, kept as the time at which the next token is there."""

import asyncio
from collections.abc import Callable
from typing import Final

_BURST_SECONDS: Final = 0.1
"""What was not used lately may be made up for: a loop that wakes a moment late costs no rate."""


class Rate:
    """`a_second` 0 is no limit. Turns are given in the order in which they were asked for."""

    def __init__(self, a_second: float, clock: Callable[[], float]) -> None:
        self._interval = 1 / a_second if a_second else 0.0
        self._clock = clock
        self._next = 0.0

    async def turn(self) -> None:
        """Returns when one more request may be made."""
        if not self._interval:
            return
        now = self._clock()
        at = max(self._next, now - _BURST_SECONDS)
        self._next = at + self._interval
        if at > now:
            await asyncio.sleep(at - now)
