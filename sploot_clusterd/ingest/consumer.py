"""The consumers: each reads its partitions under a name of its own and takes what it reads to an outcome."""

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Final

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import ClaimKind, Reader
from sploot_clusterd.store.reader import Read
from sploot_clusterd.waiting import backoff, pause

log = logging.getLogger(__name__)

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 0.8
"""Seconds between attempts to reach Redis. Short, for the promise is to be back within two seconds of it."""
_NOTHING_TO_READ: Final = 0.1
"""Seconds between looks at whether there is a partition to read."""


def consumer_names(settings: Settings) -> list[str]:
    """The names of this process's consumers, one a slot, and last the reclaim loop's."""
    base = f"{settings.stream.consumer_name}-{socket.gethostname()}-{settings.service.instance}"
    return [*(f"{base}-{slot}" for slot in range(settings.stream.consumers)), f"{base}-reclaim"]


class Consumer:
    """One slot. `run` is a root task called `name`; `consumer` is what it is called in the group.

    A session lasts as long as a connection.
    """

    def __init__(
        self,
        *,
        name: str,
        consumer: str,
        new_reader: Callable[[str], Reader],
        lanes: Sequence[Lane],
        brake: Brake,
        metrics: Metrics,
        health: Health,
        name_confirmed: asyncio.Event,
        stopping: asyncio.Event,
    ) -> None:
        self.name = name
        self._consumer = consumer
        self._new_reader = new_reader
        self._lanes = lanes
        self._taken_up = set[Lane]()
        """Lanes whose entries that were this consumer's already it has taken up, in this session."""
        self._known = set[Lane]()
        """Lanes where it did so in an earlier session: whatever is its own there was delivered to this process."""
        self._behind = set[Lane]()
        """Lanes of which the last read gave as much as was asked for."""
        self._reader: Reader | None = None
        self._brake = brake
        self._wait_seconds = metrics.stage_seconds.labels("wait")
        self._health = health
        self._progress = partial(health.progress, name)
        self._name_confirmed = name_confirmed
        self._stopping = stopping
        self._failures = 0
        self._outage = OutageLog("consumer waits for redis", consumer=consumer)
        health.expect(name)
        health.set_fault(name, f"{name}: has not begun to read")

    async def run(self) -> None:
        """Reads until the daemon stops, whatever becomes of Redis. Raises ConsumerNameTakenError, StartError."""
        while not self._stopping.is_set():
            try:
                await self._session()
            except StoreUnavailableError as error:
                self._failures += 1
                self._health.set_fault(self.name, f"{self.name}: {error.detail}")
                self._progress()  # to wait is what it should do now
                self._outage.unavailable(error)
                await self._lanes[0].stream.reconnect()
                await pause(self._stopping, backoff(self._failures, _FIRST_DELAY, _LONGEST_DELAY))
        for lane in self._lanes:
            await lane.processor.drained()

    async def reread(self) -> None:
        """Lanes were opened or closed: ends the blocked read, so that the next one is of those that are open."""
        await self.wake()

    async def wake(self) -> None:
        """Ends the blocked read. Raises StoreUnavailableError."""
        if self._reader:
            await self._reader.wake()

    async def _session(self) -> None:
        async with self._open() as reader:
            self._taken_up.clear()
            for lane in self._lanes:
                if lane.is_open:
                    await self._take_up(lane)
            self._failures = 0
            self._health.clear_fault(self.name)
            self._outage.available()
            while not self._stopping.is_set():
                await self._pass(reader)

    async def _pass(self, reader: Reader) -> None:
        self._progress()
        for lane in self._lanes:
            lane.processor.raise_failure(self._consumer)
        if wait := self._brake.seconds_left():
            await pause(self._stopping, min(wait, 1.0))
            return
        lanes = [lane for lane in self._lanes if lane.is_open]
        if not lanes:
            await pause(self._stopping, _NOTHING_TO_READ)
            return
        if new := [lane for lane in lanes if lane not in self._taken_up]:
            for lane in new:
                await self._take_up(lane)
            return  # what was asked above may be otherwise by now
        if len(lanes) == 1 and (giving_way := lanes[0].giving_way) and await giving_way.pause():
            return
        await self._read(reader, lanes)

    async def _take_up(self, lane: Lane) -> None:
        """First what is ours already: read before a crash, or with a reply that got lost on the way."""
        async for entries in lane.stream.claim(self._consumer, ClaimKind.OWN, lives=lane in self._known):
            await lane.run(Batch(self._consumer, entries, self._progress))
        self._taken_up.add(lane)
        self._known.add(lane)

    async def _read(self, reader: Reader, lanes: Sequence[Lane]) -> None:
        """One read of all of them, and what was read to its outcomes, partitions side by side."""
        clock = asyncio.get_running_loop().time
        with ExitStack() as unread, ExitStack() as in_use:
            for lane in lanes:
                unread.enter_context(lane.in_use())
            start = clock()
            read = await self._read_some(reader, lanes, in_use)
            self._wait_seconds.inc(clock() - start)
            for each in read:
                in_use.enter_context(self._lanes[each.partition].in_use())
            unread.close()
            await self._run(read)

    async def _read_some(self, reader: Reader, lanes: Sequence[Lane], in_use: ExitStack) -> list[Read]:
        """Of a lane that is behind as much as a batch holds, for few at a time cost more; of others what there is."""
        behind = [lane for lane in lanes if lane in self._behind]
        if len(self._lanes) == 1 or not behind:
            read = await reader.read([lane.number for lane in lanes])
        else:
            one = _least_worked_on(behind)
            in_use.enter_context(one.worked_on())
            others = [lane.number for lane in lanes if lane not in self._behind]
            read = await reader.read([one.number], waits=False, behind=True)
            read += await reader.read(others, waits=False) if others else []
            self._behind.discard(one)
        self._behind.update(self._lanes[each.partition] for each in read if each.is_full)
        return read

    async def _run(self, read: Sequence[Read]) -> None:
        """Raises StoreUnavailableError when all have ended."""
        runs = [
            self._lanes[each.partition].run(Batch(self._consumer, each.entries, self._progress, contiguous=True))
            for each in read
        ]
        if len(runs) == 1:
            await runs[0]
            return
        for outcome in await asyncio.gather(*runs, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Reader]:
        reader = self._new_reader(self._consumer)
        waker = asyncio.create_task(self._wake_at_stop(reader), name=f"waker of {self.name}")
        try:
            await reader.open()
            self._name_confirmed.set()
            self._reader = reader
            yield reader
        finally:
            self._reader = None
            waker.cancel()
            await asyncio.wait({waker})
            await reader.close()

    async def _wake_at_stop(self, reader: Reader) -> None:
        """Ends the blocked read when the daemon stops: to cancel it could orphan a batch that is on the wire."""
        await self._stopping.wait()
        try:
            await reader.wake()
        except StoreUnavailableError as error:
            log.info("read not woken, it ends by itself", extra={"data": {"error": error.detail}})


def _least_worked_on(lanes: Sequence[Lane]) -> Lane:
    """One of those that the fewest consumers of this process are at: what comes next in a lane is of the same pets,
    most likely, and would wait for what they have.
    """
    fewest = min(lane.workers for lane in lanes)
    return random.choice([lane for lane in lanes if lane.workers == fewest])  # noqa: S311 - to be fair
