"""What is known of a cluster, over nodes that say what they are told to: who is asked for it, and how often."""

import asyncio

import pytest

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.partitioning import slot_of
from sploot_clusterd.store.cluster import topology
from tests.support.scripted import (
    HIGH,
    LOW,
    gateway_to,
    halves,
    opened,
    xlen,
)
from tests.support.waiting import eventually

SLOT = slot_of(LOW.stream)


async def test_with_a_dead_seed_and_a_dead_shard_the_others_are_served():
    """E35: also what is about no key."""
    one, other = halves()
    async with opened(one, other) as gateway:
        one.close()
        assert await xlen(gateway, HIGH) == b"OK"
        with pytest.raises(StoreUnavailableError, match=f"redis node 127.0.0.1:{one.port}: does not answer"):
            await xlen(gateway)
        for _ in range(5):
            assert await gateway.ask_server("", "TIME") == b"OK"


async def test_the_map_is_asked_for_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch):
    """E36: however many calls fail."""
    monkeypatch.setattr(topology, "_EVERY", 0.2)
    one, other = halves()
    one.answer = lambda _: ValueError("CLUSTERDOWN The cluster is down")
    async with opened(one, other) as gateway:
        began = asyncio.get_running_loop().time()
        for _ in range(20):
            await asyncio.gather(*(xlen(gateway) for _ in range(10)), return_exceptions=True)
            await asyncio.sleep(0.02)
        looks, took = one.looks + other.looks, asyncio.get_running_loop().time() - began
        assert 2 <= looks <= took / 0.2 + 2


async def test_many_who_come_at_once_share_the_first_look_and_a_look_under_way_disturbs_none():
    """E37."""
    one, other = halves()
    async with opened(one, other) as gateway:
        assert await asyncio.gather(*(xlen(gateway, keys) for keys in [LOW, HIGH] * 500)) == [b"OK"] * 1000
        assert one.looks + other.looks == 1
        gateway.forget_connections()
        assert await asyncio.gather(*(xlen(gateway, keys) for keys in [LOW, HIGH] * 100)) == [b"OK"] * 200


async def test_a_node_that_finds_the_cluster_ill_is_believed_only_where_no_other_tells(monkeypatch: pytest.MonkeyPatch):
    """One that is cut off goes on telling what was."""
    monkeypatch.setattr(topology, "_EVERY", 0.01)
    one, other = halves()
    one.state = "fail"
    one.others = ()
    async with opened(one, other) as gateway:
        assert await xlen(gateway, HIGH) == b"OK"
        other.close()
        with pytest.raises(StoreUnavailableError):
            await xlen(gateway, HIGH)
        await eventually(lambda: one.looks > 1, what="the other one to be asked")
        assert await xlen(gateway) == b"OK"


async def test_connections_to_nodes_that_are_gone_are_closed_and_others_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(topology, "_EVERY", 0.01)
    one, other = halves()
    async with opened(one, other) as gateway:
        await asyncio.gather(xlen(gateway), xlen(gateway, HIGH))
        assert other.connections == 1
        one.slots, one.others, other.slots, other.others = [(0, 16383)], (), (), (one,)
        gateway.forget_connections()
        await eventually(lambda: other.connections == 0, what="the connection to close")
        assert one.connections == 1
        assert await xlen(gateway, HIGH) == b"OK"


async def test_nodes_are_reached_where_the_settings_say():
    """E25: they announce what only they can reach."""
    one, other = halves()
    one.told = lambda: [[0, 8191, ["10.9.8.7", 1, "id"]]]  # type: ignore[method-assign]
    one.answer = lambda command: ValueError(f"MOVED {slot_of(command[1])} 10.9.8.6:2")
    other.told = lambda: [[8192, 16383, ["10.9.8.6", 2, "id"]]]  # type: ignore[method-assign]
    for node in (one, other):
        await node.start()
    addresses = (f"10.9.8.7:1=127.0.0.1:{one.port}", f"10.9.8.6:2=127.0.0.1:{other.port}")
    gateway = gateway_to(one, cluster_addresses=addresses)
    assert await xlen(gateway) == b"OK"
    assert await gateway.servers() == sorted(f"127.0.0.1:{node.port}" for node in (one, other))
    await gateway.close()
    one.close()
    other.close()


async def test_a_cluster_without_slots_is_told():
    one, other = halves()
    one.slots = other.slots = ()
    async with opened(one, other) as gateway:
        for call in (xlen(gateway), gateway.servers(), gateway.ask_server("", "TIME")):
            with pytest.raises(StoreUnavailableError, match="knows of no node that serves slots"):
                await call
