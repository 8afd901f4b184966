"""What a backfill needs: which pets are known here, and how far an earlier run of it has come."""

import re
from collections.abc import AsyncIterator

from sploot_clusterd.keys import Layout
from sploot_clusterd.store.gateway import Gateway

_KEYS_A_PAGE = 1000
_SPECIAL = re.compile(r"([*?\[\]\\^])")
"""In a pattern of Redis'."""


class Backfills:
    """Every method raises StoreUnavailableError. Of several partitions the first one knows how far they have come."""

    def __init__(self, gateway: Gateway, layout: Layout) -> None:
        self._gateway = gateway
        self._layout = layout
        self._key = gateway.keys.backfills

    async def known_pets(self) -> set[str]:
        """All that have an album. It goes through all keys of each server, some at a time."""
        prefix, tags = self._layout.plain.pet("").album, {keys.tag for keys in self._layout.partitions}
        pattern = ("" if self._layout.is_one else "{*}:") + _SPECIAL.sub(r"\\\1", prefix) + "*"
        found: set[str] = set()
        async for keys in self._all_keys(pattern):
            named = (key.decode(errors="replace").partition(prefix) for key in keys)
            found.update(pet_id for tag, _, pet_id in named if tag in tags)
        return found

    async def _all_keys(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """Pages of those that are there all the time, and on one server."""
        for server in await self._gateway.servers(primaries=True):
            cursor: bytes = b"0"
            while True:
                cursor, keys = await self._gateway.ask_server(
                    server, "SCAN", cursor, "MATCH", pattern, "COUNT", _KEYS_A_PAGE
                )
                yield keys
                if cursor == b"0":
                    break

    async def reached(self, name: str) -> str:
        """The mark up to which the backfill of that name is done; empty if it was not begun."""
        mark = await self._gateway.command("upkeep", "HGET", self._key, name, again=True)
        return (mark or b"").decode()

    async def reach(self, name: str, mark: str) -> None:
        await self._gateway.command("upkeep", "HSET", self._key, name, mark, again=True)

    async def finish(self, name: str) -> None:
        """Its next run begins anew."""
        await self._gateway.command("upkeep", "HDEL", self._key, name, again=True)
