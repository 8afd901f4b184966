"""Entries of producers who know no partitions get to their pets' partitions: once each, in order, whoever dies."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest.router import Router
from sploot_clusterd.store import Store
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.script import Script
from sploot_clusterd.store.scripts import ROUTE
from tests.support.routers import PETS, Routers, until
from tests.support.waiting import eventually

COUNT = 4


@pytest.fixture
async def routers(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Routers]:
    monkeypatch.setattr("sploot_clusterd.store.plain._BLOCK_MS", 10)
    monkeypatch.setattr("sploot_clusterd.ingest.router._EVERY", 0.01)
    async with AsyncExitStack() as stack:
        yield Routers(redis, redis_url, stack, partitions=COUNT)


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
    assert await routers.die_at_each_command(monkeypatch, before=before) >= 4
    await routers.expect(routers.store(), payloads)


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


async def test_what_it_has_in_hand_waits_for_servers_that_are_away(routers: Routers, monkeypatch: pytest.MonkeyPatch):
    store = routers.store()
    router = routers.router(store, "a")
    payloads = await routers.produce(60)
    run_each, asked = Gateway.run_each, 0

    async def away(gateway: Gateway, script: Script, calls: Sequence[Call], **more: float) -> list[object]:
        nonlocal asked
        if script is not ROUTE:
            return await run_each(gateway, script, calls, **more)
        asked += 1
        raise StoreUnavailableError

    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "run_each", away)
        for _ in range(2):
            await router.step()
    assert asked == 2
    await until(routers.is_empty, router)
    await routers.expect(store, payloads)


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
