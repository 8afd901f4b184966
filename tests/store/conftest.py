"""The store's parts on the real server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import AlbumStore, ProfileStore, Store, Stream, ViewStore
from sploot_clusterd.store.gateway import Gateway
from tests.support.moves import Opens
from tests.support.producer import Producer
from tests.support.stores import GROUP, MOST_SAMPLED, settings


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
    await store.partitions[0].stream.ensure_group()
    return store.partitions[0].stream


@pytest.fixture
def albums(gateway: Gateway, redis_url: str) -> AlbumStore:
    return AlbumStore(gateway, settings(redis_url), most_sampled=MOST_SAMPLED)


@pytest.fixture
def profiles(gateway: Gateway) -> ProfileStore:
    return ProfileStore(gateway, most_sampled=MOST_SAMPLED)


@pytest.fixture
def views(gateway: Gateway, store: Store, metrics: Metrics) -> ViewStore:
    return ViewStore(gateway, store.layout, GROUP, metrics, maxlen=3, follow=store.follow)


@pytest.fixture
def roomy(gateway: Gateway, store: Store, metrics: Metrics) -> ViewStore:
    """With a stream that is not soon full."""
    return ViewStore(gateway, store.layout, GROUP, metrics, maxlen=1000, follow=store.follow)


@pytest.fixture
def producer(redis: Redis) -> Producer:
    return Producer(redis)


@pytest.fixture
async def opens(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opens]:
    for name in ("_HEARD", "_LOOK_EVERY"):
        monkeypatch.setattr(f"sploot_clusterd.store.move.{name}", 0.0)
    async with AsyncExitStack() as stack:
        yield Opens(redis_url, stack)
