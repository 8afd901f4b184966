"""What is asked of an album as it is stored, worked out in a thread: no reader of views waits."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec

from sploot_clusterd.engine import Album, Params, decode_album
from sploot_clusterd.engine.telling import hidden, said
from sploot_clusterd.engine.why import why
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.store import AlbumStore, Loaded, Wanted

_encode: Final = msgspec.json.Encoder().encode


class Looker:
    """Answers as JSON; None if the pet has no album. Each raises StoreUnavailableError; BadStateError if what is
    stored cannot be read.
    """

    def __init__(self, albums_of: Callable[[str], AlbumStore], params: Params) -> None:
        """`albums_of` tells where a pet's album is."""
        self._albums_of = albums_of
        self._params = params
        self._turn = asyncio.Lock()

    async def said(self, pet_id: str) -> bytes | None:
        """The corrections that can be taken back."""
        return await self._ask(pet_id, (), lambda album, _rows: said(album))

    async def hidden(self, pet_id: str) -> bytes | None:
        """What users hid."""
        return await self._ask(pet_id, (), lambda album, _rows: hidden(album, self._params))

    async def why(self, pet_id: str, image_id: str) -> bytes | None:
        """Why the image is where it is; None if the pet does not have it, too."""

        def explain(album: Album, rows: Mapping[str, bytes]) -> object:
            return why(album, image_id, rows.get(image_id), self._params)

        return await self._ask(pet_id, (image_id,), explain)

    async def _ask(
        self, pet_id: str, images: Collection[str], question: Callable[[Album, Mapping[str, bytes]], object]
    ) -> bytes | None:
        (loaded,) = await self._albums_of(pet_id).load([Wanted(pet_id, b"", images)])
        if isinstance(loaded, BadStateError):
            raise loaded
        if not loaded.token:
            return None
        async with self._turn:
            return await asyncio.to_thread(_answer, pet_id, loaded, question)


def _answer(pet_id: str, loaded: Loaded, question: Callable[[Album, Mapping[str, bytes]], object]) -> bytes | None:
    found = question(decode_album(pet_id, loaded.fields or {}), loaded.rows)
    return None if found is None else _encode(found)
