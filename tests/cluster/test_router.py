"""Entries on their way to partitions on other nodes: once each, in order, whichever command the router dies at."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster_client import ClusterClient
from tests.support.routers import Routers

pytestmark = pytest.mark.cluster

COUNT = 8
ENTRIES = 4000


@pytest.fixture
async def routers(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Routers]:
    monkeypatch.setattr("sploot_clusterd.store.plain._BLOCK_MS", 10)
    monkeypatch.setattr("sploot_clusterd.ingest.router._EVERY", 0.01)
    async with AsyncExitStack() as stack:
        yield Routers(ClusterClient(cluster), cluster.url, stack, partitions=COUNT, cluster=True)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_router_that_dies_at_any_of_its_commands_loses_and_repeats_nothing(
    routers: Routers, monkeypatch: pytest.MonkeyPatch, before: bool
):
    payloads = await routers.produce(ENTRIES)
    assert await routers.die_at_each_command(monkeypatch, before=before, room=ENTRIES) >= 10
    await routers.expect(routers.store(ENTRIES), payloads)
