"""Albums as they are kept, whole and byte for byte, with their views: for who keeps them elsewhere."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.keys import Keys
from sploot_clusterd.pet_keys import PetKeys
from sploot_clusterd.store.connection import Argument
from sploot_clusterd.store.gateway import Gateway, pairs
from sploot_clusterd.store.pets_of import pets_of

_TOKEN: Final = b"token"
_TOKEN_OF_OURS: Final = re.compile(rb"[^.]+\.[0-9]{1,15}")
_INCARNATION: Final = b"incarnation"
_ROWS_A_PAGE: Final = 500
_AT_ONCE: Final = 8
"""Albums in a round trip, where they are small ..."""
_BYTES_AT_ONCE: Final = 256 * 1024
"""... for Redis answers one in a go, the loop takes the answer in likewise, and readers wait for both."""


class Picture(NamedTuple):
    """A pet at one moment. `fields` are those of its album, the token too; `view` is empty where there is none."""

    pet_id: str
    fields: Mapping[bytes, bytes]
    raw_rows: Mapping[bytes, bytes]
    view: bytes

    @property
    def rows(self) -> dict[str, bytes]:
        """By image ids. They are decoded where they are wanted: of a large album that takes a while."""
        return {image.decode(errors="replace"): row for image, row in self.raw_rows.items()}

    @property
    def nbytes(self) -> int:
        return len(self.view) + sum(map(len, self.fields.values())) + sum(map(len, self.raw_rows.values()))

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
        self._at_once = 1

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
        whole, torn = list[Picture](), list[str]()
        left = pets
        while left:
            some, left = left[: self._at_once], left[self._at_once :]
            taken = await self._taken(some)
            for picture, token in taken:
                if token == picture.fields[_TOKEN]:
                    whole.append(picture)
                elif token is not None:
                    torn.append(picture.pet_id)
            size = sum(picture.nbytes for picture, _ in taken)
            self._at_once = max(1, min(_AT_ONCE, _BYTES_AT_ONCE * len(some) // (size + 1)))
        return whole, torn

    async def named(self) -> AsyncIterator[list[str]]:
        """All pets, some at a time, some more than once."""
        async for page in pets_of(self._gateway, self._keys):
            yield sorted(page)

    async def _taken(self, pets: Sequence[str]) -> list[tuple[Picture, bytes | None]]:
        """Each with the album's token after that; None of one that has gone."""
        keys = [self._keys.pet(pet) for pet in pets]
        commands = [(self._keys, command) for each in keys for command in _of_a_pet(each)]
        replies = iter(await self._gateway.read_each("load", commands) if commands else ())
        taken = list[tuple[Picture, bytes | None]]()
        for pet, each, album, view, page, token in zip(pets, keys, *(replies,) * 4, strict=False):
            fields = {} if isinstance(album, Exception) else pairs(album)
            if isinstance(view, Exception) or not _TOKEN_OF_OURS.fullmatch(fields.get(_TOKEN, b"")):
                continue
            rows, is_all = await self._rows(each, page)
            now = token if is_all else await self._gateway.read("load", "HGET", each.album, _TOKEN)
            taken.append((Picture(pet, fields, rows, view[0] or b""), now if isinstance(now, bytes) else None))
        return taken

    async def _rows(self, keys: PetKeys, first: Any) -> tuple[dict[bytes, bytes], bool]:
        """From their first page on, which is all of most; whether it was all."""
        if isinstance(first, BadStateError):
            return {}, True  # of another type: the pet's jobs say so
        if isinstance(first, Exception):
            raise first
        cursor, page = first
        rows, is_all = pairs(page), cursor == b"0"
        while cursor != b"0":
            cursor, page = await self._gateway.read("load", *_page(keys.images, cursor))
            rows |= pairs(page)
        return rows, is_all


def _of_a_pet(keys: PetKeys) -> Sequence[tuple[Argument, ...]]:
    return ("HGETALL", keys.album), ("MGET", keys.view), _page(keys.images, b"0"), ("HGET", keys.album, _TOKEN)


def _page(images: str, cursor: bytes) -> tuple[str, str, bytes, str, int]:
    return "HSCAN", images, cursor, "COUNT", _ROWS_A_PAGE
