"""Asking Redis often: commands on the pool's connections, past the library's client.

That keeps records of each command, which nobody reads, and looks out for cases that we have not.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError


async def ask(client: Redis, *command: bytes | str | float) -> Any:
    """The reply to one command, as Redis sends it. Raises what Redis or the connection raises."""
    async with _connection(client) as connection:
        await connection.send_command(*command)
        return await connection.read_response()


async def ask_all(client: Redis, commands: Sequence[Sequence[bytes | str | float]]) -> list[Any]:
    """The replies to commands in one round trip, in order; of one that Redis refused the error. Raises what the
    connection raises.
    """
    if not commands:
        return []
    async with _connection(client) as connection:
        await connection.send_packed_command(connection.pack_commands(commands))
        return await _replies(connection, len(commands), client.connection_pool.connection_kwargs["socket_timeout"])


async def _replies(connection: AbstractConnection, count: int, patience: float) -> list[Any]:
    """Raises TimeoutError after `patience` seconds without a reply, give or take a tenth: one timer waits for all."""
    replies: list[Any] = []
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(patience) as timer:
        while len(replies) < count:
            try:
                replies.append(await connection.read_response(timeout=math.inf))  # here: without a timer of its own
            except ResponseError as error:
                replies.append(error)
            if (timer.when() or 0.0) - clock() < 0.9 * patience:  # to move it costs more than to read a reply
                timer.reschedule(clock() + patience)
    return replies


@asynccontextmanager
async def _connection(client: Redis) -> AsyncIterator[AbstractConnection]:
    """One of the pool's. Where the block fails, replies may be left that would be taken for those of other commands: it
    is closed then.
    """
    pool = client.connection_pool
    connection: AbstractConnection = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        yield connection
    except ResponseError:
        raise
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    finally:
        await pool.release(connection)
