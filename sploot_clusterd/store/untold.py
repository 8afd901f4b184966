"""What the storage service is still to be told of pets' images: the newest word on each, until it was told."""

from collections.abc import Mapping, Sequence

from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.keys import Layout
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway, pairs
from sploot_clusterd.store.wants import Queue, due_pets


class Untold:
    """Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, layout: Layout) -> None:
        self._gateway = gateway
        self._layout = layout

    async def due(self, most: int) -> Queue:
        """The pets of which there is something to tell, of those that are due so many at most."""
        return await due_pets(self._gateway, [(keys, keys.tellings) for keys in self._layout.partitions], most)

    async def take(self, pet_ids: Sequence[str], most: int, lease_ms: int) -> dict[str, Mapping[str, bytes]]:
        """Of each of these pets what there is to tell, of so many images at most; due again when the lease ends."""
        calls = [
            Call({"pet_id": pet_id, "most": most, "lease_ms": lease_ms}, keys=self._layout.of(pet_id))
            for pet_id in pet_ids
        ]
        replies = await self._gateway.run_for_pets(scripts.TAKE_UNTOLD, calls)
        found: dict[str, Mapping[str, bytes]] = {}
        for pet_id, reply in zip(pet_ids, replies, strict=True):
            if isinstance(reply, (BadStateError, StoreUnavailableError)):
                continue
            found[pet_id] = {image.decode(errors="replace"): what for image, what in pairs(reply).items()}
        return found

    async def settle(self, pet_id: str, told: Mapping[str, bytes], delay_ms: int) -> int:
        """These were told; what is left, or new since, is due after so many ms. How many are forgotten."""
        parts = [part for each in told.items() for part in each]
        way = self._gateway.at(self._layout.of(pet_id))
        return int(await way.run(scripts.SETTLE_UNTOLD, pet_id=pet_id, delay_ms=delay_ms, told=parts))
