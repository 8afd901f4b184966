"""redis-py's connections, with hiredis packing their commands and no task for each send; and a pool without locks and
records, where a broken connection is a lesson about the others.

The library's own ways around a command cost several times what the command does, and turns of the event loop besides.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import hiredis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.exceptions import ConnectionError  # noqa: A004 - the library's own name for it


class _Lean(AbstractConnection):
    def pack_command(self, *args: Any) -> list[bytes]:
        """A command's bytes; two words as its first argument are sent as two."""
        name, *rest = args
        words = name.split() if isinstance(name, (str, bytes)) else [name]
        return [hiredis.pack_command((*words, *rest))]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        return [packed for command in commands for packed in self.pack_command(*command)]

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Hands a packed command to the transport, which keeps what the socket does not take.

        It is not waited for: nothing more is sent before the reply, and waiting for that has an end.
        """
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        if self._writer is None or self._writer.is_closing():
            await self.disconnect(nowait=True)
            raise ConnectionError("the connection was lost")
        self._writer.writelines(command)


class _Tcp(_Lean, Connection):
    pass


class _Tls(_Lean, SSLConnection):
    pass


class _Unix(_Lean, UnixDomainSocketConnection):
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


class Pool(ConnectionPool):
    """Up to `max_connections`; who comes when all are in use waits for one, at most `patience` seconds.

    Where one connection broke, the idle ones most likely lead nowhere either: closes them too. Else each would be found
    out by a command of its own, which waits for its timeout.
    """

    def __init__(self, *, max_connections: int, patience: float, **options: Any) -> None:
        super().__init__(max_connections=max_connections, **options)
        self._patience = patience
        self._room = asyncio.Semaphore(max_connections)

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        """A connection that is ready for a command. Raises TimeoutError if none becomes free."""
        if self._room.locked():
            async with asyncio.timeout(self._patience):
                await self._room.acquire()
        else:
            await self._room.acquire()  # at once: a timer for each command would cost as much as the rest
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)
        self._room.release()
        if not connection.is_connected:
            await self.forget_idle()

    async def forget_idle(self) -> None:
        """Closes the idle connections: commands to come open new ones. Waits for no other end, so that none of them is
        taken meanwhile.
        """
        for connection in tuple(self._available_connections):
            await connection.disconnect(nowait=True)
