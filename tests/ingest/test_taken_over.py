"""What others held of a partition: whoever has it does it, and is suspected of nothing by having it for a moment."""

import msgspec
import pytest

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.ingest.reclaim import Reclaimer
from sploot_clusterd.store import Stream
from tests.support.loops import running
from tests.support.side import Side, image
from tests.support.waiting import eventually

_PAGE = 64
"""Entries that are claimed at a time."""


def process(side: Side, number: int) -> Reclaimer:
    """The reclaim loop of one of several processes."""
    side.ingest.name_confirmed.set()
    return side.ingest.reclaimer(f"reclaim-{number}", ["me", f"reclaim-{number}"])


async def held_by_another(side: Side, count: int) -> None:
    async with side.redis.pipeline(transaction=False) as pipe:
        for n in range(count):
            pipe.xadd("jobs", {"payload": msgspec.json.encode({"pet_id": f"pet-{n % 20}", "payload": image(f"i{n}")})})
        await pipe.execute()
    assert len(await side.read("dead", count)) == count


async def deliveries(side: Side) -> list[int]:
    pending = await side.redis.xpending_range("jobs", "workers", "-", "+", 1000)
    return [each["times_delivered"] for each in pending]


async def test_what_a_process_lost_before_it_ran_it_is_run_in_batches(side: Side):
    await held_by_another(side, 1000)
    (lane,) = side.ingest.lanes
    for number in range(5):
        await process(side, number).take_over(lane)  # and the partition goes to the next one

    last = process(side, 5)
    await last.take_over(lane)
    async with running(side, last):
        await eventually(lambda: emptied(side), what="all to be applied", timeout=60)
    assert side.count("batch_size_jobs_count") == -(-1000 // _PAGE), "a suspect would be one of its own"
    assert await side.letters() == []


async def emptied(side: Side) -> bool:
    return not await side.redis.xlen("jobs")


async def test_of_a_partition_that_is_lost_meanwhile_no_more_is_claimed_than_is_run(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    await held_by_another(side, 3 * _PAGE)
    (lane,) = side.ingest.lanes
    run: list[int] = []

    async def lose_it(_: Processor, batch: Batch) -> None:
        run.append(len(batch.entries))
        lane.shut()

    monkeypatch.setattr(Processor, "run", lose_it)
    reclaimer = process(side, 0)
    await reclaimer.take_over(lane)
    assert await reclaimer.claim_left() == _PAGE
    assert await reclaimer.claim_left() == 0
    assert await deliveries(side) == [2] * _PAGE + [1] * 2 * _PAGE
    lane.open(float("inf"))
    await reclaimer.take_over(lane)
    assert await reclaimer.claim_left() == _PAGE
    assert run == [_PAGE] * 2


async def test_what_a_partitions_server_kept_from_being_claimed_is_claimed_when_it_is_back(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    await held_by_another(side, 1)
    reclaimer = process(side, 0)
    await reclaimer.take_over(side.ingest.lanes[0])

    async def away(_: Stream) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as patched:
        patched.setattr(Stream, "probe", away)
        with pytest.raises(StoreUnavailableError):
            await reclaimer.claim_left()
    assert await deliveries(side) == [1]
    assert await reclaimer.claim_left() == 1
    assert await emptied(side)


async def test_what_this_process_reads_meanwhile_is_not_taken_over(side: Side):
    await held_by_another(side, 1)
    await side.add("new", payload=image("a"))
    await side.read("me")
    reclaimer = process(side, 0)
    await reclaimer.take_over(side.ingest.lanes[0])
    assert await reclaimer.claim_left() == 1
    (left,) = await side.redis.xpending_range("jobs", "workers", "-", "+", 10)
    assert (left["consumer"], left["times_delivered"]) == (b"me", 1)
