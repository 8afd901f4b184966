"""One consumer's reading of one partition, over a connection of its own, as where partitions are on several servers."""

import asyncio
from collections.abc import Callable
from typing import Final

from sploot_clusterd.errors import PartitionMovedError, StoreUnavailableError
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.store import ClaimKind, Reader
from sploot_clusterd.waiting import backoff, pause

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 0.8
"""Seconds between attempts to reach the partition."""
_BATCHES: Final = 8
"""That the lanes of a consumer may have in hand together, of 4 MiB each."""


class Sharing:
    """What the lanes of one consumer share: how much they may have in hand together."""

    def __init__(self) -> None:
        self.lanes = 1
        """How many are read now."""

    @property
    def beside(self) -> int:
        """Of how many others the batches count as one with a lane's own: each of a few reads as much as a batch holds,
        and many read less, or their jobs would fill the memory.
        """
        return -(-self.lanes // _BATCHES) - 1


class LaneConsumer:
    """Reads one partition for one consumer while its lane is open."""

    def __init__(
        self,
        lane: Lane,
        consumer: str,
        reader: Reader,
        *,
        sharing: Sharing,
        who: str,
        brake: Brake,
        metrics: Metrics,
        pauses: Pauses,
        progress: Callable[[], None],
        stopping: asyncio.Event,
    ) -> None:
        """`who`: what the consumer is called in the process."""
        self._lane = lane
        self._consumer = consumer
        self._reader = reader
        self._sharing = sharing
        self._who = who
        self._brake = brake
        self._wait_seconds = metrics.stage_seconds.labels("wait")
        self._pauses = pauses
        self._progress = progress
        self._stopping = stopping
        self._failures = 0
        self._is_behind = False
        """Whether the last read gave as much as was asked for."""
        self._known = False
        """Whether it claimed what was its own before: whatever is its own now was delivered to this process."""

    async def run(self) -> None:
        """Until the lane closes or the daemon stops."""
        try:
            while self._goes_on:
                try:
                    await self._session()
                except StoreUnavailableError as error:
                    self._failures += 1
                    if not isinstance(error, PartitionMovedError):  # else its server is there, and its lane is to close
                        self._pauses.begin(self._lane.number, self._who, error.detail)
                        await self._lane.stream.reconnect()
                    await pause(self._stopping, backoff(self._failures, _FIRST_DELAY, _LONGEST_DELAY))
        finally:
            self._pauses.end(self._lane.number, self._who)

    async def wake(self) -> None:
        """Ends its blocked read."""
        await self._reader.wake()

    @property
    def is_done(self) -> bool:
        """Whether it is to end: to be woken then, if it is blocked."""
        return not self._goes_on

    @property
    def _goes_on(self) -> bool:
        return self._lane.is_open and not self._stopping.is_set()

    async def _session(self) -> None:
        """As long as a connection lasts. First what is ours already: what was read before, or with a lost reply."""
        await self._lane.stream.probe()
        try:
            await self._reader.open()
            with self._lane.in_use():
                async for entries in self._lane.stream.claim(self._consumer, ClaimKind.OWN, lives=self._known):
                    await self._lane.run(Batch(self._consumer, entries, self._progress))
            self._known = True
            self._failures = 0
            self._pauses.end(self._lane.number, self._who)
            while self._goes_on:
                await self._pass()
        finally:
            await self._reader.close()

    async def _pass(self) -> None:
        self._progress()
        self._lane.processor.raise_failure(self._consumer)
        if wait := self._brake.seconds_left():
            await pause(self._stopping, min(wait, 1.0))
            return
        clock = asyncio.get_running_loop().time
        with self._lane.in_use():
            start = clock()
            read = await self._reader.read([self._lane.number], behind=self._is_behind, beside=self._sharing.beside)
            self._wait_seconds.inc(clock() - start)
            self._is_behind = any(each.is_full for each in read)
            for each in read:
                await self._lane.run(Batch(self._consumer, each.entries, self._progress, contiguous=True))
