"""The ingest side with the real engine, on the real server; only the loops around it are the tests' own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import (
    ClustersSettings,
    ProfilesSettings,
    RedisSettings,
    SecretUrl,
    Settings,
    StreamSettings,
)
from sploot_clusterd.due import DueEntries
from sploot_clusterd.engine import Params
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.ingest import Compute, Ingest
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.learning import ProfileLearner
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import ClaimKind, Entry, Keys, ProfileStore, Retry, Store, Stream

GROUP = "workers"
MAX_ATTEMPTS = 3


@dataclass
class Side:
    """One process's ingest side."""

    redis: Redis
    ingest: Ingest
    store: Store
    keys: Keys
    stream: Stream
    processor: Processor
    profiles: ProfileStore
    registry: ProfileRegistry
    learner: ProfileLearner
    cache: AlbumCache
    leases: Leases
    brake: Brake
    due: DueEntries
    health: Health
    metrics: Metrics
    stopping: asyncio.Event

    async def add(self, pet: str = "pet", **job: object) -> bytes:
        payload = job.pop("payload", {"image_ids": ["img"]})
        return await self.raw(msgspec.json.encode({"pet_id": pet, "payload": payload, **job}))

    async def raw(self, payload: bytes, **fields: object) -> bytes:
        return await self.redis.xadd("jobs", {"payload": payload, **fields})

    async def read(self, consumer: str = "me", count: int = 100) -> list[Entry]:
        reply = await self.redis.xreadgroup(GROUP, consumer, {"jobs": ">"}, count=count)
        return [Entry(EntryId.parse(key.decode()), fields) for key, fields in (reply[0][1] if reply else ())]

    async def run(self, consumer: str = "me") -> None:
        """One batch of whatever is new."""
        await self.process(await self.read(consumer), consumer)

    async def fail_once(self, consumer: str = "me") -> None:
        """As if a run of whatever is new had failed for a reason that may pass: younger jobs do not wait for it."""
        retries = [Retry(entry.key, 1, 0) for entry in await self.read(consumer)]
        await self.stream.retry(consumer, retries)

    async def run_due(self, consumer: str = "me") -> None:
        """Whatever is to be tried again now."""
        async for entries in self.stream.claim(consumer, ClaimKind.DUE):
            await self.process(entries, consumer)

    async def process(self, entries: Sequence[Entry], consumer: str = "me") -> None:
        await self.processor.run(Batch(consumer, entries, progress=lambda: None))

    async def view(self, pet: str = "pet") -> dict:
        raw = await self.redis.get(self.keys.view(pet))
        assert raw is not None
        return msgspec.json.decode(raw)

    async def letters(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in await self.redis.xrange(self.keys.dead_letters)]

    async def pending(self) -> int:
        return (await self.redis.xpending("jobs", GROUP))["pending"]

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"media_cluster_{name}", labels) or 0.0


def image(name: str, *vector: float) -> dict:
    return {"images": [{"image_id": name, "embedding": list(vector) or [1.0, 0.0]}]}


class Resources(NamedTuple):
    """What a side has to give back at its end."""

    store: Store
    metrics: Metrics
    pool: ThreadPoolExecutor
    own: Redis
    """A connection for the test itself."""
    stopping: asyncio.Event
    processors: list[Processor]


@pytest.fixture
async def new_side(redis: Redis, redis_url: str) -> AsyncIterator:
    """Makes ingest sides; two of them are two processes. `url` leads to a Redis of the test's own."""
    made: list[Resources] = []

    async def new(
        params: Params = Params(),  # noqa: B008 - immutable
        url: str = redis_url,
        moves_per_second: float = 5.0,
        health: Health | None = None,
    ) -> Side:
        settings, metrics = _settings(url, moves_per_second), Metrics()
        store = Store.open(settings, metrics)
        made.append(
            Resources(store, metrics, ThreadPoolExecutor(1), Redis.from_url(url, protocol=2), asyncio.Event(), [])
        )
        return await _side(made[-1], params, settings, health or Health(60.0))

    yield new
    for resources in made:
        resources.stopping.set()
        await resources.processors[0].drained()
        await resources.store.close()
        await resources.own.aclose()
        resources.pool.shutdown()


def _settings(url: str, moves_per_second: float) -> Settings:
    return Settings(
        redis=RedisSettings(url=SecretUrl(url)),
        clusters=ClustersSettings(namespace="ns", ttl_seconds=100),
        profiles=ProfilesSettings(moves_per_second=moves_per_second),
        stream=StreamSettings(
            key="jobs",
            dead_letter="jobs:dead",
            group=GROUP,
            retry_idle_ms=60_000,
            max_attempts=MAX_ATTEMPTS,
            maxlen=1000,
            read_count=8,
            read_timeout_ms=60_000,
        ),
    )


async def _side(resources: Resources, params: Params, settings: Settings, health: Health) -> Side:
    store, metrics = resources.store, resources.metrics
    await store.stream.ensure_group()
    stopping = resources.stopping
    ingest = Ingest(
        settings=settings,
        params=params,
        store=store,
        due=DueEntries(),
        compute=Compute(resources.pool, InFlight()),
        metrics=metrics,
        health=health,
        stopping=stopping,
    )
    assert ingest.learner is not None
    resources.processors.append(ingest.processor)
    return Side(
        redis=resources.own,
        ingest=ingest,
        store=store,
        keys=store.gateway.keys,
        stream=store.stream,
        processor=ingest.processor,
        profiles=store.profiles,
        registry=ingest.profiles,
        learner=ingest.learner,
        cache=ingest.cache,
        leases=ingest.leases,
        brake=ingest.brake,
        due=ingest.due,
        health=health,
        metrics=metrics,
        stopping=stopping,
    )


@pytest.fixture
async def side(new_side) -> Side:
    return await new_side()
