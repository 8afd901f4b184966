"""The connections for commands."""

import asyncio
import time
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from sploot_clusterd.config import RedisSettings, SecretUrl
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.store import Clients
from sploot_clusterd.store import client as module
from sploot_clusterd.store.asking import ask, ask_all
from sploot_clusterd.store.client import send, translated
from tests.faults.proxy import Proxy

_TIMEOUT = 0.3


async def test_one_timeout_is_enough_to_leave_connections_that_lead_nowhere(
    redis_server: EmbeddedRedis, tmp_path: Path
):
    async with Proxy(tmp_path / "p.sock", redis_server.socket) as proxy:
        clients = Clients(RedisSettings(url=SecretUrl(f"unix://{proxy.path}"), socket_timeout=_TIMEOUT))
        assert await asyncio.gather(*(ping(clients) for _ in range(4))) == [True] * 4
        proxy.silence()
        proxy.speak(old=False)

        with pytest.raises(StoreUnavailableError):
            await ping(clients)

        assert await asyncio.gather(*(ping(clients) for _ in range(4))) == [True] * 4
        await clients.close()


async def test_a_reply_that_is_an_error_breaks_no_connection(redis_server: EmbeddedRedis):
    clients = Clients(RedisSettings(url=SecretUrl(f"unix://{redis_server.socket}")))
    first = await send(clients.commands, "CLIENT ID")
    with pytest.raises(Exception, match="unknown command"):
        await send(clients.commands, "NOSUCH")
    assert await send(clients.commands, "CLIENT ID") == first
    await clients.close()


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

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        clients = Clients(RedisSettings(url=SecretUrl(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")))
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="leads to no Redis, or to one that speaks TLS"):
                await ping(clients)
        await clients.close()


async def test_a_pipeline_may_take_longer_than_the_timeout_as_long_as_replies_come(redis_server: EmbeddedRedis):
    clients = Clients(RedisSettings(url=SecretUrl(f"unix://{redis_server.socket}"), socket_timeout=1.0))
    began = time.monotonic()
    assert await ask_all(clients.commands, [("BLPOP", "nothing", 0.5)] * 3) == [None] * 3
    assert time.monotonic() - began > 1.0
    await clients.close()


async def test_a_pipeline_without_a_reply_ends_and_its_connection_is_not_used_again(
    redis_server: EmbeddedRedis, tmp_path: Path
):
    async with Proxy(tmp_path / "p.sock", redis_server.socket) as proxy:
        clients = Clients(RedisSettings(url=SecretUrl(f"unix://{proxy.path}"), socket_timeout=_TIMEOUT))
        assert await ask_all(clients.commands, [("ECHO", "before")]) == [b"before"]
        proxy.silence()
        with pytest.raises(StoreUnavailableError), translated():
            await ask_all(clients.commands, [("ECHO", "lost")] * 2)
        proxy.speak(old=False)
        assert await ask_all(clients.commands, [("ECHO", "after")]) == [b"after"]
        await clients.close()


async def test_who_finds_no_free_connection_waits_for_one(redis_server: EmbeddedRedis, monkeypatch):
    clients = Clients(RedisSettings(url=SecretUrl(f"unix://{redis_server.socket}"), pool_max_connections=2))
    assert await asyncio.gather(*(ping(clients) for _ in range(20))) == [True] * 20
    await clients.close()

    monkeypatch.setattr(module, "_POOL_WAIT", 0.05)
    clients = Clients(RedisSettings(url=SecretUrl(f"unix://{redis_server.socket}"), pool_max_connections=1))
    blocked = asyncio.create_task(send(clients.commands, "BLPOP", "nothing", 0.5))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailableError):
        await ping(clients)
    assert await blocked is None
    assert await ping(clients)
    await clients.close()


async def test_many_commands_are_answered_in_their_order_with_errors_in_place(clients: Clients):
    commands = [("SET", "n", 1), ("INCR", "n"), ("LPUSH", "n", 1), ("INCR", "n")]

    first, second, refused, last = await ask_all(clients.commands, commands)

    assert (first, second, last) == (b"OK", 2, 3)
    assert isinstance(refused, ResponseError)
    assert await ask_all(clients.commands, []) == []


async def test_who_is_cancelled_leaves_no_replies_to_the_next(clients: Clients):
    asking = asyncio.create_task(ask_all(clients.commands, [("BLPOP", "nothing", 0.1), ("ECHO", "late")]))
    await asyncio.wait([asking], timeout=0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert await ask(clients.commands, "ECHO", "mine") == b"mine"


async def ping(clients: Clients) -> object:
    with translated():
        return await send(clients.commands, "PING")
