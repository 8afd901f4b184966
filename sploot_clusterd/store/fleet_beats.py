"""Where processes tell of themselves: a hash that expires when all of them are silent."""

from collections.abc import Mapping, Sequence
from typing import Final

from sploot_clusterd.keys import Layout
from sploot_clusterd.store.gateway import Gateway, pairs

_LIVES_S: Final = 60


class FleetBeats:
    """Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, layout: Layout) -> None:
        self._key = layout.plain.fleet
        self._gateway = gateway.at(layout.plain)

    async def tell(self, process: str, beat: bytes) -> None:
        """In place of what it told before."""
        await self._gateway.command("upkeep", "HSET", self._key, process, beat, again=True)
        await self._gateway.command("upkeep", "EXPIRE", self._key, _LIVES_S, again=True)

    async def all(self) -> Mapping[str, bytes]:
        """What each told last, also of processes that are gone."""
        found = pairs(await self._gateway.read("upkeep", "HGETALL", self._key))
        return {process.decode(errors="replace"): told for process, told in found.items()}

    async def forget(self, processes: Sequence[str]) -> None:
        await self._gateway.command("upkeep", "HDEL", self._key, *processes, again=True)

    async def leave(self, process: str) -> None:
        await self.forget([process])
