"""Stores over a Redis of the tests: their stream is `jobs`, their namespace `ns`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sploot_clusterd.config import ClustersSettings, RedisSettings, SecretUrl, Settings, StreamSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store

GROUP = "workers"
MAX_ATTEMPTS = 3
MOST_SAMPLED = 6


def settings(url: str, **redis: object) -> Settings:
    """For the Redis at the URL; keywords change the settings of its connections."""
    return Settings(
        redis=replace(RedisSettings(), url=SecretUrl(url), **redis),
        clusters=ClustersSettings(namespace="ns", ttl_seconds=100),
        stream=StreamSettings(
            key="jobs",
            dead_letter="jobs:dead",
            group=GROUP,
            retry_idle_ms=60_000,
            max_attempts=MAX_ATTEMPTS,
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
