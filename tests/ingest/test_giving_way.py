"""Two processes with jobs of the same few pets: one leaves the stream to the other for a while, if that gets on."""

from contextlib import AsyncExitStack

import pytest

from sploot_clusterd.ingest import giving_way
from sploot_clusterd.ingest.giving_way import GivingWay
from tests.support.loops import running
from tests.support.side import Side, image
from tests.support.waiting import eventually

_PETS, _JOBS = 4, 800


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def way(side: Side, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> GivingWay:
    """Of the process of the consumers m-0 and m-1, whose looks take no time but the clock's."""
    monkeypatch.setattr(giving_way, "_LOOK_SECONDS", 0.001)
    return GivingWay(side.store.partitions[0].pending, ["m-1", "m-0"], 64, side.stopping, clock)


def test_only_who_has_a_lower_name_goes_first(way: GivingWay):
    older = {b"1-0": "a-0", b"2-0": "z-0", b"3-0": "m-0", b"4-0": "m-1", b"5-0": "m-00"}
    assert way.goes_first(older) == {b"1-0"}


async def test_the_stream_is_left_where_most_of_a_batch_waits_and_longer_each_time(way: GivingWay, clock: Clock):
    for entries, behind, shared in ((64, 32, 1.0), (63, 63, 1.0), (64, 64, 0.7)):
        way.was_read(entries, behind, shared)
        assert not await way.pause()
    for seconds in (0.5, 1.0, 2.0, 2.0):
        way.was_read(64, 33, 0.75)
        clock.now += seconds - 0.01
        assert await way.pause()
        clock.now += 0.02
        assert not await way.pause()
    way.was_read(64, 0, 0.0)
    way.was_read(64, 64, 1.0)
    clock.now += 0.51
    assert not await way.pause()


async def test_nobody_waits_for_a_process_that_does_not_get_on(
    side: Side, way: GivingWay, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(giving_way, "_PATIENCE", 0.0045)
    way.was_read(64, 64, 1.0)
    for _ in range(20):
        await side.add()
        await side.read("a-0", count=1)
        clock.now += 0.01
        assert await way.pause()
    paused = 0
    while await way.pause():
        paused += 1
        clock.now += 0.01
    assert paused == 3, "each look stands for two milliseconds at most, however late it is"
    way.was_read(64, 64, 1.0)
    assert not await way.pause(), "not again so soon"
    clock.now += 10.0
    way.was_read(64, 64, 1.0)
    assert await way.pause()


async def test_of_two_processes_one_works_on_few_pets_from_memory(new_side, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(giving_way, "_PATIENCE", 60.0)
    sides: list[Side] = [await new_side(instance=n) for n in range(2)]
    for n in range(_JOBS):
        await sides[0].add(f"pet-{n % _PETS}", payload=image(f"img-{n}"))
    async with AsyncExitStack() as loops:
        for side in sides:
            await loops.enter_async_context(running(side, *side.consumers()))
        await eventually(lambda: is_empty(sides[0]), what="every job to be done", timeout=60)
    for n in range(_PETS):
        assert (await sides[0].view(f"pet-{n}"))["metrics"]["num_images"] == _JOBS // _PETS
    done = [side.count("jobs_processed_total", result="success") for side in sides]
    assert sum(done) == _JOBS
    assert done[1] < _JOBS / 4, "they do not take turns"


async def is_empty(side: Side) -> bool:
    return not await side.redis.xlen("jobs")
