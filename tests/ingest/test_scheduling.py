"""Computing gives way to the loop's other work, and longer to requests; large pieces go to the thread."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.inflight import InFlight
from sploot_clusterd.ingest import scheduling as module
from sploot_clusterd.ingest.scheduling import (
    POOL_THREADS,
    Compute,
    TokenBucket,
    decode_in_thread,
    hops,
    plan_in_thread,
)
from tests.support.waiting import eventually


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
    monkeypatch.setattr(module, "threading", SimpleNamespace(Event=Event, local=SimpleNamespace))
    return taken


@pytest.mark.parametrize(
    ("in_thread", "requests", "expected"),
    [(False, 0, [0] * 8), (False, 1, [0] * 8), (True, 0, []), (True, 2, [0.001] * 4)],
)
async def test_a_slice_is_followed_by_turns_of_the_loop_or_a_pause_for_requests(
    pool, pauses, in_thread, requests, expected
):
    in_flight = InFlight()
    in_flight.count = requests

    assert await Compute(pool, in_flight).each(str, range(8), in_thread=in_thread) == list("01234567")

    assert pauses == pytest.approx(expected)


async def test_what_is_short_is_computed_one_after_the_other_and_beside_what_is_large():
    now, most, short_has_run, never = 0, 0, threading.Event(), threading.Event()

    def short(number: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        never.wait(0.002)  # so that another one would meet it
        now -= 1
        short_has_run.set()
        return number

    with ThreadPoolExecutor(POOL_THREADS) as threads:
        compute = Compute(threads, InFlight())
        large = asyncio.create_task(
            compute.each(lambda _: short_has_run.wait(30), [None], in_thread=True, large=True), name="large"
        )
        await eventually(lambda: compute.busy, what="what is large to begin")
        done = await asyncio.gather(*(compute.each(short, range(4), in_thread=n % 2 == 0) for n in range(6)))
        assert await large == [True]
    assert done == [[0, 1, 2, 3]] * 6
    assert most == 1
    assert not compute.busy


def test_only_large_pieces_go_to_the_pool():
    assert not plan_in_thread([], busy=True)
    assert not plan_in_thread([0.0002] * 10, busy=False)
    assert plan_in_thread([0.0002, 0.02], busy=False)
    assert not plan_in_thread([0.0002] * 100, busy=False), "each is done well within a slice"
    assert plan_in_thread([0.0005] * 100, busy=False)
    assert plan_in_thread([0.0002] * 10, busy=True), "beside a computing thread the loop would wait for each array"
    assert not decode_in_thread(10_000, busy=False)
    assert decode_in_thread(10_000, busy=True)
    assert decode_in_thread(100_000, busy=False)


@given(st.lists(st.floats(0, 0.15), max_size=30))
def test_a_batch_is_cut_into_short_parts_and_nothing_is_left_out(estimates: list[float]):
    parts = list(hops(estimates))
    assert [e for part in parts for e in estimates[part]] == estimates
    assert all(sum(estimates[part]) <= 0.05 or part.stop - part.start == 1 for part in parts)


def test_a_token_bucket_keeps_its_pace():
    now = 0.0
    bucket = TokenBucket(2.0, lambda: now)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 100.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now = 110.0
    assert bucket.take(9.0), "the largest album moves too ..."
    now = 113.0
    assert not bucket.take(), "... and the others wait for it"
    now = 114.0
    assert bucket.take()
    slow = TokenBucket(0.1, lambda: now)
    assert [slow.take() for _ in range(2)] == [True, False]
    assert not TokenBucket(0.0, lambda: now).take()
