"""Views that expired, rendered anew from their albums when somebody asks: in threads, and so many pets at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from sploot_clusterd.engine import Params, around_wants, decode_album, render
from sploot_clusterd.errors import (
    BusyError,
    HistoryUnavailableError,
    LookupsExceededError,
    PartitionMovedError,
)
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store

_SIDE_BY_SIDE: Final = 2
_MOST_WAITING: Final = 256
"""Pets. After a loss all are asked for at once: whoever finds no room is told to come again."""
_TRIES: Final = 4
_MISSES: Final = 4096
_MISSED_FOR: Final = 10.0
"""Seconds in which nothing more is asked of so many pets that have no album, or whose views were dropped: their next
job brings them.
"""


class Reviver:
    """What stands behind a read that finds no view. A commit in between always wins: it writes a view itself."""

    def __init__(
        self,
        store: Store,
        params: Params,
        metrics: Metrics,
        *,
        with_wants: bool,
        kept: Callable[[str], Awaitable[bytes | None]] | None,
    ) -> None:
        """`with_wants`: views tell how many insights are still to come; `kept` gives the last view that history has of
        a pet, where there is a history.
        """
        self._store = store
        self._kept = kept
        self._params = params
        self._with_wants = with_wants
        self._running: dict[str, asyncio.Task[bytes | None]] = {}
        self._waiting = 0
        self._turns = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._missed: dict[str, float] = {}
        self._outcomes = metrics.views_revived.labels

    async def revive(self, pet_id: str) -> bytes | None:
        """The pet's view, as it is stored again; of a pet without an album the last one that history has, which is not
        stored: an erasure may be on its way. None if there is neither, or the view was dropped.

        All who ask for one pet at a time share the work. Raises BusyError where that is asked for too many pets;
        LookupsExceededError where history is; BadStateError if the album cannot be read; StoreUnavailableError.
        """
        if self._is_missed(pet_id):
            return None
        task = self._running.get(pet_id)
        if task is None:
            task = self._running[pet_id] = asyncio.create_task(self._revive(pet_id))
            task.add_done_callback(partial(self._ended, pet_id))
        return await asyncio.shield(task)

    def _ended(self, pet_id: str, task: asyncio.Task[bytes | None]) -> None:
        del self._running[pet_id]
        # Told to who waits, and to nobody if they all left.
        if not task.cancelled() and isinstance(task.exception(), BusyError | LookupsExceededError):
            self._outcomes("refused").inc()

    async def _revive(self, pet_id: str) -> bytes | None:
        if not await self._store.views.has_album(pet_id):
            return await self._kept_view(pet_id)
        if self._waiting >= _MOST_WAITING:
            raise BusyError(f"{_MOST_WAITING} views that had expired are being rendered anew: come again")
        self._waiting += 1
        try:
            async with self._turns:
                return await self._rendered(pet_id)
        finally:
            self._waiting -= 1

    async def _kept_view(self, pet_id: str) -> bytes | None:
        view = None
        if self._kept is not None and not await self._store.views.is_erasing(pet_id):
            try:
                view = await self._kept(pet_id)
            except LookupsExceededError:
                raise
            except HistoryUnavailableError:  # who asks for a new pet is not to notice
                pass
        if view is None:
            self._miss(pet_id)
        else:
            self._outcomes("kept").inc()
        return view

    async def _rendered(self, pet_id: str) -> bytes | None:
        for _ in range(_TRIES):
            view = await self._try(pet_id)
            if view:
                self._outcomes("rendered").inc()
                return view
            if view is not None:
                return await self._present(pet_id)
        raise PartitionMovedError("the pet's partition is in motion: come again")

    async def _present(self, pet_id: str) -> bytes | None:
        """The view of now; there is none where it was dropped, or the pet erased."""
        view = await self._store.views.view(pet_id)
        if view is None:
            self._miss(pet_id)
        return view

    async def _try(self, pet_id: str) -> bytes | None:
        """The view; empty where the present one counts; None where this is to be tried again."""
        albums = self._store.of(pet_id).albums
        try:
            loaded = await albums.load_one(pet_id)
        except PartitionMovedError:
            await self._store.follow()
            return None
        if loaded is None or loaded.has_view:
            return b""
        view, rest = await asyncio.to_thread(self._render, pet_id, loaded.fields or {})
        return await albums.revive_view(pet_id, loaded.token, view, rest)

    def _render(self, pet_id: str, fields: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
        rendered = render(decode_album(pet_id, fields), self._params, with_wants=self._with_wants)
        return around_wants(rendered) if self._with_wants else (rendered, b"")

    def _is_missed(self, pet_id: str) -> bool:
        return self._missed.get(pet_id, 0.0) > asyncio.get_running_loop().time()

    def _miss(self, pet_id: str) -> None:
        self._outcomes("nothing").inc()
        self._missed.pop(pet_id, None)
        if len(self._missed) >= _MISSES:
            del self._missed[next(iter(self._missed))]
        self._missed[pet_id] = asyncio.get_running_loop().time() + _MISSED_FOR
