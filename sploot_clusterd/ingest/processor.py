"""One batch of entries on their way: who runs now, who waits, who runs alone, and who takes too long for the others."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from time import monotonic
from typing import Final

from sploot_clusterd.ingest.apart import Apart
from sploot_clusterd.ingest.attempts import Attempts
from sploot_clusterd.ingest.batch import Batch, Decoder, JobsByPet
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.giving_way import GivingWay
from sploot_clusterd.ingest.isolation import LoneRuns, SharedLock
from sploot_clusterd.ingest.leases import TakeLease
from sploot_clusterd.ingest.order import Order
from sploot_clusterd.ingest.queue import Queue
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.ingest.runs import Runs
from sploot_clusterd.ingest.scheduling import Compute
from sploot_clusterd.ingest.shares import Shares
from sploot_clusterd.ingest.waiting_jobs import WaitingJobs
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import OFF, Tracer
from sploot_clusterd.store import Entry, Handling, LoneRun

_SUSPECT_WAITS_MS: Final = 1000
_LONGEST_HOLD: Final = 0.25
"""Seconds, and what the last of them takes, for which suspects have the process to themselves before others go on."""


class Processor:
    """Takes each entry of a batch to an outcome: a commit, a dead letter, or a later try.

    An entry's way: `run` tells suspects from the others, `_process` decodes, `order` says whose turn it is, those whose
    turn it is not are `WaitingJobs`, those that take long are done `Apart`, `Attempts` load, plan and commit some pets,
    and `results` writes down what became of each.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        attempts: Attempts,
        cache: AlbumCache,
        lease: TakeLease,
        order: Order,
        lone_runs: LoneRuns,
        results: Results,
        shares: Shares,
        lock: SharedLock,
        compute: Compute,
        metrics: Metrics,
        tracer: Tracer = OFF,
        giving_way: GivingWay | None = None,
    ) -> None:
        """`lock` is the process's: a suspect has all of it to itself. `giving_way` is told what batches wait for."""
        self._decoder = decoder
        self._attempts = attempts
        self._lease = lease
        self._order = order
        self._lone_runs = lone_runs
        self._results = results
        self._compute = compute
        self._batch_size = metrics.batch_size
        self._lock = lock
        self._tracer = tracer
        self._giving_way = giving_way
        self._waiting = WaitingJobs(order=order, lease=lease, results=results, apply=self._take_turn)
        self._apart = Apart(order=order, cache=cache, results=results, waiting=self._waiting, shares=shares)

    async def run(self, batch: Batch) -> None:
        """Takes the entries to their outcomes; those that may have ended a process before, one at a time. What has to
        wait for older ones is left to a task if it takes long, for which `raise_failure` tells whether it failed.

        Raises StoreUnavailableError if Redis went away: what has no outcome by then stays pending.
        """
        self.raise_failure(batch.consumer)
        if self._tracer.is_on:
            batch = replace(batch, runs=Runs(self._tracer))
        taken = {each.key: each for each in batch.entries}
        taken = {key: each for key, each in taken.items() if not self._order.holds(key, batch.consumer)}
        entries = list(taken.values())
        with self._lease(batch.consumer, taken):
            await self._process(batch.part([each for each in entries if each.handling is Handling.RUN]))
            await self._run_suspects(batch, deque(each for each in entries if each.handling is Handling.ALONE))
            for entry in entries:
                if entry.handling is Handling.GONE:
                    text = "the entry was deleted from the stream while it was pending"
                    await self._results.set_aside(batch, entry, "payload_lost", text)

    def raise_failure(self, consumer: str) -> None:
        """Raises what ended the run of a job of the consumer's that had to wait: it is still the consumer's."""
        self._waiting.raise_failure(consumer)

    async def drained(self) -> None:
        """Returns when no job waits any more: at the latest when the daemon stops."""
        await self._waiting.drained()

    async def _run_suspects(self, batch: Batch, suspects: deque[Entry]) -> None:
        """One after the other. What runs beside them has to end first, and waits meanwhile: once for many of them."""
        while suspects:
            async with self._lock.exclusive():
                until, has_time = monotonic() + _LONGEST_HOLD, True
                while suspects and has_time:
                    await self._run_alone(batch, suspects.popleft())
                    batch.progress()
                    has_time = monotonic() < until

    async def _run_alone(self, batch: Batch, entry: Entry) -> None:
        if await self._order.is_behind(entry):
            await self._results.put_off(batch, [entry], _SUSPECT_WAITS_MS)
            return
        permission = await self._lone_runs.begin(batch.consumer, entry)
        if permission is LoneRun.CRASH_LOOP:
            text = "each of its lone runs ended without an outcome: it seems to end the process that runs it"
            await self._results.set_aside(batch, entry, "crash_loop", text)
        elif permission is LoneRun.RUN:
            alone = batch.part([entry])
            with self._lone_runs.running(entry):
                older, jobs = await self._decode(alone)
                with self._order.queue(batch.consumer, jobs) as queue:
                    await queue.begin(older)
                    if turn := queue.now():
                        await self._attempts.apply(alone, turn, alone=True)
                    await self._results.put_off(alone, queue.waiting_entries(), _SUSPECT_WAITS_MS)

    async def _process(self, batch: Batch) -> None:
        if not batch.entries:
            return
        with ExitStack() as stack:
            with self._compute.short_work():
                async with self._lock.shared():
                    older, jobs = await self._decode(batch)
                queue = stack.enter_context(self._order.queue(batch.consumer, jobs))
                await queue.begin(older)
                queue.apart |= {pet_id for pet_id, of_pet in jobs.items() if self._apart.takes_long(pet_id, of_pet)}
                if self._giving_way and batch.contiguous:
                    behind = queue.behind(self._giving_way.goes_first(older)) if older else 0
                    self._giving_way.was_read(len(batch.entries), behind, queue.shared)
                while turn := queue.now():
                    await self._take_turn(batch, queue, turn)
                    batch.progress()
            await self._apart.leave(batch, queue)
            await self._apart.leave_behind(batch, queue)
            if queue.left:
                await self._waiting.wait(batch, queue, stack.pop_all())
        await self._waiting.has_room(batch)

    async def _decode(self, batch: Batch) -> tuple[Mapping[bytes, str], JobsByPet]:
        """Which pending entries are older and who has them, and the jobs."""
        self._batch_size.observe(len(batch.entries))
        older, (jobs, failures) = await asyncio.gather(self._order.older(batch), self._decoder.decode(batch.entries))
        if batch.runs is not None:
            batch.runs.begin(jobs, batch.start)
        await self._results.failed(batch, failures)
        return older, jobs

    async def _take_turn(self, batch: Batch, queue: Queue, turn: JobsByPet) -> None:
        """Takes these to their outcomes, beside other batches; where one pet's take long, they are left to a task."""
        async with self._lock.shared():
            large = await self._attempts.apply(batch, turn, alone=queue.alone)
        for pet_id in large:
            queue.set_apart(pet_id)
        await self._apart.leave(batch, queue)
