"""A store that keeps a change feed."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import FeedSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Feed, Store
from tests.support.feeds import MOST_BYTES, Writer
from tests.support.producer import Producer
from tests.support.stores import settings


@pytest.fixture
async def store(redis: Redis, redis_url: str, metrics: Metrics) -> AsyncIterator[Store]:
    store = Store.open(replace(settings(redis_url), feed=FeedSettings(enabled=True, bytes=MOST_BYTES)), metrics)
    await store.partitions[0].stream.ensure_group()
    yield store
    await store.close()


@pytest.fixture
def feed(store: Store) -> Feed:
    assert store.feed is not None
    return store.feed


@pytest.fixture
def write(store: Store, producer: Producer) -> Writer:
    return Writer(store, producer)
