"""The connections for commands."""

import asyncio
from pathlib import Path

import pytest

from sploot_clusterd.config import RedisSettings, SecretUrl
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.store import Clients
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


async def ping(clients: Clients) -> object:
    with translated():
        return await send(clients.commands, "PING")
