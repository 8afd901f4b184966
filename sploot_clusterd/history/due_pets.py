"""Pets whose albums are to be read, a while after they changed: those that change all the time, now and then."""

import heapq
import math
from collections.abc import Iterable
from typing import Final, NamedTuple

_REMEMBERED: Final = 10_000


class Pace(NamedTuple):
    """How often albums are read."""

    delay: float = 2.0
    """Seconds after a pet's first change: jobs of one upload come together."""
    every: float = 5.0
    """Seconds between two readings of a pet."""
    share: float = 0.1
    """Of the time, what may go to reading albums and keeping them while changes come ..."""
    calm: float = 0.5
    """... and while none do."""


class DuePets:
    """Times are of one clock, in seconds."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._times: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []
        self._taken: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._times)

    def add(self, pets: Iterable[str], now: float, delay: float | None = None) -> None:
        """Due after the delay, that of the pace where none is given; what is due already stays so."""
        delay = self._pace.delay if delay is None else delay
        for pet in pets:
            if pet not in self._times:
                at = max(now + delay, self._taken.get(pet, -math.inf) + self._pace.every)
                self._times[pet] = at
                heapq.heappush(self._queue, (at, pet))

    def discard(self, pets: Iterable[str]) -> None:
        for pet in pets:
            self._times.pop(pet, None)

    def take(self, now: float, most: int) -> list[str]:
        """Those that are due, the longest first; they are not due any more."""
        taken = list[str]()
        while self._queue and len(taken) < most and self._queue[0][0] <= now:
            at, pet = heapq.heappop(self._queue)
            if self._times.get(pet) == at:
                del self._times[pet]
                taken.append(pet)
        self._taken |= dict.fromkeys(taken, now)
        if len(self._taken) > _REMEMBERED:
            self._taken = {pet: at for pet, at in self._taken.items() if at > now - self._pace.every}
        return taken
