"""Who runs beside whom: batches side by side, a suspect with the process to itself.

If anything ran beside a suspect that ends the process, it would lose its run too, and look the same after a few times.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.store import Entry, LoneRun, Stream


class SharedLock:
    """A readers-writer lock. It is granted in the order in which it was asked for."""

    def __init__(self) -> None:
        self._entrance = asyncio.Lock()
        self._holders = 0
        self._unheld = asyncio.Event()
        self._unheld.set()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Within it, others may share the lock, but nobody has it exclusively."""
        async with self._entrance:
            self._holders += 1
            self._unheld.clear()
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._unheld.set()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Within it, nobody else has the lock. Not to be asked for by who has it."""
        async with self._entrance:
            await self._unheld.wait()
            yield


class LoneRuns:
    """Counts the runs of suspects before they begin, so that one that ends the process is found out."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._harmless: set[bytes] = set()
        """Entries whose lone run ended without an outcome and left this process alive: Redis was away."""

    async def begin(self, consumer: str, entry: Entry) -> LoneRun:
        """Whether the entry may run now. Raises StoreUnavailableError."""
        permission = await self._stream.begin_alone(consumer, entry.key, harmless=entry.key in self._harmless)
        self._harmless.discard(entry.key)
        return permission

    @contextmanager
    def running(self, entry: Entry) -> Iterator[None]:
        """Around the run: one that ends because Redis is away is not to count."""
        try:
            yield
        except StoreUnavailableError:
            self._harmless.add(entry.key)
            raise
