"""What to ask users, worked out from the stored album when somebody wants it, in a thread: no reader of views waits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from sploot_clusterd.engine import Params, decode_album
from sploot_clusterd.engine.questions import suggest
from sploot_clusterd.store import AlbumStore
from sploot_clusterd.view import MOST_SUGGESTIONS, Suggestions

_REMEMBERED: Final = 256
"""Pets whose questions are kept until their albums change: an app shows them one at a time, and asks again."""

_encode = msgspec.json.Encoder().encode


class Suggester:
    """The questions of the album as it is stored: those of the view's version, as both are written in one step."""

    def __init__(self, albums_of: Callable[[str], AlbumStore], params: Params) -> None:
        """`albums_of` tells where a pet's album is."""
        self._albums_of = albums_of
        self._params = params
        self._known: dict[str, tuple[bytes, Suggestions]] = {}
        """By pet: the album's token, and the questions."""
        self._turn = asyncio.Lock()

    async def suggestions(self, pet_id: str, limit: int) -> bytes | None:
        """The best `limit` questions as JSON; None if the pet has no album.

        Raises StoreUnavailableError; BadStateError if the album cannot be read.
        """
        token, suggested = self._known.get(pet_id, (b"", None))
        loaded = await self._albums_of(pet_id).load_one(pet_id, token=token)
        if loaded is None:
            self._known.pop(pet_id, None)
            return None
        if suggested is None or loaded.fields is not None:
            async with self._turn:
                suggested = await asyncio.to_thread(self._work_out, pet_id, loaded.fields or {})
            self._remember(pet_id, loaded.token, suggested)
        return _encode(Suggestions(suggested.suggestions[:limit], suggested.version))

    def _work_out(self, pet_id: str, fields: Mapping[bytes, bytes]) -> Suggestions:
        return suggest(decode_album(pet_id, fields), self._params, MOST_SUGGESTIONS)

    def _remember(self, pet_id: str, token: bytes, suggested: Suggestions) -> None:
        self._known.pop(pet_id, None)
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[pet_id] = token, suggested
