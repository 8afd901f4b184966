"""Jobs that go back to a former version, on the real server: the snapshot is fetched, and only where it is there."""

import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd import wire
from sploot_clusterd.engine import Params
from sploot_clusterd.snapshot import Restore, Snapshot, encode_snapshot
from tests.support.side import Side, image, opened_side


@pytest.fixture
async def side(redis: Redis, redis_url: str) -> AsyncIterator[Side]:
    assert redis
    async with opened_side(redis_url, Params(), feeds=True) as side:
        yield side


async def keep(side: Side, pet: str = "pet") -> Restore:
    """What history would give, put into its place."""
    keys = side.keys.pet(pet)
    rows = {name.decode(): row for name, row in (await side.redis.hgetall(keys.images)).items()}
    raw = encode_snapshot(Snapshot(await side.redis.hgetall(keys.album), rows))
    name = await side.store.views.reserve_snapshot(pet)
    assert await side.store.views.keep_snapshot(pet, name, raw)
    return Restore(1, name)


async def go_back(side: Side, restore: Restore, pet: str = "pet") -> None:
    await side.store.views.submit(pet, wire.encode_restore(pet, "back", restore, time.time()))
    await side.run()


async def test_the_album_is_as_it_was_and_what_came_stays(side: Side):
    await side.add(payload=image("a"))
    await side.run()
    before, restore = await side.view(), await keep(side)
    await side.add(payload={"removed_image_ids": ["a"]})
    await side.add(payload=image("b", 0.0, 1.0))
    await side.run()

    await go_back(side, restore)

    after = await side.view()
    assert sorted(after["unclustered"]) == ["a", "b"]
    assert after["version"] > before["version"]
    assert (await side.pending(), await side.letters()) == (0, [])
    assert 0 < await side.redis.ttl(side.keys.pet("pet").snapshots) <= 3600
    (*_, event) = await side.redis.xrange(side.keys.feed)
    assert msgspec.json.decode(event[1][b"event"])["change"]["jobs"] == ["back"]
    assert side.cache.peek("pet")[1].version == after["version"]


async def test_beside_other_jobs_of_a_batch_and_other_pets(side: Side):
    await side.add(payload=image("a"))
    await side.run()
    restore = await keep(side)
    await side.add(payload={"removed_image_ids": ["a"]})
    await side.add("other", payload=image("x"))
    await side.store.views.submit("pet", wire.encode_restore("pet", "back", restore, time.time()))
    await side.add(payload=image("b", 0.0, 1.0))
    await side.run()
    assert sorted((await side.view())["unclustered"]) == ["a", "b"]
    assert (await side.view("other"))["unclustered"] == ["x"]
    assert await side.letters() == []


@pytest.mark.parametrize("why", ["expired", "only its place", "erased", "another name"])
async def test_without_its_snapshot_it_is_a_dead_letter_and_changes_nothing(side: Side, why: str):
    await side.add(payload=image("a"))
    await side.run()
    restore = await keep(side)
    if why == "expired":
        await side.redis.delete(side.keys.pet("pet").snapshots)
    elif why == "only its place":
        restore = Restore(1, await side.store.views.reserve_snapshot("pet"))
    elif why == "erased":
        await side.store.views.erase("pet")
    else:
        restore = Restore(1, "unknown")
    before = await side.redis.get(side.keys.view("pet"))

    await go_back(side, restore)

    (letter,) = await side.letters()
    assert letter[b"reason"] == b"snapshot_gone"
    assert b"version 1" in letter[b"error"]
    assert await side.redis.get(side.keys.view("pet")) == before
    assert bool(await side.redis.exists(side.keys.pet("pet").album)) is (why != "erased")


async def test_a_place_that_an_erasure_took_takes_no_snapshot(side: Side):
    name = await side.store.views.reserve_snapshot("pet")
    await side.store.views.erase("pet")
    assert not await side.store.views.keep_snapshot("pet", name, b"x")
    assert not await side.redis.exists(side.keys.pet("pet").snapshots)


async def test_bytes_that_are_no_snapshot_are_bad_state_and_stay(side: Side):
    name = await side.store.views.reserve_snapshot("pet")
    await side.store.views.keep_snapshot("pet", name, b"\xc1")
    await go_back(side, Restore(1, name))
    (letter,) = await side.letters()
    assert letter[b"reason"] == b"bad_state"


async def test_an_album_that_was_lost_comes_back_in_a_new_life(side: Side):
    await side.add(payload=image("a"))
    await side.run()
    restore, keys = await keep(side), side.keys.pet("pet")
    await side.redis.delete(keys.album, keys.images, keys.view)

    await go_back(side, restore)

    assert (await side.view())["unclustered"] == ["a"]
    assert (await side.view())["version"] == 2
