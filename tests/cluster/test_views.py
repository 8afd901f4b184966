"""Reads of views while their partition's slot is on its way to another node."""

import pytest

from sploot_clusterd.partitioning import slot_of
from tests.cluster.contract import opened
from tests.support.cluster import Cluster
from tests.support.cluster_client import ClusterClient

pytestmark = pytest.mark.cluster


async def test_views_are_read_before_and_after_their_keys_travel(cluster: Cluster):
    """E11: of several keys, of which one is here and one is there, a node would answer TRYAGAIN."""
    client = ClusterClient(cluster)
    async with opened(cluster.url, cluster=True) as store:
        stays, travels = [pet for n in range(99) if store.layout.number(pet := f"pet:{n}") == 0][:2]
        keys = store.layout.partitions[0]
        views = {pet: b'{"pet_id":"%s","clusters":[]}' % pet.encode() for pet in (stays, travels)}
        for pet, view in views.items():
            await client.set(keys.view(pet), view)
        slot = slot_of(keys.stream)
        source = await cluster.primary_of(slot)
        to = next(node for node in await cluster.primaries() if node is not source)
        await to.ask("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        await source.ask("CLUSTER SETSLOT", slot, "MIGRATING", to.id)
        await source.ask("MIGRATE", "127.0.0.1", to.port, keys.view(travels), 0, 5000)
        try:
            assert {pet: await store.views.view(pet) for pet in views} == views
        finally:
            for node in (source, to):
                await node.ask("CLUSTER SETSLOT", slot, "STABLE")
            await cluster.empty()
