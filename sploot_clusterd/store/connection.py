"""redis-py's connections, with hiredis packing their commands, for in Python that is the largest part of a commit's
cost; and its pool, where a broken connection is a lesson about the others.
"""

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import hiredis
from redis.asyncio.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.exceptions import ResponseError


class _PackedByHiredis(AbstractConnection):
    def pack_command(self, *args: Any) -> list[bytes]:
        """A command's bytes; two words as its first argument are sent as two."""
        name, *rest = args
        words = name.split() if isinstance(name, (str, bytes)) else [name]
        return [hiredis.pack_command((*words, *rest))]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        return [packed for command in commands for packed in self.pack_command(*command)]


class _Tcp(_PackedByHiredis, Connection):
    pass


class _Tls(_PackedByHiredis, SSLConnection):
    pass


class _Unix(_PackedByHiredis, UnixDomainSocketConnection):
    pass


_OURS: Final[dict[object, type[AbstractConnection]]] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}


def connection_options(url: str) -> dict[str, Any]:
    """What a pool needs to open connections to `url` (redis://, rediss:// or unix://). Raises ValueError."""
    options = dict(parse_url(url))
    options["connection_class"] = _OURS[options.get("connection_class", Connection)]
    return options


class Pool(BlockingConnectionPool):
    """Where one connection broke, the idle ones most likely lead nowhere either: closes them too.

    Else each would be found out by a command of its own, which waits for its timeout.
    """

    async def pipelined(self, commands: Sequence[Sequence[Any]]) -> list[Any | ResponseError]:
        """The replies to many commands in one round trip, in order; one that Redis refused has its error in place.

        As the library's pipeline, at a third of its cost: that one has a timer for each reply, and looks each one up in
        a table of what to make of it. Here a single timer waits for silence. Raises what the connection raises.
        """
        if not commands:
            return []
        connection: AbstractConnection = await self.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            return await _replies(connection, len(commands), patience=self.connection_kwargs["socket_timeout"])
        finally:
            await self.release(connection)

    async def release(self, connection: AbstractConnection) -> None:
        await super().release(connection)
        if not connection.is_connected:
            await self.forget_idle()

    async def forget_idle(self) -> None:
        """Closes the idle connections: commands to come open new ones. Waits for no other end, so that none of them is
        taken meanwhile.
        """
        for connection in tuple(self._available_connections):
            await connection.disconnect(nowait=True)


async def _replies(connection: AbstractConnection, count: int, *, patience: float) -> list[Any | ResponseError]:
    """Raises TimeoutError after `patience` seconds without a reply, give or take a tenth."""
    replies: list[Any | ResponseError] = []
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
