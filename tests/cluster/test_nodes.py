"""What is looked at on every node, what a user may on each, and what a shard without a node takes from others."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from sploot_clusterd.errors import StartError, StoreUnavailableError
from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store
from tests.cluster.contract import COUNT, opened, pet_of
from tests.docs.pages import ROOT, only_block
from tests.faults.fleet import TOKEN, Daemon
from tests.support.cluster import Cluster
from tests.support.stores import settings
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster
LAYOUT = Layout("sploot.media.clusters", "streams:media.cluster", "streams:media.cluster.deadletter", COUNT)
OPERATIONS = ROOT / "docs/operations.md"


@asynccontextmanager
async def a_shard_gone(cluster: Cluster, layout: Layout, *, knows: bool = False) -> AsyncIterator[list[int]]:
    """A primary and its replica, and which partitions they have; `knows`: those that know how many there are."""
    knowing = await cluster.primary_of(layout.plain.partitions)
    primary = next(node for node in await cluster.primaries() if (node is knowing) == knows)
    replica = await cluster.replica_of(primary)
    lost = [n for n, keys in enumerate(layout.partitions) if await cluster.primary_of(keys.stream) is primary]
    assert 1 < len(lost) < COUNT
    replica.kill()
    primary.kill()
    try:
        yield lost
    finally:
        for node in (primary, replica):
            node.start()
            node.connect()
        await cluster.formed()


@asynccontextmanager
async def opened_without_groups(cluster: Cluster) -> AsyncIterator[Store]:
    """Another process's store, which makes nothing where it may not be there."""
    given = settings(cluster.url, cluster=True)
    store = Store.open(replace(given, stream=replace(given.stream, partitions=COUNT)), Metrics())
    yield store
    await store.close()


@pytest.mark.parametrize("which", ["primary", "replica"])
async def test_one_node_that_may_delete_jobs_is_no_start(cluster: Cluster, which: str):
    """E26."""
    primary = (await cluster.primaries())[1]
    node = primary if which == "primary" else await cluster.replica_of(primary)
    await node.ask("CONFIG SET", "maxmemory-policy", "allkeys-lru")
    try:
        async with opened(cluster.url, cluster=True) as store:
            with pytest.raises(StartError, match=rf"redis node {node.address}: redis may delete jobs"):
                await store.look()
    finally:
        await node.ask("CONFIG SET", "maxmemory-policy", "noeviction")
    async with opened(cluster.url, cluster=True) as store:
        assert not [finding for finding in await store.look() if finding.fatal]


async def test_the_documented_rights_are_enough_and_no_more_are_used(cluster: Cluster, tmp_path: Path):
    """E24."""
    for block in ("acl", "acl of partitions", "acl of clusters"):
        for node in cluster.nodes:
            await node.ask(*only_block(OPERATIONS, block).text.split())
            await node.ask("ACL LOG", "RESET")
    env = {"REDIS_USERNAME": "clusterd", "REDIS_PASSWORD": "the-password", "CLUSTER_PARTITIONS": str(COUNT)}
    daemon = Daemon(tmp_path, cluster.url, 0, ROOT, {**cluster.env, **env})
    pets = [next(pet for n in range(1000) if LAYOUT.number(pet := f"pet_{n}") == number) for number in range(COUNT)]
    try:
        await daemon.start()
        async with aiohttp.ClientSession(daemon.url, headers={"X-Internal-Token": TOKEN}) as http:

            async def seen(pet: str) -> bool:
                return (await http.get(f"/internal/pets/{pet}/clusters")).status == 200

            for pet in pets:
                job = {"pet_id": pet, "payload": {"images": [{"image_id": "a", "embedding": [1, 2]}]}}
                assert (await http.post("/internal/cluster-jobs", json=job)).status == 202
            for pet in pets:
                await eventually(lambda pet=pet: seen(pet), what=f"the job of {pet} to be applied")
            assert (await http.delete(f"/internal/pets/{pets[0]}")).status == 200
            assert (await http.get("/internal/health/redis")).status == 200
        assert daemon.stop() == 0
        assert [await node.ask("ACL LOG") for node in cluster.nodes] == [[]] * len(cluster.nodes)
    finally:
        daemon.kill()
        for node in cluster.nodes:
            await node.ask("ACL DELUSER", "clusterd")


async def test_a_shard_without_a_node_takes_nothing_from_the_others(cluster: Cluster):
    """E16, E35: also from a process that starts meanwhile."""
    async with opened(cluster.url, cluster=True) as store:
        await store.look()
        async with a_shard_gone(cluster, store.layout) as lost, opened_without_groups(cluster) as other:
            assert any("does not answer" in finding.text for finding in await other.look())
            for one in (store, other):
                figures = await one.stats()
                away = [n for n, stats in enumerate(figures) if isinstance(stats, StoreUnavailableError)]
                assert away == lost
                pets = [pet_of(one, n) for n in range(COUNT)]
                views = await asyncio.gather(*map(one.views.view, pets), return_exceptions=True)
                refused = [n for n, view in enumerate(views) if isinstance(view, StoreUnavailableError)]
                assert (refused, views.count(None)) == (lost, COUNT - len(lost))
                outcomes = await one.views.submit_all([(pet, b"p") for pet in pets])
                away = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, StoreUnavailableError)]
                assert away == lost


@pytest.mark.parametrize("knows", [False, True], ids=["any", "the-one-with-the-number"])
async def test_probes_and_metrics_name_the_partitions_that_pause(cluster: Cluster, tmp_path: Path, knows: bool):
    """E16: and the daemon is ready for the others, also where it is not told how many partitions there are."""
    daemon = Daemon(tmp_path, cluster.url, 0, ROOT, {**cluster.env, "CLUSTER_PARTITIONS": str(COUNT)})
    try:
        await daemon.start()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{daemon.ports['metrics']}") as ops:

            async def told() -> list[str]:
                answer = await ops.get("/readyz")
                warnings: list[str] = (await answer.json())["warnings"]
                return [text for text in warnings if "pause" in text] if answer.status == 200 else ["not ready"]

            async def named(numbers: list[int]) -> bool:
                return " and ".join(await told()).startswith(f"partitions {', '.join(map(str, numbers))} pause: ")

            async def goes_on() -> bool:
                return await told() == []

            async def owns_all() -> bool:
                return f"media_cluster_partitions_owned {COUNT}.0" in await (await ops.get("/metrics")).text()

            await eventually(goes_on, what="the daemon to be ready")
            await eventually(owns_all, what="all partitions to be taken")
            async with a_shard_gone(cluster, LAYOUT, knows=knows) as lost:
                await eventually(lambda: named(lost), what=f"{lost} to be named", timeout=20)
                text = await (await ops.get("/metrics")).text()
                paused = re.findall(r'^media_cluster_partition_paused\{partition="(\d+)"\} 1', text, re.MULTILINE)
                assert sorted(map(int, paused)) == lost
                assert await owns_all(), "nothing is given up"
            await eventually(goes_on, what="all to go on", timeout=30)
        assert daemon.stop() == 0
    finally:
        daemon.kill()
