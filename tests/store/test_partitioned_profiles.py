"""Profiles where there are several partitions: published everywhere or nowhere, samples that together are one."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import State, Store
from sploot_clusterd.store.connection import Pool
from sploot_clusterd.store.fleet_profiles import FleetProfiles
from sploot_clusterd.store.profiles import digest
from tests.support.deaths import DiedError, dies_at
from tests.support.stores import settings

COUNT = 4
NEXT = State(1)


@pytest.fixture
async def store(redis: Redis, redis_url: str) -> AsyncIterator[Store]:
    given = settings(redis_url)
    store = Store.open(replace(given, stream=replace(given.stream, partitions=COUNT)), Metrics())
    yield store
    await store.close()


async def everywhere(redis: Redis, layout: Layout) -> set[tuple[object, object, object]]:
    """State, bytes and digest in each partition; one of them where all are alike."""
    return {
        (
            await redis.hget(keys.profiles, "m{1}"),
            await redis.hget(keys.profile("m{1}"), "1"),
            await redis.hget(keys.profile("m{1}"), "1:sha1"),
        )
        for keys in layout.several
    }


async def test_a_profile_is_published_to_all_and_read_from_any(store: Store, redis: Redis):
    assert await store.profiles.publish("m{1}", None, NEXT, b"one")
    assert (await store.profiles.poll()).states == {"m{1}": NEXT}
    ((state, raw, _),) = await everywhere(redis, store.layout)
    assert (state, raw) == (b"1", b"one")
    assert not await store.profiles.publish("m{1}", None, NEXT, b"another")
    await redis.delete(store.layout.several[0].profile("m{1}"))
    assert await store.profiles.fetch("m{1}", 1) == b"one"


@pytest.mark.parametrize("who", ["polls", "publishes"])
async def test_a_publisher_that_dies_between_any_two_writes_leaves_what_others_finish(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch, who: str
):
    for number in range(1, 40):
        await redis.flushall()
        monkeypatch.setattr(Pool, "exchange", dies_at(Pool.exchange, number + 1, before=True))
        try:
            assert await store.profiles.publish("m{1}", None, NEXT, b"one")
            died = False
        except DiedError:
            died = True
        monkeypatch.undo()
        if who == "publishes":
            await store.profiles.publish("m{1}", (await store.profiles.poll()).states.get("m{1}"), NEXT, b"other")
        states = (await store.profiles.poll()).states
        found = await everywhere(redis, store.layout)
        if states or who == "publishes":
            assert states == {"m{1}": NEXT}
            assert len(found) == 1, f"partitions differ after {number} exchanges"
        else:
            assert {state for state, _, _ in found} == {None}, "nobody may use what was not published"
        if not died:
            return
    raise AssertionError("it did not end")


async def test_samples_of_all_are_one_of_the_lowest(store: Store, redis: Redis):
    profiles = FleetProfiles(store.gateway, store.layout, most_sampled=10)
    slots = {f"pet-{n}#0": (n * 37 % 40) / 40 for n in range(40)}
    for slot, priority in slots.items():
        images, sampled = store.layout.of(slot.partition("#")[0]).sample("v")
        await redis.hset(images, slot, slot)
        await redis.zadd(sampled, {slot: priority})
    lowest = sorted(slots, key=slots.__getitem__)[:10]
    assert await profiles.sample("v") == {slot: slot.encode() for slot in lowest}
    size = (await profiles.poll(["v"])).samples["v"]
    assert size == (10, None)


async def test_forgetting_a_model_version_is_done_in_all(store: Store, redis: Redis):
    for keys in store.layout.several[:2]:
        await redis.hset(keys.profiles, "v", "0")
        await redis.hset(keys.sample("v").images, "a#0", "x")
    assert (await store.profiles.poll()).states == {"v": State(0)}
    assert await store.profiles.drop_sample("v")
    assert await redis.keys() == []
    assert await store.profiles.publish("v", None, State(1, settled=True), b"p")
    assert await store.profiles.start_again("v", State(1, settled=True), State(2), b"q")
    assert {await redis.hget(keys.profiles, "v") for keys in store.layout.several} == {b"2"}


async def test_what_a_replica_had_not_got_when_it_took_over_is_brought_to_it(store: Store, redis: Redis):
    assert await store.profiles.publish("m{1}", None, NEXT, b"one")
    lost = store.layout.several[2]
    await redis.delete(lost.profiles, lost.profile("m{1}"))
    assert (await store.profiles.poll()).states == {"m{1}": NEXT}
    ((state, raw, _),) = await everywhere(redis, store.layout)
    assert (state, raw) == (b"1", b"one")


async def test_what_others_have_holds_where_the_first_partition_has_lost_it(store: Store, redis: Redis):
    """A replica took over in the middle of a publication, and another process begins one."""
    for keys in store.layout.several[1:3]:
        await redis.hset(keys.profile("m{1}"), mapping={"1": b"one", "1:sha1": digest(b"one"), "1:state": "1"})
    assert not await store.profiles.publish("m{1}", None, NEXT, b"other")
    ((state, raw, found),) = await everywhere(redis, store.layout)
    assert (state, raw, found) == (b"1", b"one", digest(b"one").encode())
