"""A consumer's name: one live process has it, and others see that by a connection that bears it."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sploot_clusterd.errors import ConsumerNameTakenError, StoreUnavailableError
from sploot_clusterd.store.dedicated import DedicatedConnection
from sploot_clusterd.store.gateway import Gateway

_PROCESS: Final = secrets.token_hex(8)
"""Tells our own connections, also ones that Redis has not yet seen go, from another process's of the same name."""
_PATIENCE: Final = 3.0
"""Seconds to wait for a name: a process that just crashed still seems connected until Redis has seen it go."""
_ASK_AGAIN: Final = 0.1
_IDLE_MS: Final = 1000
"""What the connection waits for, which only bears the name."""


class ConsumerName:
    """Of one consumer in its group."""

    def __init__(self, group: str, consumer: str) -> None:
        self._consumer = consumer
        self._mark = f"clusterd|{group}|{consumer}|"

    async def take(self, connection: DedicatedConnection, client_id: int) -> None:
        """The connection, which Redis knows by `client_id`, bears the name from now on.

        Raises ConsumerNameTakenError if another live process consumes under it; StoreUnavailableError.
        """
        deadline = time.monotonic() + _PATIENCE
        while not await self._is_ours(connection, client_id):
            if time.monotonic() > deadline:
                raise ConsumerNameTakenError(
                    f"another process consumes as {self._consumer}: give each process on this host a service.instance "
                    f"(CLUSTERD_INSTANCE) of its own, or a stream.consumer_name"
                )
            await asyncio.sleep(_ASK_AGAIN)

    async def _is_ours(self, connection: DedicatedConnection, client_id: int) -> bool:
        """Marks our connection with the name, and sees whether an older connection of another process bears it.

        Anybody who gets into Redis may call a connection so. Only who does it as our own user is one of us.
        """
        await connection.command("upkeep", "CLIENT", "SETNAME", self._mark + _PROCESS)
        listed = await connection.command("upkeep", "CLIENT", "LIST", "TYPE", "normal")
        clients = [dict(re.findall(r"([^\s=]+)=(\S*)", line)) for line in listed.decode(errors="replace").splitlines()]
        ours = next((client.get("user") for client in clients if client["id"] == str(client_id)), None)
        others = [
            int(client["id"])
            for client in clients
            if client["name"].startswith(self._mark)
            and not client["name"].endswith(_PROCESS)
            and client.get("user") == ours
        ]
        # Of two that start at one moment, the one that connected first keeps the name.
        return not any(other < client_id for other in others)


class HeldName:
    """A name that a connection apart bears, where each partition's entries are read over one of its own: on the first
    partition's server that answers, so that all processes look for it in one place.
    """

    def __init__(self, gateways: Sequence[Gateway], look: Callable[[], Awaitable[object]], name: ConsumerName) -> None:
        """`gateways` are those of the partitions, in their order; `look` has to find all in order before."""
        self._gateways = gateways
        self._look = look
        self._name = name
        self._connection: DedicatedConnection | None = None

    async def hold(self) -> None:
        """Takes the name where it is not held, or its connection is gone. Raises as `ConsumerName.take`, and StartError
        as `look`.
        """
        if self._connection:
            try:
                await self._connection.command("upkeep", "CLIENT", "ID")
            except StoreUnavailableError:
                await self.close()
            else:
                return
        await self._look()
        connection = await self._opened()
        try:
            await self._name.take(connection, int(await connection.command("upkeep", "CLIENT", "ID")))
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def close(self) -> None:
        if self._connection:
            await self._connection.close()
            self._connection = None

    async def _opened(self) -> DedicatedConnection:
        away: dict[str, StoreUnavailableError] = {}
        for gateway in self._gateways:
            if (place := gateway.place(gateway.keys)) not in away:
                try:
                    return await gateway.dedicated(_IDLE_MS)
                except StoreUnavailableError as error:
                    away[place] = error
        raise next(iter(away.values()))
