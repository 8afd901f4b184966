"""Albums in Redis: loading what a job needs, and the one way to change them, the commit.

The store moves bytes. What they mean is the engine's. Rows of images live in a hash of their own, so that an album's
small state can be read whole without its vectors.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Final

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.model import SAMPLE_LIMIT
from sploot_clusterd.store import scripts
from sploot_clusterd.store.commit import Commit, CommitOutcome, CommitSettings, Committed, call, next_tokens
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.loading import LOOKS, Loaded, Wanted, looks, of_script, unchanged

_TOKEN: Final = b"token"
_ROWS_A_PAGE: Final = 500


class AlbumStore:
    """Loads and commits albums of one consumer group."""

    def __init__(
        self,
        gateway: Gateway,
        settings: Settings,
        *,
        most_sampled: int = SAMPLE_LIMIT,
        trim: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`most_sampled` images make a full sample of the fleet; `trim` is called where the feed is too large."""
        self._gateway = gateway
        life = settings.albums.ttl_seconds or 0
        self._settings = CommitSettings(
            settings.stream.group, settings.clusters.ttl_seconds, life, most_sampled, settings.jobs.ttl_seconds
        )
        self._most_feed_bytes = settings.feed.bytes
        self._trim = trim

    async def load(self, wanted: Sequence[Wanted]) -> list[Loaded | BadStateError]:
        """All of them, in order: those whose states in memory are current in one round trip, the others in another one.

        Raises StoreUnavailableError.
        """
        found = await self._unchanged(wanted)
        rest = [n for n, loaded in enumerate(found) if loaded is None]
        for n, loaded in zip(rest, await self._loaded([wanted[n] for n in rest]), strict=True):
            found[n] = loaded
        return [loaded for loaded in found if loaded is not None]

    async def load_one(self, pet_id: str, *, token: bytes = b"", images: Collection[str] = ()) -> Loaded | None:
        """One album, to be looked at; None if the pet has none. Raises StoreUnavailableError, BadStateError."""
        (loaded,) = await self._loaded([Wanted(pet_id, token, images)])
        if isinstance(loaded, BadStateError):
            raise loaded
        return loaded if loaded.token else None

    async def _loaded(self, wanted: Sequence[Wanted]) -> list[Loaded | BadStateError]:
        calls = [Call({"pet_id": each.pet_id, "token": each.token, "wanted": each.images}) for each in wanted]
        replies = await self._gateway.run_for_pets(scripts.LOAD, calls)
        return [of_script(each, reply) for each, reply in zip(wanted, replies, strict=True)]

    async def _unchanged(self, wanted: Sequence[Wanted]) -> list[Loaded | BadStateError | None]:
        """What was loaded of those whose states in memory are current, None of the others.

        No layout is compared: a pet that has left has no token here, and each script that writes compares it.
        """
        known = [n for n, each in enumerate(wanted) if each.token]
        found: list[Loaded | BadStateError | None] = [None] * len(wanted)
        if known:
            keys = self._gateway.keys
            commands = [(keys, command) for n in known for command in looks(keys, wanted[n])]
            replies = await self._gateway.read_each("load", commands)
            for at, n in enumerate(known):
                found[n] = unchanged(wanted[n], replies[at * LOOKS : (at + 1) * LOOKS])
        return found

    async def all_rows(self, pet_id: str, token: bytes) -> dict[str, bytes] | None:
        """Every row of an album, by image id; None if it is not the album of that token any more.

        Read in pages. A commit in between would leave rows that do not fit the album.
        """
        rows: dict[str, bytes] = {}
        async for page in self.row_pages(pet_id):
            rows.update(page)
        return rows if await self.is_current(pet_id, token) else None

    async def row_pages(self, pet_id: str) -> AsyncIterator[dict[str, bytes]]:
        """Every row of an album, by image id, some at a time, some twice."""
        async for page in self._gateway.scan("load", self._gateway.keys.pet(pet_id).images, _ROWS_A_PAGE):
            yield {image.decode(errors="replace"): row for image, row in page.items()}

    async def is_current(self, pet_id: str, token: bytes) -> bool:
        """Whether the album is still the one of that token."""
        return bool(await self._gateway.read("load", "HGET", self._gateway.keys.pet(pet_id).album, _TOKEN) == token)

    async def snapshot(self, pet_id: str, name: str) -> bytes | None:
        """An album as it was that is kept by this name for a job; None if there is none. Raises StoreUnavailableError,
        BadStateError.
        """
        kept: bytes | None = await self._gateway.read("load", "HGET", self._gateway.keys.pet(pet_id).snapshots, name)
        return kept or None  # empty: there is only its place

    async def revive_view(self, pet_id: str, token: bytes, view: bytes, rest_of_view: bytes = b"") -> bytes:
        """Puts a view back that had expired, as it is stored then: with the number of the pet's wants before the rest,
        if there is a rest. Empty, and nothing done, if it is not the album of that token any more, or a view is there,
        or one was dropped.

        Raises StoreUnavailableError.
        """
        stored: bytes = await self._gateway.run(
            scripts.REVIVE_VIEW,
            pet_id=pet_id,
            token=token,
            new_view=view,
            rest_of_view=rest_of_view,
            view_life=self._settings.view_life,
        )
        return stored

    async def commit(self, consumer: str, commits: Sequence[Commit]) -> list[Committed | Exception]:
        """All of them in one round trip, in order, at most one a pet; what Redis refused of one stands in its place.

        Raises StoreUnavailableError: then each may or may not have happened.
        """
        tokens = next_tokens(commits)
        calls = [
            call(self._gateway.keys, self._settings, consumer, each, token)
            for each, token in zip(commits, tokens, strict=True)
        ]
        replies = await self._gateway.run_for_pets(scripts.COMMIT, calls)
        outcomes = [_committed(reply, token) for reply, token in zip(replies, tokens, strict=True)]
        fed = max([each.feed_bytes for each in outcomes if isinstance(each, Committed)], default=0)
        if self._trim and fed > self._most_feed_bytes:
            with suppress(StoreUnavailableError):  # the next commit tries again
                await self._trim()
        return outcomes


def _committed(reply: Any, token: bytes) -> Committed | Exception:
    if isinstance(reply, Exception):
        return reply
    if isinstance(reply, int):
        return Committed(CommitOutcome.COMMITTED, token, feed_bytes=reply)
    what, *rest = reply
    return Committed(CommitOutcome(what.decode()), token, rest)
