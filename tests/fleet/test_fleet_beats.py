"""Heartbeats over a real Redis: told, seen, forgotten; and what is no heartbeat."""

import asyncio

from redis.asyncio import Redis

from sploot_clusterd.config import Settings
from sploot_clusterd.fleet.heartbeat import Heartbeat
from sploot_clusterd.fleet.history import Process
from sploot_clusterd.fleet.watcher import FleetWatcher
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.troubles import Troubles
from tests.support.stores import opened
from tests.support.waiting import eventually

KEY = "ns:fleet"


async def processes(watcher: FleetWatcher) -> list[Process]:
    """What somebody who begins to follow is told."""
    told = await anext(watcher.follow())
    assert told.whole
    return told.processes


async def test_who_follows_is_told_of_each_look_until_the_end(redis: Redis, redis_url: str):
    async with opened(redis_url) as store:
        stopping = asyncio.Event()
        watcher = FleetWatcher(store.beats, Metrics(), stopping)
        told: list[bool] = []

        async def follow() -> None:
            nonlocal told
            async for each in watcher.follow():
                told += [each.whole]

        following = [asyncio.create_task(follow()) for _ in range(2)]
        await eventually(lambda: len(told) == 2, what="both to be told at once")
        looks = asyncio.create_task(watcher.run())
        await eventually(lambda: len(told) >= 4, what="both to be told of a look")
        stopping.set()
        await asyncio.gather(looks, *following)


async def test_a_process_is_seen_while_it_lives_and_gone_when_it_leaves(redis: Redis, redis_url: str):
    async with opened(redis_url) as store:
        metrics, health, stopping = Metrics(), Health(60), asyncio.Event()
        health.set_fault("x", "a reason")
        metrics.jobs_processed.labels("success").inc(3)
        watcher = FleetWatcher(store.beats, metrics, asyncio.Event())
        heart = asyncio.create_task(
            Heartbeat(store.beats, Settings(), metrics, health, stopping, troubles=Troubles()).run()
        )

        async def seen() -> bool:
            await watcher.look()
            return bool(await processes(watcher))

        await eventually(seen, what="the process to be seen")
        (process,) = await processes(watcher)
        assert (process.reasons, process.warnings, process.consumers) == (["a reason"], [], Settings().stream.consumers)
        assert 0 < await redis.ttl(KEY) <= 60

        stopping.set()
        await heart
        assert await redis.hgetall(KEY) == {}
        await watcher.look()
        assert await processes(watcher) == []


async def test_what_is_silent_or_no_heartbeat_is_forgotten(redis: Redis, redis_url: str):
    async with opened(redis_url) as store:
        metrics, stopping = Metrics(), asyncio.Event()
        watcher = FleetWatcher(store.beats, metrics, asyncio.Event())
        heart = asyncio.create_task(
            Heartbeat(store.beats, Settings(), metrics, Health(60), stopping, troubles=Troubles()).run()
        )
        await eventually(lambda: redis.hlen(KEY), what="a heartbeat")
        (told,) = (await redis.hgetall(KEY)).values()
        at = told.split(b'"at":')[1].split(b",")[0]
        await redis.hset(KEY, mapping={"old-0": told.replace(at, b"5.0"), "odd-0": b"{", b"\xff": b"[]"})
        await watcher.look()
        assert len(await processes(watcher)) == 1
        assert await redis.hlen(KEY) <= 2, "all but a name that is no UTF-8"
        stopping.set()
        await heart


async def test_another_type_under_the_key_ends_nothing(redis: Redis, redis_url: str):
    await redis.set(KEY, "x")
    async with opened(redis_url) as store:
        stopping = asyncio.Event()
        heartbeat = Heartbeat(store.beats, Settings(), Metrics(), Health(60), stopping, troubles=Troubles())
        heart = asyncio.create_task(heartbeat.run())
        watcher = FleetWatcher(store.beats, Metrics(), stopping)
        looks = asyncio.create_task(watcher.run())
        await asyncio.sleep(0.1)
        stopping.set()
        await asyncio.gather(heart, looks)
        assert [each async for each in watcher.follow()] == []
