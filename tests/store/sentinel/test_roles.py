"""Servers that are no primary, or not any more, whatever the Sentinels name."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Reader, Store
from tests.store.sentinel.looks import new_answers, port_of
from tests.support.nodes import Node, free_port
from tests.support.stores import settings
from tests.support.teller import Teller, watched
from tests.support.waiting import eventually


async def connections(node: Node) -> int:
    """But for those of tests."""
    clients = await node.client.client_list()
    return sum(client["addr"].startswith("127.0.0.1:") for client in clients)


async def has_none(node: Node) -> bool:
    return await connections(node) == 0


async def test_a_named_server_has_to_be_the_primary_by_its_own_account(one: Node):
    """Nobody is there that it follows: an election is under way."""
    await one.client.replicaof("127.0.0.1", free_port())
    async with Teller(one.port) as teller, watched(teller) as store:
        with pytest.raises(StoreUnavailableError):
            await port_of(store.gateway)
    await one.client.replicaof("127.0.0.1", one.port)  # of a replica
    async with Teller(one.port) as teller, watched(teller) as store:
        with pytest.raises(StoreUnavailableError, match=r"as the primary of mymaster, which says it is none"):
            await port_of(store.gateway)


async def test_a_primary_that_handed_over_leads_to_the_one_it_follows(one: Node, other: Node):
    """FAILOVER, of which Sentinels hear late."""
    await one.client.replicaof("127.0.0.1", other.port)
    async with Teller(one.port) as teller, watched(teller) as store:
        assert await port_of(store.gateway) == other.port


async def test_a_primary_that_is_cut_off_but_alive_is_left(one: Node, other: Node, monkeypatch: pytest.MonkeyPatch):
    """It says that it is the primary, its stream stays empty, and it takes what will be lost."""
    new_answers(monkeypatch)
    metrics = Metrics()
    async with Teller(one.port) as teller, watched(teller, metrics=metrics) as store:
        reader = store.reader("me")
        await reader.open()
        reading = asyncio.ensure_future(reader.read())
        assert await asyncio.gather(*(port_of(store.gateway) for _ in range(5))) == [one.port] * 5
        assert await store.followed_primary() == f"127.0.0.1:{one.port}"

        teller.names = other.port
        assert await store.followed_primary() == f"127.0.0.1:{other.port}"
        assert count(metrics, "redis_primary_changes") == 1

        with pytest.raises(StoreUnavailableError):
            await reading
        await eventually(lambda: has_none(one), what="no connection to the one that was left")
        await reader.open()
        await other.client.xadd("jobs", {"payload": "{}"})
        assert len(await reader.read()) == 1
        assert await port_of(store.gateway) == other.port
        await reader.close()


async def test_connections_stay_where_another_one_is_named_that_is_no_primary(
    one: Node, other: Node, monkeypatch: pytest.MonkeyPatch
):
    new_answers(monkeypatch)
    async with Teller(one.port) as teller, watched(teller) as store:
        assert await port_of(store.gateway) == one.port
        before = await connections(one)
        await other.client.replicaof("127.0.0.1", free_port())
        teller.names = other.port
        with pytest.raises(StoreUnavailableError):
            await store.followed_primary()
        assert await port_of(store.gateway) == one.port
        assert await connections(one) == before


async def test_a_read_is_woken_at_its_own_server(one: Node, other: Node, monkeypatch: pytest.MonkeyPatch):
    new_answers(monkeypatch)
    async with Teller(one.port) as teller, watched(teller) as store:
        reader = slow_reader(store)
        await reader.open()
        reading = asyncio.ensure_future(reader.read())
        await eventually(lambda: _blocked(one.client), what="a blocked read")
        teller.names = other.port
        store.gateway.forget_connections()
        await reader.wake()
        assert await reading == []
        await reader.close()


async def test_a_read_that_a_change_of_roles_ends_makes_no_group(one: Node, other: Node):
    """The group is there, where the primary is now; made here, it would only be in the way."""
    metrics = Metrics()
    async with Teller(one.port) as teller, watched(teller, metrics=metrics) as store:
        reader = slow_reader(store)
        await reader.open()
        assert count(metrics, "groups_created") == 1
        reading = asyncio.ensure_future(reader.read())
        await eventually(lambda: _blocked(one.client), what="a blocked read")
        await one.client.replicaof("127.0.0.1", other.port)
        with pytest.raises(StoreUnavailableError, match="redis ended a read, as it or the stream is not what it was"):
            await reading
        assert count(metrics, "groups_created") == 1
        await reader.close()


def count(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(f"media_cluster_{name}_total")


async def _blocked(redis: Redis) -> int:
    return (await redis.info("clients"))["blocked_clients"]


def slow_reader(store: Store) -> Reader:
    """Blocks for longer than a test may take."""
    of_stream = replace(settings("unix:///s").stream, read_timeout_ms=600_000)
    return Reader(store.gateway, {0: store.partitions[0].stream}, of_stream, Metrics(), consumer="me")
