"""Forgetting a pet: album, view, what it is wanted or told of, images in samples, dead letters, events, audit."""

from typing import Final

from sploot_clusterd.errors import PartitionMovedError, StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.model import slots
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Gateway, pairs

_LETTERS_A_PAGE: Final = 100
_EVENTS_A_PAGE: Final = 500


class Erasure:
    """Where there are several partitions, all are gone through: a dead letter that names two pets lies with one."""

    def __init__(self, gateway: Gateway, layout: Layout, *, feeds: bool, remembers: bool = False) -> None:
        """`feeds`: the change feed is told of erasures; `remembers`: history has to forget pets, too."""
        self._feeds = feeds
        self._remembers = remembers
        self._gateway = gateway
        self._layout = layout
        self._models: list[bytes] = []

    async def erase(self, pet_id: str) -> bool:
        """True if there was anything. Raises StoreUnavailableError: then ask again."""
        placing = self._layout.placing
        if not self._layout.is_one:
            await self._note_origin(pet_id)
        gone, away = 0, list[StoreUnavailableError]()
        for keys in self._layout.partitions:
            try:
                gone += await self._erase(pet_id, keys)
                gone += await self._erase_letters(pet_id, keys)
                await self._erase_audit(pet_id, keys)
            except StoreUnavailableError as error:  # it has to be asked for again; what can go is gone by then
                away.append(error)
        if away:
            raise away[0]
        if self._layout.placing != placing:
            raise PartitionMovedError("the number of partitions changed meanwhile: erase the pet again")
        return bool(gone)

    async def is_erasing(self, pet_id: str) -> bool:
        """Whether history is still to forget the pet. Raises StoreUnavailableError."""
        keys = self._layout.of(pet_id)
        return bool(await self._gateway.at(keys).read("erase", "HEXISTS", keys.erasing, pet_id))

    async def erasing(self, keys: Keys) -> dict[str, int]:
        """Pets of a partition that history is still to forget, with when they were erased (ms). Raises
        StoreUnavailableError.
        """
        found = pairs(await self._gateway.at(keys).read("erase", "HGETALL", keys.erasing))
        return {pet.decode(errors="replace"): int(at) for pet, at in found.items() if at.isdigit()}

    async def forgotten(self, keys: Keys, pet_id: str, at_ms: int) -> None:
        """History has forgotten the pet, as of that erasure. Raises StoreUnavailableError."""
        if (await self.erasing(keys)).get(pet_id) == at_ms:
            await self._gateway.at(keys).command("erase", "HDEL", keys.erasing, pet_id)

    async def _note_origin(self, pet_id: str) -> None:
        """What producers added to the plain stream before now is not to be moved to the pet's partition any more.

        First that stream's last id, then the partition: what is moved in between is older than the partition's mark.
        """
        plain = self._gateway.at(self._layout.plain)
        last = await plain.run(scripts.LAST_ID)
        if last:
            origins = self._layout.several[self._layout.number(pet_id)].origins
            await self._gateway.command("erase", "HSET", origins, pet_id, last)

    async def _erase(self, pet_id: str, keys: Keys) -> int:
        """How much there was. The script has to be told the samples' keys: a model version that it knows and we do not
        is told to us, and we ask again.
        """
        while True:
            models = self._models
            # No sample of ours has a name that is no UTF-8.
            is_its_own = keys is self._layout.of(pet_id)
            samples = [key for model in models for key in keys.sample(model.decode(errors="replace"))]
            what, *told = await self._gateway.at(keys).run(
                scripts.ERASE,
                more_keys=samples,
                pet_id=pet_id,
                tells=int(self._feeds and is_its_own),
                remembers=int(self._remembers and is_its_own),
                slots=slots(pet_id),
                models=models,
            )
            if what == b"ok":
                await self._erase_events(pet_id, keys, told[1])
                return int(told[0])
            (self._models,) = told

    async def _erase_events(self, pet_id: str, keys: Keys, last: bytes) -> None:
        """Those up to the last one that was there at the erasure, the oldest first: each leads to the one before it, so
        that what is left by an erasure that breaks off is found by the next.
        """
        way, ids = self._gateway.at(keys), list[bytes]()
        while last:
            last, page = await way.run(scripts.PET_EVENTS, pet_id=pet_id, from_id=last, most=_EVENTS_A_PAGE)
            ids += page
        ids.reverse()
        for first in range(0, len(ids), _EVENTS_A_PAGE):
            await way.run(scripts.DROP_EVENTS, ids=ids[first : first + _EVENTS_A_PAGE])

    async def _erase_audit(self, pet_id: str, keys: Keys) -> None:
        while True:
            found = await self._gateway.at(keys).run(scripts.ERASE_AUDIT, pet_id=pet_id, most=_EVENTS_A_PAGE)
            if found < _EVENTS_A_PAGE:
                return

    async def _erase_letters(self, pet_id: str, keys: Keys) -> int:
        gone = 0
        cursor: bytes = b""
        while True:
            cursor, deleted = await self._gateway.at(keys).run(
                scripts.ERASE_LETTERS, pet_id=pet_id, cursor=cursor, page_size=_LETTERS_A_PAGE
            )
            gone += int(deleted)
            if not cursor:
                return gone
