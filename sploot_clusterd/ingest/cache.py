"""Albums in memory, and one job in flight per pet within this process.

What is in memory is never trusted: each load compares the version token, and so does each commit.
"""

from asyncio import Lock
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from sploot_clusterd.engine import Album
from sploot_clusterd.metrics import Metrics


class _Held(NamedTuple):
    token: bytes
    album: Album
    nbytes: int


class AlbumCache:
    """The albums used last, up to `capacity` bytes in all; 0 keeps none."""

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self._capacity = capacity
        self._albums: OrderedDict[str, _Held] = OrderedDict()
        self._bytes = 0
        self._locks: dict[str, tuple[Lock, int]] = {}
        self._hit, self._miss = (metrics.cache_requests.labels(result) for result in ("hit", "miss"))
        self._gauge = metrics.cache_bytes

    def peek(self, pet_id: str) -> tuple[bytes, Album | None]:
        """The album in memory and its version token, b"" and None if there is none.

        To be kept by who tells Redis of the token: when the answer comes, the album may have been dropped for others.
        """
        held = self._albums.get(pet_id)
        return (held.token, held.album) if held else (b"", None)

    def used(self, pet_id: str, *, hit: bool) -> None:
        """An album was wanted, and was in memory at its present version or not."""
        (self._hit if hit else self._miss).inc()
        if hit and pet_id in self._albums:
            self._albums.move_to_end(pet_id)

    def put(self, pet_id: str, token: bytes, album: Album) -> None:
        """Keeps what was just committed, at the cost of what was not used for longest."""
        self._forget(pet_id)
        held = _Held(token, album, album.nbytes)
        if held.nbytes <= self._capacity:
            self._albums[pet_id] = held
            self._bytes += held.nbytes
        while self._bytes > self._capacity:
            _, oldest = self._albums.popitem(last=False)
            self._bytes -= oldest.nbytes
        self._gauge.set(self._bytes)

    def drop(self, pet_id: str) -> None:
        self._forget(pet_id)
        self._gauge.set(self._bytes)

    def _forget(self, pet_id: str) -> None:
        held = self._albums.pop(pet_id, None)
        if held:
            self._bytes -= held.nbytes

    @asynccontextmanager
    async def alone(self, pet_ids: Collection[str]) -> AsyncIterator[None]:
        """Nobody else in this process works on these pets meanwhile; two consumers would only meet in conflicts.

        Taken in one order, so that two batches never wait for each other.
        """
        async with AsyncExitStack() as stack:
            for pet_id in sorted(pet_ids):
                await stack.enter_async_context(self._lock(pet_id))
            yield

    @asynccontextmanager
    async def _lock(self, pet_id: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(pet_id, (Lock(), 0))
        self._locks[pet_id] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[pet_id]
            if users == 1:
                del self._locks[pet_id]
            else:
                self._locks[pet_id] = (lock, users - 1)
