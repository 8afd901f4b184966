"""Whether the fleet takes no jobs, as somebody who runs it said: told to probes, gauges and whoever takes jobs."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics

_NAME: Final = "paused"


class Halt:
    """Of one process. It ends by itself, also where Redis is away by then."""

    def __init__(self, health: Health, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._health = health
        self._gauge = metrics.paused
        self._clock = clock
        self._until = 0.0
        self.at_begin: Callable[[], Awaitable[None]] = _nothing
        """What has to be over before anybody is told that it began: reads that are blocked would take what comes in."""

    async def hold(self, text: str, seconds: float) -> None:
        """No jobs are to be taken for so long, as `text` says."""
        begins = not self.seconds_left()
        self._until = self._clock() + seconds
        if begins:
            await self.at_begin()
        self._health.set_warning(_NAME, text)
        self._gauge.set(1)

    def release(self) -> None:
        self._until = 0.0
        self._health.clear_warning(_NAME)
        self._gauge.set(0)

    def seconds_left(self) -> float:
        """For how long no jobs are to be taken; 0 if they may be."""
        if not self._until:
            return 0.0
        left = self._until - self._clock()
        if left <= 0:
            self.release()
            return 0.0
        return left


async def _nothing() -> None:
    """Of a process that takes no jobs."""
