"""Asking Redis often: commands on the pool's connections, past the library's client.

That keeps records of each command, which nobody reads, and looks out for cases that we have not.
"""

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
    replies: list[Any] = []
    async with _connection(client) as connection:
        await connection.send_packed_command(connection.pack_commands(commands))
        for _ in commands:
            try:
                replies.append(await connection.read_response())
            except ResponseError as error:
                replies.append(error)
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
