"""A process as far as it has to do with history, and what it commits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
from redis.asyncio import Redis

from sploot_clusterd.changes import Change
from sploot_clusterd.config import FeedSettings, HistorySettings, Settings
from sploot_clusterd.health import Health
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.history import History
from sploot_clusterd.history.schema import pet_latest
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Commit, Committed, Store
from tests.history.written import rows
from tests.support.stores import GROUP, settings


def configured(redis_url: str, history: HistorySettings, partitions: int = 1) -> Settings:
    given = settings(redis_url)
    return replace(
        given,
        stream=replace(given.stream, partitions=partitions, maxlen=400),
        history=history,
        feed=FeedSettings(enabled=True),
    )


class Process:
    """What a daemon has of history."""

    def __init__(self, given: Settings) -> None:
        self.metrics, self.health, self.stopping = Metrics(), Health(60.0), asyncio.Event()
        self.store = Store.open(given, self.metrics)
        self._history = History(given.history, metrics=self.metrics, health=self.health, stopping=self.stopping)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Process"]:
        await self.store.look()
        loops = [asyncio.ensure_future(run()) for _, run in self._history.root_tasks(self.store)]
        try:
            yield self
        finally:
            self.stopping.set()
            await asyncio.gather(*loops)
            self._history.close()
            await self.store.close()

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"media_cluster_history_{name}", labels) or 0.0


async def commit(store: Store, redis: Redis, pet: str) -> str:
    """A new album of the pet; its token."""
    partition = store.of(pet)
    await partition.stream.ensure_group()
    await redis.xadd(partition.keys.stream, {"payload": "{}"})
    ((_, ((entry, _),)),) = await redis.xreadgroup(GROUP, "me", {partition.keys.stream: ">"})
    change = msgspec.json.encode(Change(1, ["job"], 0, 0, 0))
    view = b'{"clusters":[],"unclustered":[],"metrics":{}}'
    asked = Commit(pet, [entry], b"", None, 1, {b"head": b"h"}, view=view, change=change)
    (done,) = await partition.albums.commit("me", [asked])
    assert isinstance(done, Committed)
    return done.token.decode()


def written(database: Database) -> dict[str, str]:
    return {row.pet_id: row.token for row in rows(database, pet_latest)}
