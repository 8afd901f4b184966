"""redis-py's connections, with hiredis packing their commands, for in Python that is the largest part of a commit's
cost; and its pool, where a broken connection is a lesson about the others.
"""

from collections.abc import Iterable
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
