"""The ingest side with the real engine, on the real server; only the loops around it are the tests' own."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import ClustersSettings, LimitsSettings, RedisSettings, SecretUrl, Settings, StreamSettings
from sploot_clusterd.due import Due
from sploot_clusterd.engine import Params
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.book import Book
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.compute import Compute
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.outcomes import Outcomes
from sploot_clusterd.ingest.plan import Planner
from sploot_clusterd.ingest.process import Processor
from sploot_clusterd.ingest.profiles import ProfileKeeper
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import Entry, Keys, ProfileStore, Store, Stream
from sploot_clusterd.traffic import Traffic

GROUP = "workers"
MAX_ATTEMPTS = 3


@dataclass
class Side:
    """One process's ingest side."""

    redis: Redis
    store: Store
    keys: Keys
    stream: Stream
    processor: Processor
    profiles: ProfileStore
    book: Book
    keeper: ProfileKeeper
    cache: AlbumCache
    leases: Leases
    brake: Brake
    due: Due
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
        await self.processor.run(consumer, await self.read(consumer))

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


@pytest.fixture
async def new_side(redis: Redis, redis_url: str) -> AsyncIterator:
    """Makes ingest sides; two of them are two processes. `url` leads to a Redis of the test's own."""
    made: list[Resources] = []

    async def new(
        params: Params = Params(),  # noqa: B008 - immutable
        url: str = redis_url,
        moves_per_second: float = 5.0,
    ) -> Side:
        metrics = Metrics()
        store = Store.open(_settings(url), metrics)
        made.append(Resources(store, metrics, ThreadPoolExecutor(1), Redis.from_url(url, protocol=2)))
        return await _side(made[-1], params, moves_per_second)

    yield new
    for resources in made:
        await resources.store.close()
        await resources.own.aclose()
        resources.pool.shutdown()


def _settings(url: str) -> Settings:
    return Settings(
        redis=RedisSettings(url=SecretUrl(url)),
        clusters=ClustersSettings(namespace="ns", ttl_seconds=100),
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


async def _side(resources: Resources, params: Params, moves_per_second: float) -> Side:
    metrics, health, stopping, due = resources.metrics, Health(60.0), asyncio.Event(), Due()
    store = resources.store
    await store.stream.ensure_group()
    cache, brake = AlbumCache(2**20, metrics), Brake(health)
    leases = Leases(store.stream, health, stopping, 60_000)
    book = Book(store.profiles, sampling=True, moves_per_second=moves_per_second)
    compute = Compute(resources.pool, Traffic())
    keeper = ProfileKeeper(book, metrics, health, stopping)
    processor = Processor(
        stream=store.stream,
        albums=store.albums,
        planner=Planner(params, book),
        book=book,
        cache=cache,
        leases=leases,
        outcomes=Outcomes(store.stream, brake, due, metrics, MAX_ATTEMPTS),
        brake=brake,
        compute=compute,
        health=health,
        limits=LimitsSettings(),
        metrics=metrics,
    )
    return Side(
        resources.own,
        store,
        store.gateway.keys,
        store.stream,
        processor,
        store.profiles,
        book,
        keeper,
        cache,
        leases,
        brake,
        due,
        health,
        metrics,
        stopping,
    )


@pytest.fixture
async def side(new_side) -> Side:
    return await new_side()
