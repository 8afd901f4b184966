"""Whose feeds one process writes down, where several processes could.

It only spares work: of two that write a feed, the database refuses one.
"""

import secrets
import socket

from sploot_clusterd.config import Settings
from sploot_clusterd.keys import Layout
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.tenure import LONGEST_LEASE_MS, Tenure


class Charge:
    """Each partition's feed is its reader's; with one partition, that of who has the lease. Every method raises
    StoreUnavailableError.
    """

    def __init__(self, gateway: Gateway, layout: Layout, settings: Settings, tenure: Tenure | None) -> None:
        self._gateway = gateway
        self._layout = layout
        self._tenure = tenure
        self._member = f"{socket.gethostname()}-{settings.service.instance} {secrets.token_hex(4)}"

    async def ours(self) -> list[int]:
        """Those that are this process's for the next seconds."""
        if self._tenure is not None:
            owners = await self._tenure.owners()
            return [number for number, owner in enumerate(owners) if owner == self._tenure.member]
        keys = self._layout.plain
        call = Call({"member": self._member, "lives": LONGEST_LEASE_MS}, [keys.feed_writer], keys)
        ((holder, _),) = await self._gateway.run_each(scripts.HOLD, [call])
        return [0] if holder.decode(errors="replace") == self._member else []

    async def let_go(self) -> None:
        """Another process may write at once."""
        if self._tenure is None:
            keys = self._layout.plain
            await self._gateway.run_each(scripts.LET_GO, [Call({"member": self._member}, [keys.feed_writer], keys)])
