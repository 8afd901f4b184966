"""A connection of one's own, beside those that everything else goes over: for reads that block, and to bear a name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from sploot_clusterd.store.connection import Argument, Connection, ReplyError, pack
from sploot_clusterd.store.reasons import FAILURES
from sploot_clusterd.store.script import Kind
from sploot_clusterd.store.way import COMMAND_TIMEOUT
from sploot_clusterd.store.whereabouts import Server


class DedicatedConnection:
    """One connection, opened once: what was done on it, such as taking a name, is not there on another one."""

    def __init__(self, server: Server, connection: Connection, round_trips: Mapping[str, Any]) -> None:
        self._server = server
        self._connection = connection
        self._round_trips = round_trips

    async def command(self, kind: Kind, *command: Argument) -> Any:
        """The reply. Raises StoreUnavailableError, or one of its kinds."""
        self._round_trips[kind].inc()
        try:
            (reply,) = await self._connection.exchange(pack(command))
        except FAILURES as error:
            raise self._server.explained(error) from error
        if isinstance(reply, ReplyError):
            raise self._server.explained(reply)
        return reply

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Self]:
        """Another connection to the same server, by which this one's can be seen and woken."""
        try:
            connection = await self._server.connect(COMMAND_TIMEOUT)
        except FAILURES as error:
            raise self._server.explained(error) from error
        other = type(self)(self._server, connection, self._round_trips)
        try:
            yield other
        finally:
            await other.close()

    async def close(self) -> None:
        """Closed even if the caller is cancelled."""
        self._connection.abort()
        await self._connection.wait_closed()
