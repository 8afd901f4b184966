"""Loop lag, with stalls made to measure on a simulated clock and once on the real one."""

import asyncio
import time

import pytest

from sploot_clusterd.looplag import run_looplag
from sploot_clusterd.metrics import Metrics


def sample(metrics, suffix):
    return metrics.registry.get_sample_value(f"media_cluster_loop_lag_seconds_{suffix}")


def measure(simulated, seconds, stall_at=None, stall=0.0):
    """The metrics after so many simulated seconds, during which one callback keeps the loop for `stall` seconds."""
    metrics = Metrics()

    async def scene():
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        loop.call_later(seconds, stopping.set)
        if stall_at is not None:
            loop.call_later(stall_at, loop.stall, stall)
        await run_looplag(metrics, stopping, clock=loop.time)

    simulated(scene())
    return metrics


def test_an_idle_loop_has_no_lag(simulated):
    metrics = measure(simulated, 10.05)
    assert sample(metrics, "count") == 100
    assert sample(metrics, "sum") < 1e-6


def test_a_stall_shows_as_long_as_the_sleeper_was_late(simulated):
    """Something keeps the loop for 0.3 s from 1.01 s on: the sleeper due at 1.1 s wakes 0.21 s late."""
    assert sample(measure(simulated, 2.0, stall_at=1.01, stall=0.3), "sum") == pytest.approx(0.21)


@pytest.mark.parametrize("cancelled", [False, True])
def test_nothing_is_observed_once_the_task_has_ended(simulated, cancelled):
    metrics = Metrics()

    async def scene():
        stopping = asyncio.Event()
        task = asyncio.create_task(run_looplag(metrics, stopping, asyncio.get_running_loop().time))
        await asyncio.sleep(1.05)
        if cancelled:
            task.cancel()
        stopping.set()
        await asyncio.wait({task})
        await asyncio.sleep(1)

    simulated(scene())
    assert sample(metrics, "count") == 10


async def test_a_real_stall_shows():
    metrics, stopping, measured = Metrics(), asyncio.Event(), asyncio.Event()
    readings = 0

    def clock():
        nonlocal readings
        readings += 1
        if readings == 1:  # the sleeper lies down: from its next turn on the loop is kept
            asyncio.get_running_loop().call_soon(time.sleep, 0.2)
        elif readings == 3:
            measured.set()
        return time.perf_counter()

    async with asyncio.TaskGroup() as group:
        group.create_task(run_looplag(metrics, stopping, clock))
        await measured.wait()
        stopping.set()
    assert sample(metrics, "sum") >= 0.1
