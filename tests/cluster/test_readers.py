"""Blocked reads while the stream goes elsewhere: nothing of it is missed, and no group is made anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.partitioning import slot_of
from sploot_clusterd.store import ClaimKind, Store
from tests.cluster.contract import opened
from tests.support.cluster import Cluster
from tests.support.cluster_client import ClusterClient
from tests.support.stores import GROUP
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster
PARTITION = 3


class Reading:
    """Does what a lane's consumer does: reads, and where that ends, what is its own already and then again."""

    def __init__(self, store: Store) -> None:
        self.seen: list[bytes] = []
        self.ended: list[str] = []
        self._store = store
        self._stream = store.partitions[PARTITION].stream
        self._reader = store.reader_of("me", PARTITION)

    async def run(self) -> None:
        while True:
            try:
                await self._stream.probe()
                await self._reader.open()
                async for entries in self._stream.claim("me", ClaimKind.OWN):
                    self.seen += [entry.fields[b"payload"] for entry in entries]
                while True:
                    for read in await self._reader.read([PARTITION]):
                        self.seen += [entry.fields[b"payload"] for entry in read.entries]
            except StoreUnavailableError as error:
                self.ended.append(error.detail)
                await self._reader.close()
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self._reader.close()


@asynccontextmanager
async def reading(cluster: Cluster) -> AsyncIterator[tuple[Reading, Store]]:
    """A reader that is blocked, with an entry of its own pending."""
    client = ClusterClient(cluster)
    async with opened(cluster.url, cluster=True) as store:
        key = store.partitions[PARTITION].stream.key
        await client.xadd(key, {"payload": "own"})
        await client.xreadgroup(GROUP, "me", {key: ">"})
        reads = Reading(store)
        task = asyncio.create_task(reads.run())

        async def blocked() -> bool:
            node = await cluster.primary_of(key)
            return (await node.ask("INFO", "clients"))["blocked_clients"] == 1

        try:
            await eventually(blocked, what="the reader to be blocked")
            assert reads.seen == [b"own"]
            yield reads, store
        finally:
            task.cancel()
            await asyncio.wait({task})
            await reads.close()


async def goes_on(cluster: Cluster, reads: Reading, store: Store) -> None:
    """What comes now is read where the stream is now, after what was read before; nothing was made there."""
    await ClusterClient(cluster).xadd(store.partitions[PARTITION].stream.key, {"payload": "new"})
    await eventually(lambda: reads.seen[-1:] == [b"new"], what="the new entry to be read", timeout=20)
    assert reads.seen.count(b"own") >= 2, "its own came first"
    created = store.partitions[PARTITION].stream._metrics.groups_created
    assert created._value.get() == len(store.partitions), "when the store was opened, and none since"


async def test_a_slot_that_moves(cluster: Cluster):
    """E12: ASK, then MOVED. E13: under a reader that is blocked."""
    async with reading(cluster) as (reads, store):
        slot = slot_of(store.partitions[PARTITION].stream.key)
        before = await cluster.primary_of(slot)
        to = next(node for node in await cluster.primaries() if node is not before)
        await cluster.move(slot, to, pause=0.5)
        try:
            await goes_on(cluster, reads, store)
            assert reads.ended
        finally:
            await cluster.move(slot, before)


async def test_a_primary_that_changes_its_role(cluster: Cluster):
    """E12: UNBLOCKED, and MOVED from the replica that it is then. E6."""
    async with reading(cluster) as (reads, store):
        primary = await cluster.primary_of(store.partitions[PARTITION].stream.key)
        replica = await cluster.fail_over(primary)
        await eventually(lambda: reads.ended, what="the read to end")
        await goes_on(cluster, reads, store)
        await cluster.formed()
        await cluster.fail_over(replica)


async def test_no_entry_is_handed_out_while_a_slot_is_on_its_way(cluster: Cluster):
    """E11: what cannot be committed is not claimed again and again."""
    async with reading(cluster) as (_, store):
        slot = slot_of(store.partitions[PARTITION].stream.key)
        source = await cluster.primary_of(slot)
        to = next(node for node in await cluster.primaries() if node is not source)
        await to.ask("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        await source.ask("CLUSTER SETSLOT", slot, "MIGRATING", to.id)
        try:
            with pytest.raises(StoreUnavailableError, match="the slot is being moved to another node"):
                await store.partitions[PARTITION].stream.probe()
            await store.partitions[PARTITION - 1].stream.probe()
        finally:
            await source.ask("CLUSTER SETSLOT", slot, "STABLE")
            await to.ask("CLUSTER SETSLOT", slot, "STABLE")
        await store.partitions[PARTITION].stream.probe()
