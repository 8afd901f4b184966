"""Leases of partitions and of the router: one holder each, until it lets go or is not heard of."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Reader, Store, Tenure
from sploot_clusterd.store.reader import ReadCount
from tests.support.stores import settings
from tests.support.waiting import eventually

COUNT = 4


@pytest.fixture
async def stores(redis: Redis, redis_url: str) -> AsyncIterator[list[Store]]:
    given = settings(redis_url)
    given = replace(given, stream=replace(given.stream, partitions=COUNT, maxlen=400, read_timeout_ms=50))
    async with AsyncExitStack() as stack:
        opened = [Store.open(given, Metrics()) for _ in range(2)]
        for store in opened:
            stack.push_async_callback(store.close)
        yield opened


@pytest.fixture
def tenures(stores: list[Store]) -> list[Tenure]:
    return [store.tenure for store in stores if store.tenure]


async def test_each_partition_has_one_holder_until_it_lets_go(tenures: list[Tenure]):
    one, other = tenures
    assert await one.hold({0, 1}) == [one.member, one.member, "", ""]
    assert await other.hold({1, 2}) == [one.member, one.member, other.member, ""]
    await other.let_go([0, 1, 2])
    assert await other.owners() == [one.member, one.member, "", ""]
    await one.let_go([1])
    assert await other.hold({1}) == [one.member, other.member, "", ""]


async def test_who_is_not_heard_of_holds_nothing_and_is_no_member(tenures: list[Tenure]):
    one, other = tenures
    assert await one.beat() == [one.member]
    assert await other.beat() == sorted([one.member, other.member])
    one.lease_ms = other.lease_ms = 50
    await one.hold({0})

    async def forgotten() -> bool:
        return await other.beat() == [other.member] and await other.owners() == [""] * COUNT

    await eventually(forgotten, what="the lease to end")
    await other.leave()
    assert await one.beat() == [one.member]


async def test_each_router_after_another_has_a_higher_number(tenures: list[Tenure], redis: Redis):
    one, other = tenures
    assert await one.hold_router() == (one.member, 1)
    assert await other.hold_router() == (one.member, 1)
    assert await one.hold_router() == (one.member, 1)
    await one.leave()
    assert await other.hold_router(see=True) == ("", 1)
    assert await other.hold_router() == (other.member, 2)


@pytest.mark.parametrize(
    ("read", "size", "streams", "each"),
    [(64, 640, 1, 64), (64, 640, 8, 8), (64, 640, 64, 8), (64, 2**25, 8, 1), (8, 80, 4, 4)],
)
def test_what_is_asked_for_is_divided_over_streams(read: int, size: int, streams: int, each: int):
    count = ReadCount(64)
    for _ in range(3 if read == 64 else 1):
        count.was_read(read, size)
    assert count.of_each(streams) == each


def test_of_one_that_is_behind_twice_as_much_is_asked_for_as_long_as_that_is_small():
    count = ReadCount(64)
    for _ in range(5):
        count.was_read(count.of_each(1, behind=True), 640)
    assert (count.of_each(1), count.of_each(1, behind=True)) == (64, 128)
    count.was_read(128, 2**23)
    assert (count.of_each(1), count.of_each(1, behind=True)) == (64, 64)


async def test_one_read_covers_partitions_and_says_where_there_may_be_more(stores: list[Store]):
    store, pets = stores[0], [f"pet-{n}" for n in range(40)]
    await store.views.submit_all([(pet, pet.encode()) for pet in pets])
    reader: Reader = store.reader("me")
    await reader.open()
    try:
        first, *others = await reader.read([0, 1, 2])
        assert [each.partition for each in (first, *others)] == [0, 1, 2]
        assert all(each.is_full for each in (first, *others))
        read = {entry.fields[b"payload"].decode(): each.partition for each in others for entry in each.entries}
        assert read == {pet: store.layout.number(pet) for pet in read}
        assert [each.partition for each in await reader.read([3], waits=False)] == [3]
        while await reader.read([0, 1, 2, 3], waits=False):
            pass
        assert await reader.read([0, 1, 2, 3]) == [], "after the block time"
    finally:
        await reader.close()
