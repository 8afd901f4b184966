"""Albums in memory, and one job in flight per pet within this process.

What is in memory is never trusted: each load compares the version token, and so does each commit.
"""

from asyncio import Event
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct

from sploot_clusterd.engine import Album, album_nbytes
from sploot_clusterd.metrics import Metrics

_PART: Final = 4
"""An album is measured again when a fourth of its images came or went, or as many jobs."""


class _Size(Struct, frozen=True, gc=False):
    """What an album took when it was measured."""

    nbytes: int
    images: int
    version: int

    @classmethod
    def of(cls, album: Album) -> "_Size":
        return cls(album_nbytes(album), _images(album), album.version)

    def fits(self, album: Album) -> bool:
        """Whether a later state of the album takes about as much: to measure each took a twentieth of a job's time."""
        few = self.images // _PART
        return 0 <= album.version - self.version <= few and abs(_images(album) - self.images) <= few


class _Cached(Struct, frozen=True, gc=False):
    token: bytes
    album: Album
    size: _Size


class AlbumCache:
    """The albums used last, up to `capacity` bytes in all; 0 keeps none."""

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self._capacity = capacity
        self._albums: OrderedDict[str, _Cached] = OrderedDict()
        self._bytes = 0
        self._working: dict[str, Event] = {}
        """By pet: set when the batch that works on it is done."""
        self._hit, self._miss = (metrics.cache_requests.labels(result) for result in ("hit", "miss"))
        metrics.cache_bytes.set_function(lambda: self._bytes)

    def peek(self, pet_id: str) -> tuple[bytes, Album | None]:
        """The album in memory and its version token, b"" and None if there is none.

        To be kept by who tells Redis of the token: when the answer comes, the album may have been dropped for others.
        """
        cached = self._albums.get(pet_id)
        return (cached.token, cached.album) if cached else (b"", None)

    def count_uses(self, hits: Sequence[str], misses: int) -> None:
        """Albums were wanted: those of `hits` were in memory at their present versions, and so many others were not."""
        self._hit.inc(len(hits))
        self._miss.inc(misses)
        for pet_id in hits:
            if pet_id in self._albums:
                self._albums.move_to_end(pet_id)

    def put(self, pet_id: str, token: bytes, album: Album) -> None:
        """Keeps what was just committed, at the cost of what was not used for longest."""
        before = self._take(pet_id)
        size = before.size if before and before.size.fits(album) else _Size.of(album)
        if size.nbytes <= self._capacity:
            self._albums[pet_id] = _Cached(token, album, size)
            self._bytes += size.nbytes
        while self._bytes > self._capacity:
            _, oldest = self._albums.popitem(last=False)
            self._bytes -= oldest.size.nbytes

    def drop(self, pet_id: str) -> None:
        self._take(pet_id)

    def _take(self, pet_id: str) -> _Cached | None:
        """What was kept of the pet, and is no more."""
        cached = self._albums.pop(pet_id, None)
        if cached:
            self._bytes -= cached.size.nbytes
        return cached

    @asynccontextmanager
    async def exclusive(self, pet_ids: Collection[str]) -> AsyncIterator[None]:
        """Nobody else in this process works on these pets meanwhile; two consumers would only meet in conflicts.

        Locked in one order, so that two batches never wait for each other.
        """
        done = Event()
        ours: list[str] = []
        try:
            for pet_id in sorted(pet_ids):
                while other := self._working.get(pet_id):
                    await other.wait()
                self._working[pet_id] = done
                ours.append(pet_id)
            yield
        finally:
            for pet_id in ours:
                del self._working[pet_id]
            done.set()


def _images(album: Album) -> int:
    return album.num_images
