"""The tests' own cluster does what it is told, or what runs over it would show nothing."""

import pytest

from sploot_clusterd.partitioning import slot_of, tag_of
from tests.support.cluster import Cluster, ClusterNode
from tests.support.cluster_client import ClusterClient
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster

KEY = f"{tag_of(3)}key"


async def another(cluster: Cluster, than: ClusterNode) -> ClusterNode:
    return next(node for node in await cluster.primaries() if node is not than)


async def test_eight_partitions_lie_on_all_three_primaries(cluster: Cluster):
    homes = [await cluster.primary_of(tag_of(n)) for n in range(8)]
    assert sorted(homes.count(node) for node in await cluster.primaries()) == [2, 3, 3]


async def test_a_slot_is_moved_with_all_its_keys_and_everybody_knows(cluster: Cluster):
    source = await cluster.primary_of(KEY)
    to = await another(cluster, source)
    for n in range(120):
        await source.client.set(f"{KEY}{n}", n)
    await cluster.move(slot_of(KEY), to)
    assert await to.client.get(f"{KEY}119") == b"119"
    for node in await cluster.primaries():
        places = [each.id for each in await node.sees() if str(slot_of(KEY)) in each.slots]
        assert places == [to.id]
    await cluster.move(slot_of(KEY), source)
    assert await source.client.get(f"{KEY}0") == b"0"


async def test_a_replica_takes_over_by_order(cluster: Cluster):
    before = await cluster.primary_of(KEY)
    now = await cluster.fail_over(before)
    await cluster.formed()
    assert await cluster.primary_of(KEY) is now
    assert await cluster.replica_of(now) is before
    await cluster.fail_over(now)


async def test_a_replica_takes_over_from_a_killed_primary_which_then_follows_it(cluster: Cluster):
    before = await cluster.primary_of(KEY)
    await before.client.set(KEY, "kept")
    assert await before.client.wait(1, 5000) == 1
    now = await cluster.replica_of(before)
    before.kill()
    await eventually(now.is_primary, what="the replica to take over", timeout=20)
    assert await now.client.get(KEY) == b"kept"
    before.start()
    await cluster.formed()
    assert not await before.is_primary()


async def test_a_primary_that_is_cut_off_is_replaced_and_what_it_took_meanwhile_is_gone(tmp_path_factory):
    async with Cluster(tmp_path_factory.mktemp("cut"), can_be_cut=True) as cluster:
        before = await cluster.primary_of(KEY)
        now = await cluster.replica_of(before)
        async with cluster.cut_off(before):
            await before.client.set(KEY, "lost")
            await eventually(now.is_primary, what="the replica to take over", timeout=20)
            await eventually(lambda: fails(before), what="it to know that it is alone", timeout=20)
        await cluster.formed()
        assert await cluster.primary_of(KEY) is now
        assert await now.client.get(KEY) is None


async def fails(node: ClusterNode) -> bool:
    return not await node.is_content()


async def test_the_tests_client_follows_a_slot_that_is_on_its_way(cluster: Cluster):
    client, source = ClusterClient(cluster), await cluster.primary_of(KEY)
    to = await another(cluster, source)
    await client.set(KEY, "old")
    await to.ask("CLUSTER SETSLOT", slot_of(KEY), "IMPORTING", source.id)
    await source.ask("CLUSTER SETSLOT", slot_of(KEY), "MIGRATING", to.id)
    for n in range(8):
        await client.set(f"{KEY}{n}", n)
    assert [await client.get(f"{KEY}{n}") for n in range(8)] == [b"%d" % n for n in range(8)]
    assert await to.ask("CLUSTER COUNTKEYSINSLOT", slot_of(KEY)) == 8
    for node in (to, source):
        await node.ask("CLUSTER SETSLOT", slot_of(KEY), "STABLE")
    await to.ask("FLUSHALL")
