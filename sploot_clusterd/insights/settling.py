"""What was taken is settled: with the job that brings the answers, in one step, whatever becomes of Redis meanwhile."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.store import Settlement, Wants
from sploot_clusterd.waiting import pause

_NO_ROOM_PAUSE: Final = 0.2
_OUTAGE_PAUSE: Final = 0.5
"""Seconds."""

Payload = Callable[[Collection[str]], bytes]
"""The job that brings the answers of these images."""


def no_job(_: Collection[str]) -> bytes:
    return b""


class Settling:
    """Settles until it is done, or the daemon stops: then what is left is due again when its lease ends."""

    def __init__(self, wants: Wants, stopping: asyncio.Event, lease_ms: int) -> None:
        self._wants = wants
        self._stopping = stopping
        self.lease_ms = lease_ms

    async def settle(self, settlement: Settlement, payload: Payload = no_job) -> tuple[int, Collection[str]]:
        """The new lease of what was put off for one, and the images that were not ours any more.

        After a lost reply it is tried again: what happened is not ours then, and does not happen twice.
        """
        named = {*settlement.handed, *settlement.done, *settlement.missing, *settlement.later}
        ours: Collection[str] = named
        while ours and not self._stopping.is_set():
            try:
                reply = await self._wants.settle(settlement._replace(payload=payload(settlement.handed)), self.lease_ms)
            except StoreUnavailableError:
                await pause(self._stopping, _OUTAGE_PAUSE)
                continue
            if reply.full:
                settlement = settlement._replace(lease=reply.lease)
                await pause(self._stopping, _NO_ROOM_PAUSE)
            elif reply.lost is not None:
                ours = reply.lost
                settlement = settlement.only(ours)
            else:
                return reply.lease, named.difference(ours)
        return 0, named
