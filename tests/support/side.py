"""One process's ingest side with the real engine, on the real server; only the loops around it are the tests' own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import msgspec
from redis.asyncio import Redis

from sploot_clusterd.config import FeedSettings, ProfilesSettings, Settings
from sploot_clusterd.due import DueEntries
from sploot_clusterd.engine import Params
from sploot_clusterd.halt import Halt
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.ingest import POOL_THREADS, Compute, Ingest
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.consumer import Consumer, consumer_names
from sploot_clusterd.ingest.learning import ProfileLearner
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.spans import OFF, Tracer
from sploot_clusterd.store import ClaimKind, Entry, ProfileStore, Retry, Store, Stream
from sploot_clusterd.troubles import Troubles
from tests.support import stores
from tests.support.producer import count_pending, read_new


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
    names: list[str]
    """Of its consumers."""

    def consumers(self) -> list[Consumer]:
        """Their loops."""
        return [self.ingest.consumer(f"consumer-{slot}", name) for slot, name in enumerate(self.names)]

    async def add(self, pet: str = "pet", **job: object) -> bytes:
        payload = job.pop("payload", {"image_ids": ["img"]})
        return await self.raw(msgspec.json.encode({"pet_id": pet, "payload": payload, **job}))

    async def raw(self, payload: bytes, **fields: object) -> bytes:
        return await self.redis.xadd("jobs", {"payload": payload, **fields})

    async def read(self, consumer: str = "me", count: int = 100) -> list[Entry]:
        return await read_new(self.redis, consumer, count)

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
        return await count_pending(self.redis)

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"media_cluster_{name}", labels) or 0.0


def image(name: str, *vector: float) -> dict:
    return {"images": [{"image_id": name, "embedding": list(vector) or [1.0, 0.0]}]}


@asynccontextmanager
async def opened_side(
    url: str,
    params: Params,
    *,
    moves_per_second: float = 5.0,
    health: Health | None = None,
    feeds: bool = False,
    tracer: Tracer = OFF,
    instance: int = 0,
) -> AsyncIterator[Side]:
    """A side over the Redis at the URL. `instance` is part of its consumers' names."""
    settings, metrics, stopping = _settings(url, moves_per_second), Metrics(), asyncio.Event()
    settings = replace(settings, service=replace(settings.service, instance=instance))
    settings = replace(settings, feed=FeedSettings(enabled=feeds))
    health = health or Health(60.0)
    store, redis = Store.open(settings, metrics), Redis.from_url(url, protocol=2)
    await store.partitions[0].stream.ensure_group()
    with ThreadPoolExecutor(POOL_THREADS) as pool:
        ingest = Ingest(
            settings=settings,
            params=params,
            store=store,
            due=[DueEntries()],
            compute=Compute(pool, InFlight()),
            metrics=metrics,
            health=health,
            pauses=Pauses(1, health, metrics),
            halt=Halt(health, metrics),
            stopping=stopping,
            tracer=tracer,
            troubles=Troubles(),
        )
        *names, _ = consumer_names(settings)
        yield _side(
            ingest=ingest, store=store, redis=redis, health=health, metrics=metrics, stopping=stopping, names=names
        )
        stopping.set()
        await ingest.lanes[0].processor.drained()
        await store.close()
        await redis.aclose()


def _settings(url: str, moves_per_second: float) -> Settings:
    settings = stores.settings(url)
    stream = replace(settings.stream, maxlen=1000, approximate_trim=True, read_count=8, read_timeout_ms=60_000)
    return replace(settings, stream=stream, profiles=ProfilesSettings(moves_per_second=moves_per_second))


def _side(
    *,
    ingest: Ingest,
    store: Store,
    redis: Redis,
    health: Health,
    metrics: Metrics,
    stopping: asyncio.Event,
    names: list[str],
) -> Side:
    assert ingest.learner is not None
    return Side(
        redis=redis,
        ingest=ingest,
        store=store,
        keys=store.gateway.keys,
        stream=store.partitions[0].stream,
        processor=ingest.lanes[0].processor,
        profiles=store.profiles,
        registry=ingest.profiles,
        learner=ingest.learner,
        cache=ingest.cache,
        leases=ingest.leases,
        brake=ingest.brake,
        due=ingest.lanes[0].due,
        health=health,
        metrics=metrics,
        stopping=stopping,
        names=names,
    )
