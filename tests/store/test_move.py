"""Another number of partitions: all that lies with a pet goes along, byte for byte, and whoever is killed."""

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import StartError
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.store import ClaimKind, Entry, Moving
from sploot_clusterd.store.connection import Pool
from sploot_clusterd.wire import CARRIED_ATTEMPTS
from tests.support.deaths import DiedError, dies_at
from tests.support.moves import FAILED, PETS, Opens, begun, goes_to, move, pet_of, stored


@pytest.mark.parametrize(("count", "target"), [(4, 8), (2, 3), (6, 4), (3, 2)])
async def test_all_that_lies_with_a_pet_goes_along(opens: Opens, redis: Redis, count: int, target: int):
    store, before = await begun(opens, redis, count)
    carried = await move(store, target)
    new = opens(target)
    await new.check_partitions()
    assert new.layout.placing == Placing(target, 2, count)
    after = await stored(redis, new.layout)
    goes_to(redis, before, after)
    moved = [pet for pet in PETS if store.layout.of(pet).tag != new.layout.of(pet).tag]
    assert carried.pets == len(moved) > 0
    assert carried.letters == len(moved)
    assert await redis.get("ns:partitions") == f"{target} 2 {count} 0 0 0".encode()
    for keys in new.layout.several:
        assert (
            await redis.hgetall(keys.profile("m")) == {b"1": b"bytes", b"1:sha1": b"digest"} or keys.partition < count
        )
        assert await redis.hget(keys.routed, "last") is None
    for keys in store.layout.several:
        is_left = count > keys.partition and target > keys.partition
        assert await redis.exists(keys.feed, keys.feed_index) == 2 * is_left, "events stay, and go with their partition"


@pytest.mark.parametrize("before_it", [True, False], ids=["before", "after"])
async def test_a_move_that_dies_at_any_of_its_exchanges_goes_on_where_it_was(
    opens: Opens, redis: Redis, monkeypatch: pytest.MonkeyPatch, before_it: bool
):
    _, before = await begun(opens, redis, 2)
    deaths = 0
    while await redis.get("ns:partitions") != b"4 2 2 0 0 0":
        monkeypatch.setattr(Pool, "exchange", dies_at(Pool.exchange, deaths + 4, before=before_it))
        try:
            await move(opens(2), 4)
        except DiedError:
            deaths += 1
        monkeypatch.undo()
        for name in ("_HEARD", "_LOOK_EVERY"):
            monkeypatch.setattr(f"sploot_clusterd.store.move.{name}", 0.0)
    assert deaths >= 10
    new = opens(4)
    await new.check_partitions()
    goes_to(redis, before, await stored(redis, new.layout))


async def test_what_was_moved_from_the_plain_stream_and_not_settled_is_not_moved_again(opens: Opens, redis: Redis):
    store, _ = await begun(opens, redis, 2)
    assert store.plain is not None
    await store.plain.open()
    for pet in PETS:
        await redis.xadd("jobs", {"pet_id": pet, "image_ids": '["plain"]'})
    entries = await store.plain.read("router")
    await store.plain.close()
    routed = {
        n: [Moving(e.key, pet_of(e), e.fields) for e in entries if store.layout.number(pet_of(e)) == n] for n in (0, 1)
    }
    assert await store.plain.route(1, {n: some[:5] for n, some in routed.items()}) == {0: 5, 1: 5}
    await move(opens(2), 3)
    assert await redis.xlen("jobs") == len(PETS) - 10
    assert await store.plain.route(1, routed) == {0: 0, 1: 0}, "it goes by the old layout"

    new = opens(3)
    await new.check_partitions()
    assert new.plain is not None
    await new.plain.open()
    async for some in new.plain.take_all("router"):
        for entry in some:
            moving = Moving(entry.key, pet_of(entry), entry.fields)
            await new.plain.route(2, {new.layout.number(moving.pet_id): [moving]})
    await new.plain.close()
    found = [await redis.xrange(keys.stream) for keys in new.layout.partitions]
    plain = [fields[b"pet_id"].decode() for each in found for _, fields in each if fields[b"image_ids"] == b'["plain"]']
    assert sorted(plain) == sorted(PETS), "each once"


async def test_from_one_partition_to_several(opens: Opens, redis: Redis, monkeypatch: pytest.MonkeyPatch):
    store, before = await begun(opens, redis, 1)
    keys = store.layout.plain
    length = await redis.xlen("jobs")
    await redis.hset(keys.sample("m").images, "slot", "image")
    await redis.zadd(keys.sample("m").slots, {"slot": 0.5})
    assert await opens(1).others() != []
    await store.leave()
    assert await opens(1).others() == []

    async def ends_here(*_: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr("sploot_clusterd.store.transfer.Transfer.letters", ends_here)
        with pytest.raises(DiedError):
            await move(opens(1), 4)
    for count in (1, 4):
        with pytest.raises(StartError, match="from 1 to 4, 0 of 1 groups have moved, the next one is in motion"):
            await opens(count).look()
        await opens(count).check_partitions()
    carried = await move(opens(1), 4)
    assert (carried.pets, carried.jobs, carried.letters) == (0, 0, len(PETS)), "pets were moved before"
    new = opens(4)
    await new.look()
    after = await stored(redis, new.layout)
    assert after.values == before.values
    assert after.queues == before.queues
    assert after.letters == before.letters
    assert await redis.xlen("jobs") == length, "the router moves them"
    origins = {}
    for each in new.layout.several:
        assert await redis.hget(each.profile("m"), "1") == b"bytes"
        origins |= await redis.hgetall(each.origins)
        assert (await redis.xinfo_stream(each.stream))["last-generated-id"] >= (await redis.xinfo_stream("jobs"))[
            "last-generated-id"
        ]
    assert {pet.decode(): mark for pet, mark in origins.items()} == before.marks
    assert await new.profiles.sample("m") == {"slot": b"image"}
    left = {key async for key in redis.scan_iter("*") if not key.startswith(b"{")}
    assert left == {b"jobs", b"ns:partitions", b"jobs:agreement", b"ns:agreed"}


async def test_an_entry_of_a_pet_that_has_left_is_moved_on_unless_the_pet_was_erased_since(opens: Opens, redis: Redis):
    store, _ = await begun(opens, redis, 2)
    assert store.plain is not None
    keys, pet = store.layout.partitions[0], PETS[-1]
    for place, waits in ((b"5-5", 1), (b"4-4", 1)):
        await redis.hset(keys.erased, pet, "4-4")
        key = await redis.xadd(keys.stream, {"payload": "x", "first_id": place})
        entry = Entry.of(key, {b"first_id": place})
        await redis.hset(keys.attempts, entry.key, "1 2 3 4")
        await store.plain.take_back(keys, entry, pet)
        assert await redis.xlen("jobs") == waits
        assert not await redis.xrange(keys.stream, entry.key, entry.key)
        assert not await redis.hexists(keys.attempts, entry.key)
    ((_, fields),) = await redis.xrange("jobs")
    assert fields == {b"first_id": b"5-5"}


async def test_attempts_that_came_along_count(opens: Opens, redis: Redis):
    store, _ = await begun(opens, redis, 2)
    await move(store, 4)
    new = opens(4)
    reader = new.reader("me")
    await reader.open()
    try:
        read = await reader.read([2, 3], waits=False)
    finally:
        await reader.close()
    attempts = {
        pet_of(entry): entry.attempts
        for each in read
        for entry in each.entries
        if b"first-" in entry.fields[b"image_ids"]
    }
    assert attempts
    assert attempts == {pet: 2 * (pet in FAILED) for pet in attempts}
    nonsense = {CARRIED_ATTEMPTS: b"many"}
    await redis.xadd(new.layout.partitions[0].stream, nonsense)
    async for some in new.partitions[0].stream.claim("me", ClaimKind.IDLE, idle_ms=0):
        assert all(entry.attempts in (0, 2) for entry in some)


async def test_what_was_carried_twice_has_the_newer_count(opens: Opens, redis: Redis):
    store, _ = await begun(opens, redis, 2)
    await move(store, 4)
    for keys in opens(4).layout.several:
        for entry, fields in await redis.xrange(keys.stream):
            if CARRIED_ATTEMPTS in fields:
                await redis.hset(keys.attempts, entry, "3 99 0 1")
    await move(opens(4), 8)
    counts = [
        fields[CARRIED_ATTEMPTS]
        for keys in opens(8).layout.several[4:]
        for _, fields in await redis.xrange(keys.stream)
        if CARRIED_ATTEMPTS in fields
    ]
    assert b"3" in counts
