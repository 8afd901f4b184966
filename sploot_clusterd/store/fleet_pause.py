"""The pause of the whole fleet: a key that expires when it ends."""

from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from sploot_clusterd.keys import Layout
from sploot_clusterd.store.gateway import Gateway


class _Stored(msgspec.Struct):
    reason: str
    until: str


class Paused(NamedTuple):
    """Why no jobs are taken, until when (RFC 3339), and how many seconds are left by Redis' clock."""

    reason: str
    until: str
    seconds_left: float


_decode: Final = msgspec.json.Decoder(_Stored).decode
_encode: Final = msgspec.json.Encoder().encode


class FleetPause:
    """Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, layout: Layout) -> None:
        self._keys = layout.plain
        self._gateway = gateway.at(layout.plain)

    async def begin(self, reason: str, until: datetime) -> None:
        """In place of one that there is. Ends by itself at `until`, by Redis' clock."""
        stamp = until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        at_ms = int(until.timestamp() * 1000)
        await self._gateway.command("upkeep", "SET", self._keys.paused, _encode(_Stored(reason, stamp)), "PXAT", at_ms)

    async def end(self) -> bool:
        """Whether there was one."""
        return bool(await self._gateway.command("upkeep", "UNLINK", self._keys.paused))

    async def look(self) -> Paused | None:
        """None where there is none, or something else in its place."""
        key = self._keys.paused
        stored, left_ms = await self._gateway.read_each(
            "upkeep", [(self._keys, ("MGET", key)), (self._keys, ("PTTL", key))]
        )
        for reply in (stored, left_ms):
            if isinstance(reply, Exception):
                raise reply
        if stored[0] is None or left_ms < 0:  # of its last millisecond 0 is left
            return None
        try:
            told = _decode(stored[0])
        except (ValueError, RecursionError):
            return None
        return Paused(told.reason, told.until, left_ms / 1000)
