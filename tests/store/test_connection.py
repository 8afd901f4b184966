"""The connections for commands."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import hiredis
import pytest
from redis.asyncio import Redis

from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.store import way
from sploot_clusterd.store.connection import Connection, Pool, ReplyError, pack
from sploot_clusterd.store.gateway import Gateway
from tests.faults.proxy import Proxy
from tests.support.stores import opened
from tests.support.waiting import eventually

_TIMEOUT = 1.0
"""Seconds: what is answered is answered in time also where the machine is busy."""


def packed(*commands: tuple[str | float, ...]) -> tuple[bytes, int]:
    return b"".join(map(pack, commands)), len(commands)


async def ping(gateway: Gateway) -> bytes:
    return await gateway.ask_server("jobs", "PING")


@asynccontextmanager
async def pooled(path: Path, patience: float = 5.0, trusted_seconds: float = 0.0) -> AsyncIterator[Pool]:
    async def connect() -> Connection:
        return (await asyncio.get_running_loop().create_unix_connection(lambda: Connection(patience), str(path)))[1]

    pool = Pool(connect, most=4, patience=1.0, trusted_seconds=trusted_seconds)
    yield pool
    await pool.close()


@pytest.fixture
async def pool(redis_server: EmbeddedRedis) -> AsyncIterator[Pool]:
    async with pooled(redis_server.socket) as pool:
        yield pool


async def test_one_timeout_is_enough_to_leave_connections_that_lead_nowhere(
    redis_server: EmbeddedRedis, tmp_path: Path
):
    async with (
        Proxy(tmp_path / "p.sock", redis_server.socket) as proxy,
        opened(f"unix://{proxy.path}", socket_timeout=_TIMEOUT) as store,
    ):
        gateway = store.gateway
        assert await asyncio.gather(*(ping(gateway) for _ in range(4))) == [b"PONG"] * 4
        proxy.silence()
        proxy.speak(old=False)

        with pytest.raises(StoreUnavailableError):
            await ping(gateway)

        assert await asyncio.gather(*(ping(gateway) for _ in range(4))) == [b"PONG"] * 4


async def test_a_reply_that_is_an_error_breaks_no_connection(gateway: Gateway):
    first = await gateway.ask_server("jobs", "CLIENT", "ID")
    with pytest.raises(StoreUnavailableError, match="NOSUCH"):
        await gateway.ask_server("jobs", "NOSUCH")
    assert await gateway.ask_server("jobs", "CLIENT", "ID") == first


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 400 Bad Request\r\n", b"\x15\x03\x01\x00\x02\x02\x16", b"ERROR\r\n"],
    ids=["HTTP", "TLS", "other"],
)
async def test_what_is_no_redis_is_one_out_of_reach(reply: bytes):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(reply)
        writer.close()

    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as server,
        opened(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}") as store,
    ):
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="leads to no Redis, or to one that speaks TLS"):
                await ping(store.gateway)


async def test_a_pipeline_may_take_longer_than_the_timeout_as_long_as_replies_come(redis_server: EmbeddedRedis):
    began = time.monotonic()
    async with pooled(redis_server.socket, patience=2.0) as pool:
        assert await pool.exchange(*packed(*[("BLPOP", "nothing", 0.2)] * 12)) == [None] * 12
    assert time.monotonic() - began > 2.0


async def test_a_pipeline_without_a_reply_ends_and_its_connection_is_not_used_again(
    redis_server: EmbeddedRedis, tmp_path: Path
):
    async with Proxy(tmp_path / "p.sock", redis_server.socket) as proxy, pooled(proxy.path, _TIMEOUT) as pool:
        assert await pool.exchange(*packed(("ECHO", "before"))) == [b"before"]
        proxy.silence()
        with pytest.raises(TimeoutError):
            await pool.exchange(*packed(*[("ECHO", "lost")] * 2))
        proxy.speak(old=False)
        assert await pool.exchange(*packed(("ECHO", "after"))) == [b"after"]


async def test_who_finds_no_free_connection_waits_for_one(redis_server: EmbeddedRedis, redis: Redis, monkeypatch):
    url = f"unix://{redis_server.socket}"
    async with opened(url, pool_max_connections=2) as store:
        assert await asyncio.gather(*(ping(store.gateway) for _ in range(20))) == [b"PONG"] * 20

    monkeypatch.setattr(way, "POOL_WAIT", 0.05)
    async with opened(url, pool_max_connections=1) as store:
        blocked = asyncio.create_task(store.gateway.command("upkeep", "BLPOP", "later", "4"))
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailableError):
            await ping(store.gateway)
        await redis.rpush("later", "it")
        assert await blocked == [b"later", b"it"]
        assert await ping(store.gateway) == b"PONG"


async def test_many_commands_are_answered_in_their_order_with_errors_in_place(pool: Pool, redis: Redis):
    first, second, refused, last = await pool.exchange(
        *packed(("SET", "n", 1), ("INCR", "n"), ("LPUSH", "n", 1), ("INCR", "n"))
    )
    assert (first, second, last) == (b"OK", 2, 3)
    assert isinstance(refused, ReplyError)


async def test_who_is_cancelled_leaves_no_replies_to_the_next_and_the_idle_ones_alone(pool: Pool, redis: Redis):
    ids = await asyncio.gather(*(pool.exchange(*packed(("CLIENT", "ID"))) for _ in range(3)))
    asking = asyncio.create_task(pool.exchange(*packed(("BLPOP", "later", 4), ("ECHO", "late"))))
    await asyncio.wait([asking], timeout=0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await redis.rpush("later", "it")

    assert await pool.exchange(*packed(("ECHO", "mine"))) == [b"mine"]
    assert await pool.exchange(*packed(("CLIENT", "ID"))) in ids


async def test_one_that_the_server_closed_is_not_used(pool: Pool, redis: Redis):
    ((number,),) = [await pool.exchange(*packed(("CLIENT", "ID")))]
    await redis.client_kill_filter(_id=number)

    async def gone() -> bool:
        return number not in [int(client["id"]) for client in await redis.client_list()]

    await eventually(gone, what="the connection to be closed")
    await asyncio.sleep(0)
    assert await pool.exchange(*packed(("ECHO", "there"))) == [b"there"]


async def test_one_that_was_idle_for_long_is_tried_before_use(redis_server: EmbeddedRedis, tmp_path: Path):
    async with (
        Proxy(tmp_path / "p.sock", redis_server.socket) as proxy,
        pooled(proxy.path, _TIMEOUT, trusted_seconds=1e-9) as pool,
    ):
        first = await pool.exchange(*packed(("CLIENT", "ID")))
        assert await pool.exchange(*packed(("CLIENT", "ID"))) == first
        proxy.silence()
        proxy.speak(old=False)
        assert await pool.exchange(*packed(("CLIENT", "ID"))) != first, "nothing was lost: it was not sent yet"


async def test_after_the_end_nothing_opens_connections_again(pool: Pool, redis: Redis):
    blocked = asyncio.create_task(pool.exchange(*packed(("BLPOP", "nothing", 10))))
    await pool.exchange(*packed(("PING",)))
    await pool.close()
    for late in (blocked, pool.exchange(*packed(("PING",)))):
        with pytest.raises(ConnectionError):
            await late

    async def none_is_left() -> bool:
        return not [client for client in await redis.client_list() if client["cmd"] in ("blpop", "ping")]

    await eventually(none_is_left, what="redis to have seen them go")


@pytest.mark.parametrize("end", [lambda writer: writer.close(), lambda writer: writer.transport.abort()])
async def test_why_it_hangs_up_is_told(end: Callable[[asyncio.StreamWriter], None]):
    """As a server with all its clients does, before it was asked anything."""

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"-ERR max number of clients reached\r\n")
        await writer.drain()
        end(writer)

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(1.0), "127.0.0.1", port)
        await eventually(lambda: connection.closed, what="the server to hang up")
        with pytest.raises(ReplyError, match="max number of clients"):
            await connection.exchange(*packed(("PING",)))


async def test_what_is_no_reply_ends_an_exchange(tmp_path: Path):
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no reply\r\n")
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "s"), pooled(tmp_path / "s") as pool:
        with pytest.raises((hiredis.ProtocolError, ConnectionError)):
            await pool.exchange(*packed(("PING",)))
