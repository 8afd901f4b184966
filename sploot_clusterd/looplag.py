"""Measures how late the event loop wakes a sleeper: what every request and job waits for on top of its work."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from sploot_clusterd.metrics import Metrics
from sploot_clusterd.supervisor import pause

_INTERVAL_SECONDS: Final = 0.1


async def run_looplag(
    metrics: Metrics, stopping: asyncio.Event, clock: Callable[[], float] = time.perf_counter
) -> None:
    """Root task: observes `loop_lag` ten times a second, in seconds.

    `clock` is not the loop's own: uvloop reads that once an iteration, in milliseconds: too coarse for this.
    """
    while True:
        asleep = clock()
        if await pause(stopping, _INTERVAL_SECONDS):
            return
        metrics.loop_lag.observe(max(0.0, clock() - asleep - _INTERVAL_SECONDS))
