"""The primary by the account of Sentinels, which are scripted here; the servers that they name are real."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import Secret, StreamSettings
from sploot_clusterd.due import DueEntries
from sploot_clusterd.errors import NoPermissionError, StoreUnavailableError
from sploot_clusterd.halt import Halt
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.store import Reader, Store
from sploot_clusterd.store import sentinel as module
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.stream_monitor import StreamMonitor
from tests.docs.pages import ROOT, only_block
from tests.support.nodes import Node, free_port
from tests.support.stores import settings
from tests.support.teller import Teller, watched
from tests.support.waiting import eventually

_SHORT = 1.0
"""Seconds of patience with silent Sentinels."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a busy machine."""
    for name in ("_PATIENCE", "_ROLE_PATIENCE"):
        monkeypatch.setattr(module, name, 5.0)


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with TemporaryDirectory(prefix="nodes-") as directory:  # short, for sockets lie in it
        started = [Node(Path(directory) / name) for name in "ab"]
        yield started
        for node in started:
            node.kill()


@pytest.fixture
async def one(nodes: list[Node]) -> AsyncIterator[Node]:
    async with _as_new(nodes[0]) as node:
        yield node


@pytest.fixture
async def other(nodes: list[Node]) -> AsyncIterator[Node]:
    async with _as_new(nodes[1]) as node:
        yield node


@asynccontextmanager
async def _as_new(node: Node) -> AsyncIterator[Node]:
    node.connect()
    yield node
    await node.client.replicaof("NO", "ONE")
    await node.client.config_set("requirepass", "")
    await node.client.flushall()
    await node.client.aclose()


async def port_of(gateway: Gateway) -> int:
    info = await gateway.ask_server("jobs", "INFO", "server")
    return int(dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)["tcp_port"])


def new_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer serves for longer than its moment."""
    monkeypatch.setattr(module, "_ANSWER_LIVES", 0.0)


async def connections(node: Node) -> int:
    """But for those of tests."""
    clients = await node.client.client_list()
    return sum(client["addr"].startswith("127.0.0.1:") for client in clients)


async def has_none(node: Node) -> bool:
    return await connections(node) == 0


async def test_what_most_sentinels_name_counts(one: Node, other: Node):
    async with Teller(other.port) as stale, Teller(one.port) as x, Teller(one.port) as y, watched(stale, x, y) as store:
        assert await port_of(store.gateway) == one.port


async def test_silent_sentinels_hold_up_nobody(one: Node, monkeypatch: pytest.MonkeyPatch):
    async with Teller(one.port) as first, Teller(one.port) as second, Teller(one.port) as third:
        first.silent = True
        began = time.monotonic()
        async with watched(first, second, third) as store:
            assert await port_of(store.gateway) == one.port
        assert time.monotonic() - began < module._PATIENCE
        second.silent = True
        monkeypatch.setattr(module, "_PATIENCE", _SHORT)
        async with watched(first, second, third) as store:
            assert await port_of(store.gateway) == one.port


async def test_all_who_open_at_once_share_one_question(one: Node):
    async with Teller(one.port) as teller, watched(teller) as store:
        assert await asyncio.gather(*(port_of(store.gateway) for _ in range(20))) == [one.port] * 20
        assert teller.asked == 1


@pytest.mark.parametrize("wanted", ["", "sesame"])
@pytest.mark.parametrize("given", ["", "sesame", "wrong"])
async def test_their_password_is_their_own(one: Node, wanted: str, given: str):
    """One that wants none is asked all the same: they get theirs one after the other."""
    await one.client.config_set("requirepass", "of-redis")
    login = {"password": Secret("of-redis"), "sentinel_password": Secret(given) if given else None}
    async with Teller(one.port, password=wanted) as teller, watched(teller, **login) as store:
        if wanted in ("", given):
            assert await port_of(store.gateway) == one.port
        else:
            with pytest.raises(
                StoreUnavailableError, match=r"does not let us in, .*redis\.sentinel_password"
            ) as caught:
                await port_of(store.gateway)
            assert "sesame" not in str(caught.value)


async def test_why_none_names_a_primary_is_told_of_each(one: Node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_PATIENCE", _SHORT)
    async with (
        Teller(None) as unknowing,
        Teller(one.port, password="sesame") as locked,
        Teller(one.port, reply=b"-ERR a fault\r\n") as faulty,
        Teller(one.port, reply=b"HTTP/1.1 400 no\r\n") as foreign,
        Teller(one.port, reply=b":7\r\n") as odd,
        Teller(one.port) as gone,
        watched(unknowing, locked, faulty, foreign, odd, gone) as store,
    ):
        gone.silent = True
        with pytest.raises(StoreUnavailableError) as caught:
            await port_of(store.gateway)
    reasons = [each.split(": ", 1)[1] for each in str(caught.value).removeprefix("no sentinel names ").split("; ")]
    assert reasons[0].endswith("knows no service of that name")
    assert reasons[1] == "does not let us in, look at redis.sentinel_username and redis.sentinel_password"
    assert reasons[2:] == [
        "ERR a fault",
        "no sentinel, or one that speaks TLS",
        "another server than a sentinel",
        "no answer",
    ]


async def test_another_server_than_a_sentinel_is_told(one: Node):
    store = Store.open(settings(f"redis+sentinel://127.0.0.1:{one.port}/mymaster"), Metrics())
    with pytest.raises(StoreUnavailableError, match=rf"the primary of mymaster: 127.0.0.1:{one.port}: another server"):
        await port_of(store.gateway)
    await store.close()


async def test_the_documented_rights_and_role_are_enough(one: Node):
    rights = only_block(ROOT / "docs/operations.md", "acl").text.split()
    await one.client.execute_command(*rights)
    login = {"username": "clusterd", "password": Secret("the-password")}
    async with Teller(one.port) as teller, watched(teller, **login) as store:
        with pytest.raises(NoPermissionError, match="see the ACL in docs"):
            await port_of(store.gateway)
        await one.client.execute_command(*rights[:3], "+role")
    async with Teller(one.port) as teller, watched(teller, **login) as store:
        assert await port_of(store.gateway) == one.port
    await one.client.execute_command("ACL", "DELUSER", "clusterd")


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


async def test_sentinels_that_are_away_are_a_warning_while_redis_works(one: Node, monkeypatch: pytest.MonkeyPatch):
    new_answers(monkeypatch)
    monkeypatch.setattr(module, "_PATIENCE", _SHORT)
    health, metrics, stopping = Health(60.0), Metrics(), asyncio.Event()
    async with Teller(one.port) as teller, watched(teller) as store:
        await store.look()
        teller.silent = True
        monitor = StreamMonitor(
            store=store,
            due=[DueEntries()],
            metrics=metrics,
            health=health,
            stopping=stopping,
            settings=StreamSettings(maxlen=9),
            pauses=Pauses(1, health, metrics),
            halt=Halt(health, metrics),
        )
        running = asyncio.create_task(monitor.run())
        await eventually(lambda: not health.reasons(), what="readiness")
        stopping.set()
        await running
        assert any("a failover may go unseen: no sentinel names" in text for text in health.warnings())


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
