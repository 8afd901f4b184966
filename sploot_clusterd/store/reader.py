"""A consumer's own connection: it holds the name, reads new entries, and can be woken from a blocked read."""

import asyncio
import secrets
import time
from typing import Final

from sploot_clusterd.errors import ConsumerNameTakenError, GroupMissingError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.client import Clients, send, translated
from sploot_clusterd.store.keys import Keys
from sploot_clusterd.store.stream import Entry, Stream, entry_id

_PROCESS: Final = secrets.token_hex(8)
"""Tells our own connections, also ones that Redis has not yet seen go, from another process's of the same name."""
_NAME_PATIENCE: Final = 3.0
"""Seconds to wait for a name: a process that just crashed still seems connected until Redis has seen it go."""
_ASK_AGAIN: Final = 0.1


class Reader:
    """Reads new entries of the stream for one consumer. Only one read at a time."""

    def __init__(
        self,
        clients: Clients,
        stream: Stream,
        keys: Keys,
        metrics: Metrics,
        *,
        consumer: str,
        count: int,
        block_ms: int,
    ) -> None:
        self._clients = clients
        self._stream = stream
        self._deliveries = metrics.deliveries
        self._round_trips = metrics.redis_round_trips.labels("read")
        self.consumer = consumer
        self._command: list[str | int] = ["XREADGROUP", "GROUP", stream.group, consumer]
        self._command += ["COUNT", count, "BLOCK", block_ms, "STREAMS", keys.stream, ">"]
        self._client = clients.reader(block_ms)
        self._client_id = 0
        self._reading = False

    async def open(self) -> None:
        """Connects, takes the consumer's name and sees to the group.

        Raises ConsumerNameTakenError if another live process consumes under this name; StartError as `Clients.look`;
        StoreUnavailableError.
        """
        await self._clients.look()  # the pulse tells what it finds; here nothing begins on a server that will not do
        deadline = time.monotonic() + _NAME_PATIENCE
        while not await self._take_name():
            if time.monotonic() > deadline:
                raise ConsumerNameTakenError(
                    f"another process consumes as {self.consumer}: give each process on this host a service.instance "
                    f"(CLUSTERD_INSTANCE) of its own, or a stream.consumer_name"
                )
            await asyncio.sleep(_ASK_AGAIN)
        await self._stream.ensure_group()

    async def read(self) -> list[Entry]:
        """New entries, as soon as there are some; none after the block time, or when woken.

        Raises StoreUnavailableError. Must not be cancelled: what is on the wire by then would be nobody's for long.
        """
        self._reading = True
        self._round_trips.inc()
        try:
            with translated():
                reply = await send(self._client, *self._command)
        except GroupMissingError:
            await self._stream.ensure_group()  # flushed or deleted: what comes in from now on is still ours to do
            return []
        finally:
            self._reading = False
        entries = [Entry(entry_id(key), fields) for key, fields in (reply[0][1] if reply else ())]
        self._deliveries.inc(len(entries))
        return entries

    async def wake(self) -> None:
        """Ends a blocked read: it returns nothing. A read that is not yet blocked is asked again until it is over."""
        while self._reading:
            with translated():
                await send(self._clients.commands, "CLIENT UNBLOCK", self._client_id)
            await asyncio.sleep(_ASK_AGAIN / 10)

    async def close(self) -> None:
        await self._clients.drop(self._client)

    async def _take_name(self) -> bool:
        """Marks our connection with the name, and sees whether an older connection of another process bears it."""
        mark = f"clusterd|{self._stream.group}|{self.consumer}|"
        with translated():
            self._client_id = int(await send(self._client, "CLIENT ID"))
            await send(self._client, "CLIENT SETNAME", mark + _PROCESS)
            others = [
                int(client["id"])
                for client in await send(self._clients.commands, "CLIENT LIST", "TYPE", "normal")
                if client["name"].startswith(mark) and not client["name"].endswith(_PROCESS)
            ]
        # Of two that start at one moment, the one that connected first keeps the name.
        return not any(other < self._client_id for other in others)
