"""Measures how late the event loop wakes a sleeper: what every request and job waits for on top of its work."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from sploot_clusterd.metrics import Metrics

_INTERVAL_SECONDS: Final = 0.1


async def run_looplag(
    metrics: Metrics, stopping: asyncio.Event, clock: Callable[[], float] = time.perf_counter
) -> None:
    """Root task: observes `loop_lag` ten times a second, in seconds.

    The sleeper is a bare timer: a task that sleeps would cost several times as much, day and night. `clock` is not the
    loop's own: uvloop reads that once an iteration, in milliseconds: too coarse for this.
    """
    loop = asyncio.get_running_loop()
    asleep = clock()
    timer: asyncio.TimerHandle

    def wake() -> None:
        nonlocal asleep, timer
        lag = clock() - asleep - _INTERVAL_SECONDS
        timer = loop.call_later(_INTERVAL_SECONDS, wake)
        asleep = clock()
        metrics.loop_lag.observe(max(0.0, lag))

    timer = loop.call_later(_INTERVAL_SECONDS, wake)
    try:
        await stopping.wait()
    finally:
        timer.cancel()
