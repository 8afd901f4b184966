"""The store's parts on the real server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import ClustersSettings, RedisSettings, SecretUrl, Settings, StreamSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import AlbumStore, Entry, Keys, ProfileStore, Store, Stream, ViewStore
from sploot_clusterd.store.gateway import Gateway

GROUP = "workers"
MOST_SAMPLED = 6


def settings(url: str, **redis: object) -> Settings:
    return Settings(
        redis=replace(RedisSettings(), url=SecretUrl(url), **redis),
        clusters=ClustersSettings(namespace="ns", ttl_seconds=100),
        stream=StreamSettings(
            key="jobs",
            dead_letter="jobs:dead",
            group=GROUP,
            retry_idle_ms=60_000,
            max_attempts=3,
            maxlen=5,
            approximate_trim=False,
            read_count=10,
        ),
    )


@asynccontextmanager
async def opened(url: str, **redis: object) -> AsyncIterator[Store]:
    """A store at the URL; keywords change the settings of its connections."""
    store = Store.open(settings(url, **redis), Metrics())
    yield store
    await store.close()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def store(redis: Redis, redis_url: str, metrics: Metrics) -> AsyncIterator[Store]:
    store = Store.open(settings(redis_url), metrics)
    yield store
    await store.close()


@pytest.fixture
def gateway(store: Store) -> Gateway:
    return store.gateway


@pytest.fixture
def keys(gateway: Gateway) -> Keys:
    return gateway.keys


@pytest.fixture
async def stream(store: Store) -> Stream:
    await store.stream.ensure_group()
    return store.stream


@pytest.fixture
def albums(gateway: Gateway, redis_url: str) -> AlbumStore:
    return AlbumStore(gateway, settings(redis_url), most_sampled=MOST_SAMPLED)


@pytest.fixture
def profiles(gateway: Gateway) -> ProfileStore:
    return ProfileStore(gateway, most_sampled=MOST_SAMPLED)


@pytest.fixture
def views(gateway: Gateway, store: Store, metrics: Metrics) -> ViewStore:
    return ViewStore(gateway, store.stream, metrics, maxlen=3)


@pytest.fixture
def roomy(gateway: Gateway, store: Store, metrics: Metrics) -> ViewStore:
    """With a stream that is not soon full."""
    return ViewStore(gateway, store.stream, metrics, maxlen=1000)


class Producer:
    """Adds entries, and has a consumer read them."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def add(self, payload: bytes = b"{}") -> bytes:
        return await self.redis.xadd("jobs", {"payload": payload})

    async def read(self, consumer: str, count: int = 100) -> list[Entry]:
        reply = await self.redis.xreadgroup(GROUP, consumer, {"jobs": ">"}, count=count)
        return [Entry(EntryId.parse(key.decode()), fields) for key, fields in (reply[0][1] if reply else ())]

    async def pending(self) -> int:
        return (await self.redis.xpending("jobs", GROUP))["pending"]


@pytest.fixture
def producer(redis: Redis) -> Producer:
    return Producer(redis)
