"""Which process is to work on which partition: who is there, and leases that Redis lets expire.

A lease only says who had better do it. Whoever works on a partition all the same does no harm: the scripts look whose
an entry is, and which album a commit rests on.
"""

import secrets
import socket
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sploot_clusterd.config import Settings
from sploot_clusterd.keys import Layout
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway

LONGEST_LEASE_MS = 5000
_TOLD_WITHIN: Final = 1 / 6
"""Of a lease: so long a server may keep those of others from being known."""


class Router(NamedTuple):
    """Who moves entries of the plain stream; each one that comes after another has a higher number."""

    holder: str
    number: int


class Tenure:
    """One process's part in it, where there are several partitions. Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, layout: Layout, settings: Settings) -> None:
        self._gateway = gateway
        self._partitions = layout.several
        self.member = f"{socket.gethostname()}-{settings.service.instance} {secrets.token_hex(4)}"
        """What this process is called: another name at each start."""
        self.lease_ms = min(LONGEST_LEASE_MS, settings.stream.retry_idle_ms)

    async def beat(self) -> list[str]:
        """Says that this process is there; the names of all that are, in their order."""
        members = await self._gateway.run(scripts.BEAT, member=self.member, lives=self.lease_ms)
        return sorted(member.decode(errors="replace") for member in members)

    async def hold(self, wanted: Collection[int]) -> list[str | None]:
        """Keeps these partitions' leases, or takes those that nobody has. Each partition's holder, '' for none; None
        where that is not known, as its server does not tell.
        """
        calls = [
            Call({"member": self.member, "lives": self.lease_ms if number in wanted else 0}, [keys.owner], keys)
            for number, keys in enumerate(self._partitions)
        ]
        replies = await self._gateway.run_each(scripts.HOLD, calls, patience=self.lease_ms / 1000 * _TOLD_WITHIN)
        return [None if isinstance(reply, Exception) else reply[0].decode(errors="replace") for reply in replies]

    async def owners(self) -> list[str | None]:
        """As `hold` tells, and nothing is held."""
        return await self.hold(())

    async def let_go(self, numbers: Sequence[int]) -> None:
        """Ends the leases of these partitions, where they are ours."""
        keys = [self._partitions[number] for number in numbers]
        await self._gateway.run_each(
            scripts.LET_GO, [Call({"member": self.member}, [each.owner], each) for each in keys]
        )

    async def hold_router(self, *, see: bool = False) -> Router:
        """As `hold`, of the router's lease; `see`: only who has it."""
        first = self._partitions[0]
        values = {"member": self.member, "lives": 0 if see else self.lease_ms}
        (reply,) = await self._gateway.run_each(scripts.HOLD, [Call(values, [first.router, first.routed], first)])
        return Router(reply[0].decode(errors="replace"), reply[1])

    async def leave(self) -> None:
        """This process is about to end: what it has not let go is anybody's."""
        first = self._partitions[0]
        await self._gateway.run_each(scripts.LET_GO, [Call({"member": self.member}, [first.router], first)])
        await self._gateway.command("upkeep", "ZREM", first.members, self.member)
