"""Leaving a stream that is behind to another process while both would work on the same few pets.

A pet's jobs wait for each other, whichever process has them. So two processes that read jobs of the same few pets take
turns, batch by batch, and each has to load what the other changed: together they do less than one of them alone, from
memory. Where most of a full batch has to wait for jobs that a process of a lower name has, and hardly anything else is
pending, this one reads no more for a while, and more rarely while that goes on so. It does not wait for a process that
settles nothing and reads nothing.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from sploot_clusterd.store import Bounds, PendingEntries
from sploot_clusterd.waiting import pause

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 2.0
"""Seconds for which the stream is left. Doubles while the batch that is read then is again one that waits."""
_SHARED: Final = 0.75
_LOOK_SECONDS: Final = 0.05
_PATIENCE: Final = 0.25
"""Seconds without a change of what is pending after which the others are thought to be gone, or slow."""
_MISTRUST: Final = 10.0
"""Seconds for which no way is given after that."""


class GivingWay:
    """One process's, at one stream."""

    def __init__(
        self,
        pending: PendingEntries,
        names: Collection[str],
        full: int,
        stopping: asyncio.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`names` are those of this process's consumers. A batch of `full` entries tells that there are more."""
        self._pending = pending
        self._names = frozenset(names)
        self._lowest = min(self._names)
        self._full = full
        self._stopping = stopping
        self._clock = clock
        self._pauses = 0
        """In a row."""
        self._until = 0.0
        self._not_before = 0.0
        self._seen: Bounds | None = None
        """What was pending at the last look, which was `looked_at` then."""
        self._looked_at = 0.0
        self._still = 0.0
        """Seconds in which that did not change."""

    def goes_first(self, older: Mapping[bytes, str]) -> set[bytes]:
        """Those of these entries, given with who has them, that are in hands of processes of lower names: where two
        wait for each other, one of them has to go on.
        """
        return {key for key, consumer in older.items() if consumer < self._lowest and consumer not in self._names}

    def was_read(self, entries: int, behind: int, shared: float) -> None:
        """A batch of so many entries was read, of which so many are behind entries of `goes_first`.

        `shared` is the share of the older pending entries that are of its pets: where it is small, both find work.
        """
        now = self._clock()
        if now < self._until or now < self._not_before:
            return
        if entries < self._full or 2 * behind <= entries or shared < _SHARED:
            self._pauses = 0
            return
        seconds = _FIRST_PAUSE * 2**self._pauses
        if seconds < _LONGEST_PAUSE:
            self._pauses += 1
        self._until = now + min(seconds, _LONGEST_PAUSE)
        self._seen, self._looked_at, self._still = None, now, 0.0

    async def pause(self) -> bool:
        """Waits for a moment if the stream is to be left alone; whether it did. Raises StoreUnavailableError."""
        if self._clock() >= self._until:
            return False
        seen, now = await self._pending.bounds(), self._clock()
        # If it was this process that stood still, the others had no more than a look's time to get on in its eyes.
        passed = min(now - self._looked_at, 2 * _LOOK_SECONDS)
        self._still = self._still + passed if seen == self._seen else 0.0
        self._seen, self._looked_at = seen, now
        if self._still > _PATIENCE:
            self._until, self._pauses, self._not_before = 0.0, 0, now + _MISTRUST
            return False
        await pause(self._stopping, _LOOK_SECONDS)
        return True
