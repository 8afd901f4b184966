"""The ingest side with the real engine, on the real server; only the loops around it are the tests' own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import LimitsSettings, RedisSettings, SecretUrl
from sploot_clusterd.engine import SAMPLE_LIMIT, Params
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.ingest.batch import Batch, Decoder
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.isolation import LoneRuns
from sploot_clusterd.ingest.learning import ProfileLearner
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.planner import Planner
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.ingest.scheduling import Compute
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import AlbumStore, Clients, Entry, Keys, ProfileStore, Stream

GROUP = "workers"
MAX_ATTEMPTS = 3


@dataclass
class Side:
    """One process's ingest side."""

    redis: Redis
    keys: Keys
    clients: Clients
    stream: Stream
    processor: Processor
    profiles: ProfileStore
    registry: ProfileRegistry
    learner: ProfileLearner
    cache: AlbumCache
    leases: Leases
    brake: Brake
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

    clients: Clients
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
        clients = Clients(RedisSettings(url=SecretUrl(url)))
        made.append(Resources(clients, ThreadPoolExecutor(1), Redis.from_url(url, protocol=2)))
        return await _side(made[-1], params, moves_per_second)

    yield new
    for clients, pool, own in made:
        await clients.close()
        await own.aclose()
        pool.shutdown()


async def _side(resources: Resources, params: Params, moves_per_second: float) -> Side:
    clients, pool, own = resources
    metrics, health, stopping = Metrics(), Health(60.0), asyncio.Event()
    keys = Keys("ns", "jobs", "jobs:dead")
    stream = Stream(
        clients,
        keys,
        metrics,
        group=GROUP,
        retry_idle_ms=60_000,
        max_attempts=MAX_ATTEMPTS,
        most_letters=1000,
        approximate_trim=True,
    )
    await stream.ensure_group()
    albums = AlbumStore(
        clients,
        keys,
        metrics,
        group=GROUP,
        view_seconds=100,
        album_seconds=None,
        most_sampled=SAMPLE_LIMIT,
        retry_reads=True,
    )
    cache, brake = AlbumCache(2**20, metrics), Brake(health)
    leases = Leases(stream, health, stopping, 60_000)
    profiles = ProfileStore(clients, keys, metrics, most_sampled=SAMPLE_LIMIT, retry_reads=True)
    registry = ProfileRegistry(profiles, sampling=True, moves_per_second=moves_per_second)
    compute = Compute(pool, InFlight())
    learner = ProfileLearner(registry, metrics, health, stopping)
    processor = Processor(
        albums=albums,
        decoder=Decoder(compute, LimitsSettings()),
        planner=Planner(params, registry),
        profiles=registry,
        cache=cache,
        leases=leases,
        lone_runs=LoneRuns(stream),
        results=Results(stream, brake, compute, metrics, MAX_ATTEMPTS),
        compute=compute,
        metrics=metrics,
    )
    return Side(
        own,
        keys,
        clients,
        stream,
        processor,
        profiles,
        registry,
        learner,
        cache,
        leases,
        brake,
        health,
        metrics,
        stopping,
    )


@pytest.fixture
async def side(new_side) -> Side:
    return await new_side()
