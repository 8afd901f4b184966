"""What is held against a Redis server, by its own account."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import Secret
from sploot_clusterd.errors import StartError, StoreUnavailableError
from sploot_clusterd.store import Store
from sploot_clusterd.store.server import findings
from tests.support.nodes import Node
from tests.support.stores import opened

GOOD = {"redis_version": "8.2.2", "maxmemory_policy": "noeviction", "aof_enabled": 1}


@pytest.mark.parametrize(
    ("version", "faulty"),
    [
        ("7.0.0", True),
        ("7.0.15", True),
        ("7.0.99", True),
        ("7.2.10", True),
        ("7.2.11", False),
        ("7.4.5", True),
        ("7.4.6", False),
        ("8.0.3", True),
        ("8.0.4", False),
        ("8.1.0", True),
        ("8.2.1", True),
        ("8.2.2", False),
        ("8.2.10", False),
        ("8.4.0", False),
        ("8.4", False),
        ("9.0.0-rc1", False),
        ("255.255.255", False),
        ("unstable", False),
    ],
)
def test_versions_with_known_faults_in_lua(version: str, faulty: bool):
    found = findings({**GOOD, "redis_version": version})
    assert [(finding.name, finding.fatal, version in finding.text) for finding in found] == [
        ("version", False, True)
    ] * faulty


def test_the_compatible_version_of_another_server_is_not_its_own():
    assert findings({**GOOD, "redis_version": "7.2.4", "valkey_version": "8.1.4"}) == []


@pytest.mark.parametrize("version", ["6.2.20", "6.9.9", "5.0.0", "2.8.24"])
def test_older_ones_will_not_do(version: str):
    (finding,) = findings({**GOOD, "redis_version": version})
    assert (finding.fatal, version in finding.text) == (True, True)


@pytest.mark.parametrize(
    ("policy", "fatal"),
    [
        *((f"allkeys-{kind}", True) for kind in ("lru", "lfu", "random", "lrm")),
        *((f"volatile-{kind}", False) for kind in ("lru", "lfu", "random", "ttl")),
    ],
)
def test_every_policy_but_noeviction_is_told(policy: str, fatal: bool):
    (finding,) = findings({**GOOD, "maxmemory_policy": policy})
    assert (finding.name, finding.fatal, finding.text.endswith(policy)) == ("eviction", fatal, True)


def test_a_server_without_an_append_only_file_is_told():
    (finding,) = findings({**GOOD, "aof_enabled": 0})
    assert (finding.name, finding.fatal) == ("durability", False)


def test_what_is_not_told_is_not_held_against_it():
    assert findings({}) == []
    assert findings(GOOD) == []


async def test_the_embedded_server_is_as_it_should_be(store: Store):
    assert await store.look() == []


async def test_nothing_starts_on_a_server_that_evicts_everything(store: Store, redis: Redis):
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        for _ in range(2):
            with pytest.raises(StartError, match="maxmemory-policy noeviction, not allkeys-lru"):
                await store.look()
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
    assert await store.look() == []


async def test_what_runs_already_goes_on(store: Store, redis: Redis):
    assert await store.look() == []
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert [(finding.name, finding.fatal) for finding in await store.look()] == [("eviction", True)]
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("known", [True, False], ids=["wrong password", "unknown user"])
@pytest.mark.parametrize("over_tcp", [True, False], ids=["TCP", "unix"])
async def test_a_wrong_password_is_told_however_it_is_connected(
    redis: Redis, redis_url: str, over_tcp: bool, known: bool
):
    path = redis_url.removeprefix("unix://")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(path)
        server_writer.write(await reader.read(4096))
        writer.write(await server_reader.read(4096))
        writer.close()
        server_writer.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}" if over_tcp else redis_url
        user = "default" if known else "nobody"
        await redis.execute_command("ACL", "SETUSER", "default", ">another-password")
        try:
            async with opened(url, username=user, password=Secret("x" * 20)) as store:
                with pytest.raises(StoreUnavailableError, match="redis refuses our username or password"):
                    await store.look()
        finally:
            await redis.execute_command("ACL", "SETUSER", "default", "nopass")


@pytest.mark.parametrize(
    ("info", "mended"),
    [
        ({"redis_version": "7.2.6"}, "7.2.7"),
        ({"redis_version": "7.2.14"}, ""),
        ({"redis_version": "7.0.15"}, ""),
        ({"redis_version": "8.2.2"}, ""),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.5"}, "7.2.6"),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.6"}, ""),
        ({"redis_version": "7.2.4", "valkey_version": "9.0.0"}, ""),
    ],
)
def test_versions_that_do_not_live_through_the_move_of_a_slot(info: dict[str, str], mended: str):
    """E13."""
    found = [finding for finding in findings({**GOOD, **info}, in_cluster=True) if finding.name == "moves"]
    assert [(finding.fatal, f"upgrade it to {mended}" in finding.text) for finding in found] == [(False, True)] * bool(
        mended
    )
    assert not [finding for finding in findings({**GOOD, **info}) if finding.name == "moves"]


def test_a_cluster_that_nobody_told_of_will_not_do():
    (finding,) = findings({**GOOD, "cluster_enabled": 1})
    assert (finding.fatal, "set redis.cluster (REDIS_CLUSTER) to true" in finding.text) == (True, True)
    assert findings({**GOOD, "cluster_enabled": 0}) == []
    assert findings({**GOOD, "cluster_enabled": 1}, in_cluster=True) == []


async def test_a_server_that_is_in_no_cluster_is_told():
    with tempfile.TemporaryDirectory(prefix="clusterd-") as directory:
        node = Node(Path(directory))
        try:
            async with opened(f"redis://127.0.0.1:{node.port}", cluster=True) as store:
                with pytest.raises(StartError, match=r"is in no Redis Cluster: set redis.cluster to false"):
                    await store.look()
        finally:
            await node.close()
