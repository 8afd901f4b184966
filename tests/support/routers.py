"""Processes that may be the router of the plain stream `jobs`, and that die."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from sploot_clusterd.health import Health
from sploot_clusterd.ingest.router import Router
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.store import Store
from sploot_clusterd.store.connection import Connection
from tests.support.deaths import DiedError, dies_at
from tests.support.stores import settings

PETS = [f"pet-{n}" for n in range(12)]
ROOM = 1000


class Routers:
    """Over one Redis, or a cluster (`cluster`), with so many partitions."""

    def __init__(
        self, redis: Redis, url: str, stack: AsyncExitStack, *, partitions: int, cluster: bool = False
    ) -> None:
        self.redis = redis
        self._settings = settings(url, **({"cluster": True} if cluster else {}))
        self._partitions = partitions
        self._stack = stack
        self.stopping = asyncio.Event()

    def store(self, room: int = ROOM) -> Store:
        """Another process's, whose partitions have that room each."""
        stream = replace(self._settings.stream, partitions=self._partitions, maxlen=room * self._partitions)
        store = Store.open(replace(self._settings, stream=stream), Metrics())
        store.layout.follow(Placing(self._partitions))
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
        """Adds them, pet by pet in turn; their payloads."""
        payloads = [b'{"pet_id": "%s", "n": %d}' % (PETS[n % len(PETS)].encode(), n) for n in range(jobs)]
        for payload in payloads:
            await self.redis.xadd("jobs", {"payload": payload})
        return payloads

    async def moved(self, store: Store) -> list[list[bytes]]:
        entries = [await self.redis.xrange(keys.stream) for keys in store.layout.partitions]
        return [[fields[b"payload"] for _, fields in each] for each in entries]

    async def expect(self, store: Store, payloads: list[bytes]) -> None:
        """Each is in its partition once, in order, and nothing else is."""
        wanted: list[list[bytes]] = [[] for _ in range(self._partitions)]
        for n, payload in enumerate(payloads):
            wanted[store.layout.number(PETS[n % len(PETS)])].append(payload)
        assert await self.moved(store) == wanted
        assert await self.redis.xlen("jobs") == 0

    async def is_empty(self) -> bool:
        return not await self.redis.xlen("jobs")

    async def forget_lease(self, store: Store) -> None:
        """As time does."""
        await self.redis.delete(store.layout.several[0].router)

    async def die_at_each_command(self, monkeypatch: Any, *, before: bool, room: int = ROOM) -> int:
        """One process after the other moves entries, and dies at its first exchange with Redis, its second and so on,
        until all are moved; how many died.
        """
        deaths = 0
        while not await self.is_empty():
            store = self.store(room)
            with monkeypatch.context() as patched:
                patched.setattr(Connection, "exchange", dies_at(Connection.exchange, deaths + 1, before=before))
                try:
                    await until(self.is_empty, self.router(store, f"router-{deaths}"))
                except DiedError:
                    deaths += 1
            await self.forget_lease(store)
        return deaths


async def until(done: Callable[[], Awaitable[bool]], *routers: Router) -> None:
    """The routers work in turn."""
    async with asyncio.timeout(60):
        while not await done():
            for router in routers:
                await router.step()
