"""What one process does with one partition's entries; with one partition there is one lane, and it is always open."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sploot_clusterd.due import DueEntries
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.giving_way import GivingWay
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.store import Stream


class Lane:
    """While it is open its partition is read and its entries are worked on; closed, nothing of it is begun here."""

    def __init__(
        self,
        number: int,
        stream: Stream,
        processor: Processor,
        due: DueEntries,
        leaving: asyncio.Event,
        *,
        giving_way: GivingWay | None = None,
    ) -> None:
        """`leaving`, once set, has what waits in the processor put off: any process may take it up. `giving_way`: where
        other processes read the partition, too.
        """
        self.number = number
        self.stream = stream
        self.processor = processor
        self.due = due
        self.giving_way = giving_way
        self._leaving = leaving
        self.workers = 0
        """Consumers that have as much of it as a batch holds, or are about to read it."""
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._open_until = float("inf")

    @property
    def is_open(self) -> bool:
        """Whether the partition may be read."""
        return time.monotonic() < self._open_until

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within it, the partition is being read, or something of it worked on."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    @contextmanager
    def worked_on(self) -> Iterator[None]:
        """Within it, a consumer is one of its workers."""
        with self.in_use():
            self.workers += 1
            try:
                yield
            finally:
                self.workers -= 1

    async def run(self, batch: Batch) -> None:
        """Takes the batch to its outcomes. Raises StoreUnavailableError."""
        with self.in_use():
            await self.processor.run(batch)

    def open(self, until: float) -> None:
        """Up to then, by `time.monotonic`, where it is not opened again before."""
        self._leaving.clear()
        self._open_until = until

    def shut(self) -> None:
        """Nothing of it is begun from now on, and what waits is put off."""
        self._open_until = 0.0
        self._leaving.set()

    async def drained(self, patience: float) -> bool:
        """Returns when nothing of the partition is in hand here; False if that took longer than `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._unused.wait()
                await self.processor.drained()
        except TimeoutError:
            return False
        return True
