"""Entries of producers who know no partitions get to their pets' partitions: once each, in order, whoever dies."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from sploot_clusterd.health import Health
from sploot_clusterd.ingest.router import Router
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.store import Store
from sploot_clusterd.store.connection import Pool
from tests.support.stores import settings
from tests.support.waiting import eventually

COUNT = 4
PETS = [f"pet-{n}" for n in range(12)]
ROOM = 1000


class DiedError(Exception):
    """The process that ran the router is gone."""


class Routers:
    """Processes over one Redis that may be the router."""

    def __init__(self, redis: Redis, url: str, stack: AsyncExitStack) -> None:
        self.redis = redis
        self._url = url
        self._stack = stack
        self.stopping = asyncio.Event()

    def store(self, room: int = ROOM) -> Store:
        given = settings(self._url)
        given = replace(given, stream=replace(given.stream, partitions=COUNT, maxlen=room * COUNT))
        store = Store.open(given, Metrics())
        store.layout.follow(Placing(COUNT))
        self._stack.push_async_callback(store.close)
        return store

    def router(self, store: Store, consumer: str) -> Router:
        assert store.tenure is not None
        assert store.plain is not None
        self._stack.push_async_callback(store.plain.close)
        confirmed = asyncio.Event()
        confirmed.set()
        return Router(
            plain=store.plain,
            tenure=store.tenure,
            consumer=consumer,
            metrics=Metrics(),
            health=Health(60.0),
            name_confirmed=confirmed,
            stopping=self.stopping,
        )

    async def produce(self, jobs: int) -> list[bytes]:
        payloads = [b'{"pet_id": "%s", "n": %d}' % (PETS[n % len(PETS)].encode(), n) for n in range(jobs)]
        pipe = self.redis.pipeline(transaction=False)
        for payload in payloads:
            pipe.xadd("jobs", {"payload": payload})
        await pipe.execute()
        return payloads

    async def moved(self, store: Store) -> list[list[bytes]]:
        entries = [await self.redis.xrange(keys.stream) for keys in store.layout.partitions]
        return [[fields[b"payload"] for _, fields in each] for each in entries]

    async def expect(self, store: Store, payloads: list[bytes]) -> None:
        """Each is in its partition once, in order, and nothing else is."""
        wanted: list[list[bytes]] = [[] for _ in range(COUNT)]
        for n, payload in enumerate(payloads):
            wanted[store.layout.number(PETS[n % len(PETS)])].append(payload)
        assert await self.moved(store) == wanted
        assert await self.redis.xlen("jobs") == 0

    async def is_empty(self) -> bool:
        return not await self.redis.xlen("jobs")

    async def forget_lease(self, store: Store) -> None:
        """As time does."""
        await self.redis.delete(store.layout.several[0].router)


@pytest.fixture
async def routers(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Routers]:
    monkeypatch.setattr("sploot_clusterd.store.plain._BLOCK_MS", 10)
    monkeypatch.setattr("sploot_clusterd.ingest.router._EVERY", 0.01)
    async with AsyncExitStack() as stack:
        yield Routers(redis, redis_url, stack)


async def until(done: Callable[[], Awaitable[bool]], *routers: Router) -> None:
    async with asyncio.timeout(20):
        while not await done():
            for router in routers:
                await router.step()


async def test_each_entry_is_moved_once_and_in_order(routers: Routers):
    store = routers.store()
    payloads = await routers.produce(600)

    await until(routers.is_empty, routers.router(store, "a"))
    await routers.expect(store, payloads)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_router_that_dies_at_any_of_its_commands_loses_and_repeats_nothing(
    routers: Routers, monkeypatch: pytest.MonkeyPatch, before: bool
):
    payloads = await routers.produce(150)
    deaths = 0
    while await routers.redis.xlen("jobs"):
        store = routers.store()
        monkeypatch.setattr(Pool, "exchange", dies_at(deaths + 1, before=before))
        try:
            await until(routers.is_empty, routers.router(store, f"router-{deaths}"))
        except DiedError:
            deaths += 1
        monkeypatch.undo()
        await routers.forget_lease(store)
    assert deaths >= 4
    await routers.expect(routers.store(), payloads)


def dies_at(number: int, *, before: bool) -> Callable[..., Awaitable[list[Any]]]:
    """In place of an exchange with Redis: before or after the one of that number the process ends."""
    exchange, numbers = Pool.exchange, itertools.count(1)

    async def dies(*args: Any) -> list[Any]:
        this = next(numbers)
        if this == number and before:
            raise DiedError
        replies = await exchange(*args)
        if this == number:
            raise DiedError
        return replies

    return dies


async def test_two_routers_at_once_lose_and_repeat_nothing(routers: Routers):
    """Each is let believe that it is the only one, again and again."""
    stores = [routers.store(), routers.store()]
    both = [routers.router(store, name) for store, name in zip(stores, "ab", strict=True)]
    payloads = []

    async def steps(router: Router, store: Store) -> None:
        for _ in range(12):
            await routers.forget_lease(store)
            await router.step()

    for _ in range(3):
        more = await routers.produce(len(PETS) * 25)
        payloads += more
        await asyncio.gather(*(steps(router, store) for router, store in zip(both, stores, strict=True)))

    await routers.forget_lease(stores[0])
    await until(routers.is_empty, both[0])
    moved = [payload for each in await routers.moved(stores[0]) for payload in each]
    assert Counter(moved) == Counter(payloads)


async def test_a_full_partition_keeps_its_entries_waiting_and_no_others(routers: Routers):
    store = routers.store(room=10)
    router = routers.router(store, "a")
    crowded = store.layout.number(PETS[0])
    payloads = await routers.produce(len(PETS) * 8)
    for _ in range(4):
        await router.step()
    moved = await routers.moved(store)
    assert all(len(each) == 10 for each in moved)
    assert await routers.redis.xlen("jobs") == len(payloads) - 10 * COUNT
    done = []
    keys = store.layout.partitions[crowded]
    for _ in range(40):
        done += (await routers.moved(store))[crowded]
        await routers.redis.xtrim(keys.stream, maxlen=0, approximate=False)
        await router.step()
        if not (await routers.moved(store))[crowded]:
            break
    assert done == [p for n, p in enumerate(payloads) if store.layout.number(PETS[n % len(PETS)]) == crowded]


async def test_what_was_there_before_a_delete_does_not_come(routers: Routers):
    store, redis = routers.store(), routers.redis
    pet, other = PETS[0], PETS[1]
    await routers.produce(len(PETS))
    await store.views.erase(pet)
    await redis.xadd("jobs", {"payload": b'{"pet_id": "%s", "n": "later"}' % pet.encode()})
    router = routers.router(store, "a")
    for _ in range(3):
        await router.step()
    moved = [payload for each in await routers.moved(store) for payload in each]
    assert len(moved) == len(PETS)
    assert [payload for payload in moved if b'"%s"' % pet.encode() in payload] == [
        b'{"pet_id": "%s", "n": "later"}' % pet.encode()
    ]
    assert any(b'"%s"' % other.encode() in payload for payload in moved)
    assert store.plain is not None
    await store.plain.upkeep(0, "a")
    assert not await redis.exists(*(keys.origins for keys in store.layout.several))


async def test_what_names_no_pet_goes_where_it_becomes_a_dead_letter(routers: Routers):
    store = routers.store()
    for fields in ({"nonsense": b"\xff"}, {"payload": "no JSON"}, {"payload": "[]"}, {"payload": b"\x00"}):
        await routers.redis.xadd("jobs", fields)
    key = await routers.redis.xadd("jobs", {f"f{n}": "x" for n in range(5000)})
    router = routers.router(store, "a")
    for _ in range(3):
        await router.step()
    assert await routers.redis.xlen("jobs") == 0
    first = await routers.redis.xrange(store.layout.partitions[0].stream)
    assert len(first) == 5
    assert key


async def test_it_lives_through_the_loss_of_its_stream(routers: Routers):
    store = routers.store()
    running = asyncio.create_task(routers.router(store, "a").run())
    await routers.produce(12)
    await eventually(routers.is_empty, what="the entries to be moved")
    await routers.redis.flushall()
    payloads = await routers.produce(24)

    async def moved() -> bool:
        return sum(map(len, await routers.moved(store))) == 24

    await eventually(moved, what="the entries after the loss to be moved")
    routers.stopping.set()
    await running
    await routers.expect(store, payloads)
