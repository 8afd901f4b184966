"""What is asked of an album as it is stored, worked out in a thread: no reader of views waits."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Final

import msgspec

from sploot_clusterd.engine import (
    Album,
    NeedsAllRowsError,
    NeedsProfileError,
    Params,
    Profile,
    Profiles,
    decode_album,
    decode_profile,
    images_named,
)
from sploot_clusterd.engine.maps import maps
from sploot_clusterd.engine.preview import preview
from sploot_clusterd.engine.telling import hidden, said
from sploot_clusterd.engine.why import why
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.model import Job, JobPayload
from sploot_clusterd.store import AlbumStore, Loaded

_encode: Final = msgspec.json.Encoder().encode


class Looker:
    """Answers as JSON; None if the pet has no album. Each raises StoreUnavailableError; BadStateError if what is
    stored cannot be read.
    """

    def __init__(
        self,
        albums_of: Callable[[str], AlbumStore],
        fetch_profile: Callable[[str, int], Awaitable[bytes]],
        params: Params,
    ) -> None:
        """`albums_of` tells where a pet's album is, `fetch_profile` gets that of a model version and a generation."""
        self._albums_of = albums_of
        self._fetch_profile = fetch_profile
        self._params = params
        self._turn = asyncio.Lock()

    async def said(self, pet_id: str) -> bytes | None:
        """The corrections that can be taken back."""
        return await self._ask(pet_id, (), lambda album, _rows: said(album))

    async def hidden(self, pet_id: str) -> bytes | None:
        """What users hid."""
        return await self._ask(pet_id, (), lambda album, _rows: hidden(album, self._params))

    async def map(self, pet_id: str) -> bytes | None:
        """What of the pet's photos is like what, as points."""
        return await self._ask(pet_id, (), lambda album, _rows: maps(album, self._params))

    async def why(self, pet_id: str, image_id: str) -> bytes | None:
        """Why the image is where it is; None if the pet does not have it, too."""

        def explain(album: Album, rows: Mapping[str, bytes]) -> object:
            return why(album, image_id, rows.get(image_id), self._params)

        return await self._ask(pet_id, (image_id,), explain)

    async def preview(self, pet_id: str, payload: JobPayload) -> bytes | None:
        """What would come of the payload's corrections, computed as a job is, and thrown away.

        Raises BadJobError where they would be refused.
        """
        seen = {} if payload.anyway else payload.seen or {}
        job = Job(pet_id, "", EntryId(0, 0), corrections=payload.corrections or (), seen=seen)
        loaded = await self._albums_of(pet_id).load_one(pet_id, images=images_named([job]))
        if loaded is None:
            return None
        known, rows, complete = dict[tuple[str, int], Profile](), loaded.rows, False
        async with self._turn:
            album = await asyncio.to_thread(decode_album, pet_id, loaded.fields or {})
            while True:
                asked = album, job, rows, self._params, Profiles(known)
                try:
                    return _encode(await asyncio.to_thread(partial(preview, *asked, complete=complete)))
                except NeedsProfileError as lacking:
                    raw = await self._fetch_profile(lacking.model_version, lacking.generation)
                    known[lacking.model_version, lacking.generation] = decode_profile(raw)
                except NeedsAllRowsError:
                    every = await self._albums_of(pet_id).all_rows(pet_id, loaded.token)
                    if every is None:
                        raise BadStateError("the album was changed meanwhile: ask again") from None
                    rows, complete = every, True

    async def _ask(
        self, pet_id: str, images: Collection[str], question: Callable[[Album, Mapping[str, bytes]], object]
    ) -> bytes | None:
        loaded = await self._albums_of(pet_id).load_one(pet_id, images=images)
        if loaded is None:
            return None
        async with self._turn:
            return await asyncio.to_thread(_answer, pet_id, loaded, question)


def _answer(pet_id: str, loaded: Loaded, question: Callable[[Album, Mapping[str, bytes]], object]) -> bytes | None:
    found = question(decode_album(pet_id, loaded.fields or {}), loaded.rows)
    return None if found is None else _encode(found)
