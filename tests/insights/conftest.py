"""A storage service in the test's own process, and the client under test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop

from sploot_clusterd.health import Health
from sploot_clusterd.insights.upstream import Upstream
from sploot_clusterd.metrics import Metrics
from tests.engine.synthetic import Fleet
from tests.insights.settings import settings_for
from tests.insights.storage_service import StorageService


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the daemon runs on."""
    return {"uvloop": uvloop.new_event_loop}


@dataclass(frozen=True)
class Client:
    """An upstream, and what it tells of itself."""

    upstream: Upstream
    metrics: Metrics
    health: Health

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"media_cluster_insights_{name}", labels) or 0.0

    def outcomes(self) -> dict[str, float]:
        """Requests by how they ended."""
        counted: dict[str, float] = {}
        for sample in next(iter(self.metrics.insights_requests.collect())).samples:
            if sample.name.endswith("_total"):
                counted[sample.labels["outcome"]] = counted.get(sample.labels["outcome"], 0.0) + sample.value
        return counted


Connect = Callable[..., Client]


@pytest.fixture
async def storage() -> AsyncIterator[StorageService]:
    """Two pets' albums."""
    async with StorageService.serving(Fleet(16).albums(2)) as service:
        yield service


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes a client of a URL; keywords change settings of `insights`."""
    clients: list[Client] = []

    def make(url: str, **insights: Any) -> Client:
        metrics, health = Metrics(), Health(stale_after=60)
        clients.append(Client(Upstream.of(settings_for(url, **insights), metrics, health), metrics, health))
        return clients[-1]

    yield make
    for client in clients:
        await client.upstream.close()


@pytest.fixture
def client(connect: Connect, storage: StorageService) -> Client:
    return connect(storage.url)
