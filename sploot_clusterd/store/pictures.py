"""Albums as they are kept, whole and byte for byte, with their views: for who keeps them elsewhere."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, NamedTuple

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.keys import Keys
from sploot_clusterd.store.gateway import Gateway, pairs
from sploot_clusterd.store.pets_of import pets_of

_TOKEN: Final = b"token"
_TOKEN_OF_OURS: Final = re.compile(rb"[^.]+\.[0-9]{1,15}")
_INCARNATION: Final = b"incarnation"
_ROWS_A_PAGE: Final = 500


class Picture(NamedTuple):
    """A pet at one moment. `fields` are those of its album, the token too; `view` is empty where there is none."""

    pet_id: str
    fields: Mapping[bytes, bytes]
    rows: Mapping[str, bytes]
    view: bytes

    @property
    def token(self) -> str:
        return self.fields[_TOKEN].decode(errors="replace")

    @property
    def incarnation(self) -> str:
        """Empty where the feed was not told of it yet."""
        return self.fields.get(_INCARNATION, b"").decode(errors="replace")


class Pictures:
    """Of the pets of one partition. Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway) -> None:
        """`gateway` has the partition's keys."""
        self._gateway = gateway

    @property
    def _keys(self) -> Keys:
        return self._gateway.keys

    async def tokens(self, pets: Sequence[str]) -> dict[str, str]:
        """Of those that have an album."""
        commands = [(self._keys, ("HGET", self._keys.pet(pet).album, _TOKEN)) for pet in pets]
        replies = await self._gateway.read_each("load", commands) if commands else []
        return {
            pet: reply.decode(errors="replace")
            for pet, reply in zip(pets, replies, strict=True)
            if isinstance(reply, bytes)
        }

    async def take(self, pets: Sequence[str]) -> tuple[list[Picture], list[str]]:
        """Of those that have an album; and the pets that had commits while theirs was read: again later."""
        commands = []
        for pet in pets:
            keys = self._keys.pet(pet)
            commands += [(self._keys, ("HGETALL", keys.album)), (self._keys, ("MGET", keys.view))]
        replies = await self._gateway.read_each("load", commands) if commands else []
        taken = [
            Picture(pet, pairs(album), await self._rows(pet), view[0] or b"")
            for pet, album, view in zip(pets, replies[::2], replies[1::2], strict=True)
            if album and not isinstance(album, Exception) and not isinstance(view, Exception)
        ]
        taken = [each for each in taken if _TOKEN_OF_OURS.fullmatch(each.fields.get(_TOKEN, b""))]
        now = await self.tokens([each.pet_id for each in taken])
        whole = [each for each in taken if now.get(each.pet_id) == each.token]
        return whole, [each.pet_id for each in taken if now.get(each.pet_id, each.token) != each.token]

    async def named(self) -> AsyncIterator[list[str]]:
        """All pets, some at a time, some more than once."""
        async for page in pets_of(self._gateway, self._keys):
            yield sorted(page)

    async def _rows(self, pet_id: str) -> dict[str, bytes]:
        rows = dict[str, bytes]()
        try:
            async for page in self._gateway.scan("load", self._keys.pet(pet_id).images, _ROWS_A_PAGE):
                rows.update((image.decode(errors="replace"), row) for image, row in page.items())
        except BadStateError:
            return {}  # of another type: the pet's jobs say so
        return rows
