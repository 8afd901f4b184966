"""The contract of eight partitions, on one server and on a Redis Cluster."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sploot_clusterd.store import Store
from tests.cluster.contract import COUNT, OfDaemons, OfTheStore, opened
from tests.faults.clusters import fleet_on
from tests.faults.fleet import Fleet
from tests.support.cluster import Cluster
from tests.support.cluster_client import ClusterClient


class TestStoreOnOneServer(OfTheStore):
    @pytest.fixture
    def client(self, redis: Redis) -> Redis:
        return redis

    @pytest.fixture
    async def store(self, client: Redis, redis_url: str) -> AsyncIterator[Store]:
        del client  # that it is empty
        async with opened(redis_url) as store:
            yield store


@pytest.mark.cluster
class TestStoreOnACluster(OfTheStore):
    @pytest.fixture
    def client(self, cluster: Cluster) -> Redis:
        return ClusterClient(cluster)

    @pytest.fixture
    async def store(self, cluster: Cluster) -> AsyncIterator[Store]:
        async with opened(cluster.url, cluster=True) as store:
            yield store


class TestDaemonsOnOneServer(OfDaemons):
    @pytest.fixture
    async def fleet(self) -> AsyncIterator[Fleet]:
        with tempfile.TemporaryDirectory(prefix="contract-") as directory:
            async with Fleet(Path(directory), partitions=COUNT) as fleet:
                yield fleet


@pytest.mark.cluster
class TestDaemonsOnACluster(OfDaemons):
    @pytest.fixture
    async def fleet(self, cluster: Cluster) -> AsyncIterator[Fleet]:
        with tempfile.TemporaryDirectory(prefix="contract-") as directory:
            async with fleet_on(cluster, Path(directory)) as fleet:
                yield fleet
