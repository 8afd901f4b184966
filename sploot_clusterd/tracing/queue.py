"""Spans that were not sent yet: encoded, and within bounds."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from sploot_clusterd.tracing.encoding import Batch
from sploot_clusterd.tracing.ended import EndedSpan
from sploot_clusterd.tracing.rows import Rows

_MOST_WAITING: Final = 16 * 2**20
"""Bytes; and what ended last."""
_FULL: Final = 512 * 2**10
"""Bytes of a batch; and what ended last. The strictest receivers take 4 MiB."""
_GATHER: Final = 1.0
"""Seconds for which spans wait for others to go with."""


class Queue:
    """Those that came first go first. To be used in one event loop."""

    def __init__(self) -> None:
        self._batches = deque[Batch]()
        self._bytes = 0
        self._first_is_full = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return self._bytes >= _MOST_WAITING

    @property
    def size(self) -> int:
        """How many spans wait."""
        return sum(batch.size for batch in self._batches)

    def add(self, ended: EndedSpan | Rows) -> None:
        """Raises what encoding it raises; then nothing is added."""
        has_room = bool(self._batches) and not _is_full(self._batches[-1])
        batch = self._batches[-1] if has_room else Batch()
        self._bytes += batch.add(ended)
        if not has_room:
            self._batches.append(batch)
        self._look_at_first()

    async def gathered(self) -> None:
        """Returns when there is a full batch, or whatever there is has waited."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER):
                await self._first_is_full.wait()

    def take(self) -> Batch | None:
        """The next one to be sent; None if none waits."""
        if not self._batches:
            return None
        batch = self._batches.popleft()
        self._bytes -= len(batch.encoded)
        self._look_at_first()
        return batch

    def _look_at_first(self) -> None:
        if self._batches and _is_full(self._batches[0]):
            self._first_is_full.set()
        else:
            self._first_is_full.clear()


def _is_full(batch: Batch) -> bool:
    return len(batch.encoded) >= _FULL
