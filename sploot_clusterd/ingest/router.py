"""Moves what producers add to the plain stream, who know no partitions, to the pets' partitions: each entry once."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from sploot_clusterd.errors import GroupMissingError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Entry, Moving, PlainStream, Tenure
from sploot_clusterd.waiting import pause
from sploot_clusterd.wire import named_ids

log = logging.getLogger(__name__)

_EVERY: Final = 0.5
"""Seconds between looks of those that are not the router."""
_FULL_PAUSE: Final = 0.05
_A_CALL: Final = 64
_BYTES_A_CALL: Final = 2**20
_HELD_BYTES: Final = 32 * 2**20
"""Of entries that found no room in their partitions: beyond, only their ids are kept, and they are read again."""
_MOST_HELD: Final = 100_000
"""Entries that wait for room: with more, the router reads no more."""
_UPKEEP_EVERY: Final = 30.0
_IDLE_CONSUMER_MS: Final = 3_600_000


class Router:
    """`run` is a root task where there are several partitions; of all processes one moves entries at a time."""

    name: Final = "router"

    def __init__(
        self,
        *,
        plain: PlainStream,
        tenure: Tenure,
        consumer: str,
        metrics: Metrics,
        health: Health,
        name_confirmed: asyncio.Event,
        stopping: asyncio.Event,
    ) -> None:
        self._plain = plain
        self._tenure = tenure
        self._consumer = consumer
        self._routed = metrics.routed
        self._health = health
        self._name_confirmed = name_confirmed
        self._stopping = stopping
        self._number = 0
        """This router's, while it is one."""
        self._waiting: dict[int, deque[Moving]] = {}
        """By partition, what is read and not moved, in its order; without fields where too much waits."""
        self._held_bytes = 0
        self._upkeep_at = 0.0
        self._outage = OutageLog("router waits for redis")
        health.expect(self.name)

    async def run(self) -> None:
        """Until the daemon stops, whatever becomes of Redis."""
        while not self._name_confirmed.is_set() and not await pause(self._stopping, _EVERY / 4):
            self._health.progress(self.name)
        while not self._stopping.is_set():
            try:
                await self.step()
                self._outage.available()
            except GroupMissingError:
                self._number = 0
            except StoreUnavailableError as error:
                self._outage.unavailable(error)
                self._number = 0
                await pause(self._stopping, _EVERY)
            self._health.progress(self.name)
        await self._plain.close()

    async def step(self) -> None:
        """Looks whether this process is the router; if so, reads once and moves what can be. Raises
        StoreUnavailableError.
        """
        holder, number = await self._tenure.hold_router()
        if holder != self._tenure.member:
            self._number = 0
            await self._plain.close()
            await pause(self._stopping, _EVERY)
            return
        if number != self._number or self._plain.is_stale:
            await self._begin(number)
        if sum(map(len, self._waiting.values())) < _MOST_HELD:
            self._add(await self._plain.read(self._consumer))
            if await self._plain.is_others(self._consumer):
                await self._take_all()
        if not await self.move():
            await pause(self._stopping, _FULL_PAUSE)
        await self._upkeep()

    async def move(self) -> bool:
        """Moves what waits, as far as there is room; whether all was moved, or some of it at least. Raises
        StoreUnavailableError.
        """
        moved, full = 0, set[int]()
        while batch := await self._next_batch(full):
            done = await self._plain.route(self._number, batch)
            if -1 in done.values():
                log.warning("a later router was at work", extra={"data": {"number": self._number}})
                self._number = 0
                return False
            settled = [each.key for n, count in done.items() for each in batch[n][:count]]
            if settled:
                await self._plain.settle(settled)
            self._forget(done)
            self._routed.inc(len(settled))
            moved += len(settled)
            full.update(n for n, count in done.items() if count < len(batch[n]))
        return bool(moved) or not self._waiting

    async def _begin(self, number: int) -> None:
        await self._plain.open()
        await self._take_all()
        self._number = number
        log.info("routes the plain stream", extra={"data": {"number": number}})

    async def _take_all(self) -> None:
        """What was read and not moved, by whomever: in order, for a partition goes by the last one that it got."""
        self._waiting.clear()
        self._held_bytes = 0
        async for entries in self._plain.take_all(self._consumer):
            self._add(entries)

    def _add(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            pet_id, _ = named_ids(entry.fields)
            size = sum(map(len, entry.fields.values()))
            kept = self._held_bytes + size <= _HELD_BYTES
            self._held_bytes += size if kept else 0
            moving = Moving(entry.key, pet_id, entry.fields if kept else {})
            self._waiting.setdefault(self._plain.partition_of(pet_id), deque()).append(moving)

    async def _next_batch(self, full: Collection[int]) -> dict[int, Sequence[Moving]]:
        """Of each partition that has room the first that wait, with all that they hold."""
        batch: dict[int, Sequence[Moving]] = {n: _first(each) for n, each in self._waiting.items() if n not in full}
        lacking = [each.key for some in batch.values() for each in some if not each.fields]
        if not lacking:
            return batch
        found = dict(zip(lacking, await self._plain.again(lacking), strict=True))
        return {n: [each._replace(fields=each.fields or found[each.key]) for each in some] for n, some in batch.items()}

    def _forget(self, done: dict[int, int]) -> None:
        for n, count in done.items():
            for _ in range(count):
                self._held_bytes -= sum(map(len, self._waiting[n].popleft().fields.values()))
            if not self._waiting[n]:
                del self._waiting[n]

    async def _upkeep(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._upkeep_at:
            self._upkeep_at = now + _UPKEEP_EVERY
            await self._plain.upkeep(_IDLE_CONSUMER_MS, self._consumer)


def _first(waiting: Sequence[Moving]) -> list[Moving]:
    batch, size = list[Moving](), 0
    for each in waiting:
        size += sum(map(len, each.fields.values()))
        if batch and (len(batch) == _A_CALL or size > _BYTES_A_CALL):
            break
        batch.append(each)
    return batch
