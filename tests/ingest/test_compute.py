"""Computing gives way: to the loop's other work, and longer to requests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import SimpleNamespace

import pytest

from sploot_clusterd.inflight import InFlight
from sploot_clusterd.ingest import compute as module
from sploot_clusterd.ingest.compute import Compute


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """How long work paused each time; the clock moves on by 0.3 ms at each look at it."""
    taken: list[float] = []
    ticks = count()

    class Clock:
        perf_counter = staticmethod(lambda: next(ticks) * 0.0003)

    class Event:
        wait = staticmethod(taken.append)

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(module, "time", Clock)
    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    monkeypatch.setattr(module, "threading", SimpleNamespace(Event=Event))
    return taken


@pytest.mark.parametrize(
    ("in_thread", "requests", "expected"),
    [(False, 0, [0] * 4), (False, 1, [0.002] * 4), (True, 0, []), (True, 2, [0.001] * 4)],
)
async def test_a_slice_is_followed_by_a_pause_that_is_longer_for_requests(pool, pauses, in_thread, requests, expected):
    in_flight = InFlight()
    in_flight.count = requests

    assert await Compute(pool, in_flight).each(str, range(8), in_thread=in_thread) == list("01234567")

    assert pauses == pytest.approx(expected)
