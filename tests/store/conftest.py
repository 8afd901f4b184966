"""The store's parts on the real server."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import RedisSettings, SecretUrl
from sploot_clusterd.engine import slots
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import AlbumStore, Clients, Entry, Keys, ProfileStore, Stream, ViewStore

GROUP = "workers"
MOST_SAMPLED = 6


@pytest.fixture
def keys() -> Keys:
    return Keys("ns", "jobs", "jobs:dead")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def clients(redis: Redis, redis_url: str) -> AsyncIterator[Clients]:
    clients = Clients(RedisSettings(url=SecretUrl(redis_url)))
    yield clients
    await clients.close()


@pytest.fixture
async def stream(clients: Clients, keys: Keys, metrics: Metrics) -> Stream:
    stream = Stream(
        clients,
        keys,
        metrics,
        group=GROUP,
        retry_idle_ms=60_000,
        max_attempts=3,
        most_letters=5,
        approximate_trim=False,
    )
    await stream.ensure_group()
    return stream


@pytest.fixture
def albums(clients: Clients, keys: Keys, metrics: Metrics) -> AlbumStore:
    return AlbumStore(
        clients,
        keys,
        metrics,
        group=GROUP,
        view_seconds=100,
        album_seconds=None,
        most_sampled=MOST_SAMPLED,
        retry_reads=True,
    )


@pytest.fixture
def profiles(clients: Clients, keys: Keys, metrics: Metrics) -> ProfileStore:
    return ProfileStore(clients, keys, metrics, most_sampled=MOST_SAMPLED, retry_reads=True)


@pytest.fixture
def views(clients: Clients, keys: Keys, metrics: Metrics) -> ViewStore:
    return ViewStore(clients, keys, metrics, Health(10.0), maxlen=3, group=GROUP, slots=slots, retry_reads=True)


@pytest.fixture
def roomy(clients: Clients, keys: Keys, metrics: Metrics) -> ViewStore:
    """With a stream that is not soon full."""
    return ViewStore(clients, keys, metrics, Health(10.0), maxlen=1000, group=GROUP, slots=slots, retry_reads=True)


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
