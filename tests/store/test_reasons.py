"""Whatever a server or a proxy replies becomes a reason that says what to mend, in every call of the store."""

import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import Secret
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import BadStateError, StartError, StoreUnavailableError
from sploot_clusterd.store import Store, Stream
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.scripts import STATS
from tests.store.misconfigured import calls, reasons, replying
from tests.support.stores import opened

ALL = 29

OF_ANY_SERVER = [
    (b"NOAUTH Authentication required.", "redis wants a password and got none: set redis.username"),
    (b"NOPERM User x has no permissions to run the 'x' command", "redis refuses a command to our user"),
    (b"DENIED Redis is running in protected mode because", "redis is in protected mode"),
    (b"ERR max number of clients reached", "redis has as many clients as its maxclients allows"),
    (b"ERR max number of clients + cluster connections reached", "redis has as many clients"),
    (b"LOADING Redis is loading the dataset in memory", "redis is loading its data"),
    (b"BUSY Redis is busy running a script.", "redis cannot answer now: BUSY"),
    (b"UNKILLABLE Sorry the script already executed write commands", "redis cannot answer now"),
    (b"MISCONF Errors writing to the AOF file", "redis refuses writes: MISCONF"),
    (b"OOM command not allowed when used memory > 'maxmemory'.", "redis refuses writes: OOM"),
    (b"READONLY You can't write against a read only replica.", "redis refuses writes: READONLY"),
    (b"NOREPLICAS Not enough good replicas to write.", "redis refuses writes"),
    (b"MASTERDOWN Link with MASTER is down", "redis refuses writes"),
    (b"CLUSTERDOWN Hash slot not served", "redis.url leads to a Redis Cluster"),
    (b"MOVED 1234 10.0.0.1:6379", "redis.url leads to a Redis Cluster"),
    (b"CROSSSLOT Keys in request don't hash to the same slot", "redis.url leads to a Redis Cluster"),
    (b"ERR unknown command 'X', with args beginning with: 'hidden-word' ", "redis lacks a command"),
    (b"ERR unknown command `X`, with args beginning with: `hidden-word`, ", "redis lacks a command"),
    (b"ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'", "7.0 or newer is needed"),
    (b"ERR Server closed connection", "redis, or a proxy before it, refuses what we ask: ERR Server closed connection"),
    (b"ERR unsupported command 'evalsha'", "redis lacks a command"),
    (b"no upstream host", "redis, or a proxy before it, refuses what we ask: no upstream host"),
    (b"upstream failure \xff\x00\x1b[2J", "redis, or a proxy before it, refuses what we ask: upstream failure"),
    (b"ERR wrong number of arguments for 'x' command", "redis, or a proxy before it, refuses what we ask"),
    (b"NEWKIND of a later server", "redis, or a proxy before it, refuses what we ask: NEWKIND"),
    (b"", "redis, or a proxy before it, refuses what we ask"),
]


@pytest.mark.parametrize(
    ("reply", "reason"), OF_ANY_SERVER, ids=[reply[:24].decode("latin1") for reply, _ in OF_ANY_SERVER]
)
async def test_every_error_reply_is_a_reason_in_every_call(reply: bytes, reason: str):
    async with replying(b"-" + reply + b"\r\n") as url, opened(url) as store:
        found = await reasons(store)
        assert len(found) == ALL == len(list(calls(store)))
        for told in found.values():
            assert reason in told
            assert told.isprintable()
            assert "hidden-word" not in told


@pytest.mark.parametrize("reply", [b"DENIED protected mode", b"ERR max number of clients reached"])
@pytest.mark.parametrize("login", [{}, {"password": Secret("hidden-word")}], ids=["without password", "with password"])
async def test_a_server_that_hangs_up_has_said_why(reply: bytes, login: dict[str, object]):
    async with replying(b"-" + reply + b"\r\n", unasked=True) as url, opened(url + "/3", **login) as store:
        for told in (await reasons(store)).values():
            assert "protected mode" in told or "maxclients" in told


@pytest.mark.parametrize(
    "reply",
    [
        b"WRONGPASS invalid username-password pair or user is disabled.",
        b"ERR invalid password",
        b"ERR AUTH <password> called without any password configured for the default user.",
        b"ERR Client sent AUTH, but no password is set",
        b"ERR unknown command 'AUTH', with args beginning with: 'hidden-word' ",
        b"ERR hidden-word is not what it should be",
    ],
)
async def test_a_login_that_is_refused_is_told_without_the_password(reply: bytes):
    async with replying(b"-" + reply + b"\r\n") as url, opened(url, password=Secret("hidden-word")) as store:
        assert {*(await reasons(store)).values()} == {"redis refuses our username or password"}


async def test_what_cannot_be_a_host_is_told():
    async with opened("redis://a..b") as store:
        assert {*(await reasons(store)).values()} == {"redis.url names a host that cannot be one: mend it"}


@asynccontextmanager
async def served(*arguments: str) -> AsyncIterator[EmbeddedRedis]:
    with (
        tempfile.TemporaryDirectory(prefix="wrong-") as directory,
        EmbeddedRedis(Path(directory), *arguments) as server,
    ):
        yield server


HIDDEN = {
    "EVALSHA": ("stats", "commit", "submit", "load", "erase", "letters", "claim"),
    "XADD": ("submit",),
    "XPENDING": ("renew", "retry"),
    "HSCAN": ("rows", "sample", "marks"),
    "MGET": ("view",),
    "INFO": ("look", "reader"),
    "CLIENT": ("reader",),
    "XGROUP": ("group", "reader"),
}


@pytest.mark.parametrize("hidden", HIDDEN)
async def test_a_command_that_is_renamed_away_is_named(hidden: str):
    async with served("--rename-command", hidden, "") as server, opened(f"unix://{server.socket}") as store:
        found = await reasons(store)
        assert set(HIDDEN[hidden]) <= set(found)
        for name in HIDDEN[hidden]:
            assert found[name].startswith("redis lacks a command that we need: it is too old, or it or a proxy"), name
            assert hidden in found[name] or "called from script" in found[name]


async def test_reads_that_are_renamed_away_are_told_by_the_reader():
    async with served("--rename-command", "XREADGROUP", "") as server, opened(f"unix://{server.socket}") as store:
        reader = store.reader("me")
        await reader.open()
        with pytest.raises(StoreUnavailableError, match=r"redis lacks a command that we need: .*XREADGROUP"):
            await reader.read()
        await reader.close()


@pytest.mark.parametrize("command", ["evalsha", "xpending", "mget", "xgroup", "client", "hscan"])
async def test_a_command_that_the_acl_forbids_is_named(stream: Stream, redis: Redis, redis_url: str, command: str):
    await redis.execute_command("ACL", "SETUSER", "weak", "on", "nopass", "~*", "+@all", f"-{command}")
    try:
        async with opened(redis_url, username="weak") as store:
            found = await reasons(store)
            assert found
            for told in found.values():
                assert told.startswith("redis refuses a command to our user: see the ACL in docs/operations.md: ")
                assert command in told
    finally:
        await redis.execute_command("ACL", "DELUSER", "weak")


async def test_a_database_that_is_not_there_is_told_by_its_number(redis: Redis, redis_url: str):
    async with opened(f"{redis_url}?db=99") as store:
        found = await reasons(store)
        assert len(found) == ALL
        for told in found.values():
            assert told.startswith("redis has no database 99, name another one in redis.url: ERR DB index")


async def test_a_right_that_is_missing_for_the_database_is_told_as_one(redis: Redis, redis_url: str):
    await redis.execute_command("ACL", "SETUSER", "weak", "on", "nopass", "~*", "+@all", "-select")
    try:
        async with opened(f"{redis_url}?db=1", username="weak") as store:
            assert all("redis refuses a command to our user" in told for told in (await reasons(store)).values())
    finally:
        await redis.execute_command("ACL", "DELUSER", "weak")


async def test_a_password_that_is_wanted_is_told(redis: Redis, redis_url: str):
    await redis.config_set("requirepass", "wanted")
    try:
        async with opened(redis_url) as store:
            assert {*(await reasons(store)).values()} == {
                "redis wants a password and got none: set redis.username and redis.password"
            }
    finally:
        await redis.config_set("requirepass", "")


async def test_a_server_that_has_all_its_clients_is_told_and_used_again_when_it_has_room():
    async with served() as server:
        client = Redis(unix_socket_path=str(server.socket), single_connection_client=True)
        await client.config_set("maxclients", 1)
        async with opened(f"unix://{server.socket}") as store:
            for _ in range(20):
                with pytest.raises(StoreUnavailableError, match="redis has as many clients as its maxclients allows"):
                    await store.look()
            await client.config_set("maxclients", 10)
            assert await store.look() == []
        await client.aclose()


async def test_a_node_of_a_cluster_is_told():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, bus = (str(free.getsockname()[1]) for free in (one, other))
    arguments = ("--bind", "127.0.0.1", "--port", port, "--cluster-port", bus, "--cluster-enabled", "yes")
    async with served(*arguments) as server:
        async with opened(f"unix://{server.socket}") as store:
            with pytest.raises(StartError, match=r"node of a Redis Cluster: set redis.cluster"):
                await store.look()
            with pytest.raises(StoreUnavailableError, match=r"leads to a Redis Cluster: set redis.cluster = true"):
                await store.stats()
        async with opened(f"unix://{server.socket}?db=1") as store:
            assert "redis has no database 1" in (await reasons(store))["stats"]


async def test_what_somebody_else_keeps_under_our_keys_is_told(store: Store, redis: Redis):
    for key in ("jobs", "jobs:dead", "ns:erased", "ns:profiles"):
        await redis.set(key, "not ours")
    found = await reasons(store)
    for name, key, ours in (
        *((name, "jobs", "stream") for name in ("stats", "claim", "group", "submit")),
        ("letters", "jobs:dead", "stream"),
        ("marks", "jobs", "stream"),
        ("poll", "ns:profiles", "hash"),
    ):
        assert found[name].startswith(f"redis holds a string under {key}, where a {ours} of ours belongs: RENAME it")


async def test_a_script_that_fails_is_a_reason_too(gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(STATS, "text", STATS.text.replace("local length", "nothing.at_all()\nlocal length"))
    monkeypatch.setattr(STATS, "sha", "0" * 40)
    with pytest.raises(StoreUnavailableError, match="a script of ours failed on what redis holds, report it: ERR"):
        await gateway.run(STATS, group="none")
    (error,) = await gateway.run_for_pets(STATS, [Call({"group": "none"})])
    assert isinstance(error, BadStateError)
