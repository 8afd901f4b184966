"""Pets of whom something of each kind is kept, and their move to another number of partitions."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from redis.asyncio import Redis

from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pet_keys import PetKeys
from sploot_clusterd.store import Carried, Entry, Letter, Store
from sploot_clusterd.wire import CARRIED_ATTEMPTS
from tests.support.stores import GROUP, settings

PETS = [f"pet:{n}" for n in range(30)]
ERASED = PETS[:6]
"""Of whom a job waits that was accepted before the DELETE."""
FAILED = PETS[3:12]
"""Of whom a job was read and failed twice."""
KINDS = PetKeys._fields


class Opens:
    """Opens stores of any number of partitions over one Redis, or a cluster."""

    def __init__(self, url: str, stack: AsyncExitStack, **redis: object) -> None:
        """Keywords change the settings of connections."""
        self._settings = settings(url, **redis)
        self._stack = stack

    def __call__(self, count: int) -> Store:
        given = self._settings
        store = Store.open(replace(given, stream=replace(given.stream, partitions=count, maxlen=1000)), Metrics())
        self._stack.push_async_callback(store.close)
        return store


class Stored(NamedTuple):
    """All that is kept of pets, by what it is, wherever it lies."""

    values: dict[tuple[str, str], Any]
    queues: dict[tuple[str, str], float]
    jobs: dict[str, list[tuple[bytes, bytes, bytes]]]
    """By pet, in the order of the stream: what was sent, its place and its attempts."""
    letters: dict[str, list[bytes]]
    marks: dict[str, bytes]


async def stored(redis: Redis, layout: Layout) -> Stored:
    """What lies where the layout places each pet. There is to be nothing else."""
    found = Stored({}, {}, {}, {}, {})
    for pet in PETS:
        keys = layout.of(pet)
        for kind, key in zip(KINDS, keys.pet(pet), strict=True):
            found.values[pet, kind] = await redis.dump(key)
        for name, queue in (("wants", keys.wants), ("tellings", keys.tellings)):
            found.queues[pet, name] = await redis.zscore(queue, pet)
    for keys in layout.partitions:
        records = await redis.hgetall(keys.attempts)
        for entry, fields in await redis.xrange(keys.stream):
            pet = fields[b"pet_id"].decode()
            assert layout.of(pet) is keys
            attempts = records.get(entry, b"0").split(b" ")[0]
            job = fields[b"image_ids"], fields.get(b"first_id", entry), fields.get(CARRIED_ATTEMPTS, attempts)
            found.jobs.setdefault(pet, []).append(job)
        for _, fields in await redis.xrange(keys.dead_letters):
            pet = fields[b"pet_id"].decode()
            assert layout.of(pet) is keys
            found.letters.setdefault(pet, []).append(fields[b"payload"])
        for pet, mark in (await redis.hgetall(keys.erased)).items():
            assert layout.of(pet.decode()) is keys
            found.marks[pet.decode()] = mark
    of_pets = [key async for key in redis.scan_iter("*pet:*") if b"letters" not in key]
    assert len(of_pets) == sum(value is not None for value in found.values.values()), "nothing is left in old places"
    return found


async def sow(redis: Redis, store: Store) -> None:
    """Something of each kind for each pet."""
    for pet in PETS:
        await set_aside(redis, store, pet)
    for n, pet in enumerate(PETS):
        keys = store.layout.of(pet)
        album, images, view, wanted, asked, untold, dropped, snapshots, _ = keys.pet(pet)
        await redis.hset(album, mapping={"token": f"t.{n}", "head": bytes(range(n))})
        await redis.hset(images, mapping={f"img-{m}": bytes(m) for m in range(n)} or {"img": b""})
        await redis.set(view, b'{"pet_id":"%s","clusters":[]}' % pet.encode(), ex=1000)
        if n % 2:
            await redis.zadd(wanted, {"img": 5 + n})
            await redis.zadd(keys.wants, {pet: 5 + n})
            await redis.hset(asked, "img", "1 2 3")
        if n % 3:
            await redis.hset(untold, "img", "{}")
            await redis.zadd(keys.tellings, {pet: 7 + n})
        if n % 5 == 0:
            await redis.set(dropped, 1, ex=1000)
            await redis.hset(snapshots, "restore", bytes(range(n)))
        await redis.xadd(keys.stream, {"pet_id": pet, "image_ids": f'["first-{n}"]'})
    await fail(redis, store)
    for pet in ERASED:
        keys = store.layout.of(pet)
        await redis.hset(keys.erased, pet, (await redis.xinfo_stream(keys.stream))["last-generated-id"])
        if not store.layout.is_one:
            await redis.hset(store.layout.several[store.layout.number(pet)].origins, pet, "9-9")
    for n, pet in enumerate(PETS):
        await redis.xadd(store.layout.of(pet).stream, {"pet_id": pet, "image_ids": f'["second-{n}"]'})
    for keys in store.layout.partitions:
        await redis.xadd(keys.feed, {"event": "{}"}, "1-1")
        await redis.hset(keys.feed_index, "*", "1-1 202")
    await redis.hset(store.layout.partitions[0].profiles, "m", "1")
    await redis.hset(store.layout.partitions[0].profile("m"), mapping={"1": "bytes", "1:sha1": "digest"})


async def set_aside(redis: Redis, store: Store, pet: str) -> None:
    partition = store.of(pet)
    await redis.xadd(partition.keys.stream, {"payload": pet})
    ((_, ((entry, _),)),) = await redis.xreadgroup(GROUP, "me", {partition.keys.stream: ">"})
    letter = Letter(entry, pet.encode(), "invalid", "why", 1, "1-1", pet, "job", "now")
    assert await partition.stream.dead_letter("me", letter)


async def fail(redis: Redis, store: Store) -> None:
    for keys in store.layout.partitions:
        for _, entries in await redis.xreadgroup(GROUP, "me", {keys.stream: ">"}, count=100) or ():
            for entry, fields in entries:
                if fields[b"pet_id"].decode() in FAILED:
                    await redis.hset(keys.attempts, entry, "2 99 0 1")


async def move(store: Store, target: int) -> Carried:
    """From wherever it is, as the command does."""
    now = await store.recorded.check()
    work = store.move(now if now.target else replace(now, target=target))
    if not now.target:
        await work.begin()
    total = Carried()
    async for group in work.groups(lambda *_: None):
        total.pets += group.carried.pets
        total.jobs += group.carried.jobs
        total.letters += group.carried.letters
    return total


def goes_to(redis: Redis, before: Stored, after: Stored) -> None:
    assert after.values == before.values
    assert after.queues == before.queues
    assert after.letters == before.letters
    assert after.marks == before.marks
    for pet, jobs in before.jobs.items():
        # What an erased pet's DELETE is newer than may be gone by now, and is never applied.
        assert after.jobs[pet] in ([jobs, jobs[1:]] if pet in ERASED else [jobs])


async def begun(opens: Opens, redis: Redis, count: int) -> tuple[Store, Stored]:
    store = opens(count)
    await store.look()
    for partition in store.partitions:
        await partition.stream.ensure_group()
    await sow(redis, store)
    return store, await stored(redis, store.layout)


def pet_of(entry: Entry) -> str:
    return entry.fields[b"pet_id"].decode()
