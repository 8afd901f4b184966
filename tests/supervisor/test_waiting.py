"""The one sleep, on a simulated clock, and how long it lasts after failures."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.waiting import backoff, pause
from tests.supervisor.stage import now, returns


@pytest.mark.parametrize(("stop_at", "expected"), [(2.0, (True, 2.0)), (50.0, (False, 10.0)), (None, (False, 10.0))])
def test_pause_ends_at_its_time_or_at_the_stop(simulated, stop_at, expected):
    async def scene():
        stopping = asyncio.Event()
        timer = asyncio.get_running_loop().call_later(stop_at or 1e6, stopping.set)
        stopped = await pause(stopping, 10.0)
        timer.cancel()
        return stopped, now()

    assert simulated(scene()) == expected


def test_pause_of_nothing_lets_others_run(simulated):
    async def scene():
        ran = []
        other = asyncio.create_task(returns())
        other.add_done_callback(lambda _: ran.append(True))
        stopping = asyncio.Event()
        while not ran:
            assert await pause(stopping, 0.0) is False
        return now()

    assert simulated(scene()) == 0.0


@given(failures=st.integers(1, 100_000))
def test_backoff_doubles_up_to_its_ceiling_and_is_never_zero(failures: int):
    ceiling = min(60.0, 1.0 * 2 ** min(failures - 1, 20))
    assert ceiling / 2 <= backoff(failures, 1.0, 60.0) <= ceiling
