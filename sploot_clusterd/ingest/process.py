"""One batch of entries through the engine: decode, load, compute, commit; each in one step for the whole batch."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

from sploot_clusterd.checks import Limits
from sploot_clusterd.engine import images_named
from sploot_clusterd.errors import BadJobError, BadStateError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest import policy
from sploot_clusterd.ingest.book import Book
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.compute import Compute
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.outcomes import Failure, Outcomes
from sploot_clusterd.ingest.plan import Plan, Planner, Task, Work
from sploot_clusterd.ingest.tally import Tally
from sploot_clusterd.ingest.turns import Turns
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import AlbumStore, Committed, Entry, LoneRun, Reply, Stream, Verdict, Wanted
from sploot_clusterd.wire import decode_entry

log = logging.getLogger(__name__)

_TRIES: Final = 4
"""A commit is computed once and, after conflicts, three times again; then the pet is left for a moment."""
Works = Mapping[str, Sequence[Work]]


class Processor:
    """Takes each entry that it is given to an outcome: a commit, a dead letter, or a later try."""

    def __init__(
        self,
        *,
        stream: Stream,
        albums: AlbumStore,
        planner: Planner,
        book: Book,
        cache: AlbumCache,
        leases: Leases,
        outcomes: Outcomes,
        brake: Brake,
        compute: Compute,
        health: Health,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        self._stream = stream
        self._albums = albums
        self._planner = planner
        self._book = book
        self._cache = cache
        self._leases = leases
        self._outcomes = outcomes
        self._brake = brake
        self._computing = compute
        self._health = health
        self._limits = limits
        self._metrics = metrics
        self._stage = {name: metrics.stage_seconds.labels(name) for name in ("load", "compute", "commit")}
        self._tally = Tally(metrics, compute)
        self._turns = Turns()
        self._harmless: set[bytes] = set()
        """Entries whose lone run ended without an outcome and left this process alive: Redis was away."""

    async def run(self, consumer: str, entries: Sequence[Entry]) -> None:
        """Takes the entries to their outcomes; those that may have ended a process before, one at a time.

        Raises StoreUnavailableError if Redis went away: what has no outcome by then stays pending.
        """
        with self._leases.held(consumer, [entry.key for entry in entries]):
            async with self._turns.together():
                await self._batch(consumer, [entry for entry in entries if entry.verdict is Verdict.RUN])
            for entry in entries:
                if entry.verdict is Verdict.ALONE:
                    async with self._turns.alone():
                        await self._alone(consumer, entry)
                elif entry.verdict is Verdict.GONE:
                    text = "the entry was deleted from the stream while it was pending"
                    await self._outcomes.set_aside(consumer, entry, "payload_lost", text)

    async def _alone(self, consumer: str, entry: Entry) -> None:
        verdict = await self._stream.begin_alone(consumer, entry.key, harmless=entry.key in self._harmless)
        self._harmless.discard(entry.key)
        if verdict is LoneRun.CRASH_LOOP:
            text = "each of its lone runs ended without an outcome: it seems to end the process that runs it"
            await self._outcomes.set_aside(consumer, entry, "crash_loop", text)
        elif verdict is LoneRun.RUN:
            try:
                await self._batch(consumer, [entry])
            except StoreUnavailableError:
                self._harmless.add(entry.key)
                raise
        self._health.progress(consumer)

    async def _batch(self, consumer: str, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        began = time.perf_counter()
        self._metrics.batch_size.observe(len(entries))
        works = await self._decode(consumer, entries)
        async with self._cache.alone(works):
            for tries in range(_TRIES):
                at = time.perf_counter()
                works = await self._attempt(consumer, works, began)
                if not works:
                    return
                await asyncio.sleep(policy.conflict_pause(tries, time.perf_counter() - at))
        left = [work.entry for of_pet in works.values() for work in of_pet]
        log.info("left a contended pet for a moment", extra={"data": {"entries": len(left)}})
        await self._outcomes.deferred(consumer, left)

    async def _decode(self, consumer: str, entries: Sequence[Entry]) -> dict[str, list[Work]]:
        """The jobs by pet, in the order of the stream. What cannot be decoded becomes a dead letter."""
        ordered = sorted(entries, key=attrgetter("id"))
        size = sum(len(value) for entry in ordered for value in entry.fields.values())
        decoded = await self._computing.each(
            self._decoded, ordered, in_thread=policy.decode_in_thread(size, busy=self._computing.busy)
        )
        works: dict[str, list[Work]] = {}
        for each in decoded:
            if isinstance(each, Work):
                works.setdefault(each.job.pet_id, []).append(each)
        await self._outcomes.failed(consumer, [each for each in decoded if isinstance(each, Failure)])
        return works

    def _decoded(self, entry: Entry) -> Work | Failure:
        try:
            return Work(entry, decode_entry(entry.id, entry.fields, self._limits))
        except BadJobError as error:
            return Failure(entry, error)

    async def _attempt(self, consumer: str, works: Works, began: float) -> dict[str, list[Work]]:
        """Load, compute and commit once; returns the jobs of those pets that have to be taken up again."""
        at = time.perf_counter()
        tasks, failures = await self._load(works)
        at = self._spent("load", at)
        plans = await self._compute(consumer, tasks)
        at = self._spent("compute", at)
        failures += [failure for plan in plans for failure in plan.failures]
        again, refused = await self._commit(consumer, [plan for plan in plans if plan.works], began)
        again |= {plan.pet_id: self._overtaken(plan.pet_id, works[plan.pet_id]) for plan in plans if plan.overtaken}
        self._spent("commit", at)
        await self._outcomes.failed(consumer, failures + [f for f in refused if _is_jobs_fault(f)])
        for failure in refused:
            if not _is_jobs_fault(failure):
                raise failure.error  # Redis refuses writes: everything stays pending, and no attempt is used
        return again

    async def _load(self, works: Works) -> tuple[list[Task], list[Failure]]:
        in_memory = [self._cache.peek(pet_id) for pet_id in works]
        wanted = [
            Wanted(pet_id, token, sorted(images_named([work.job for work in of_pet])))
            for (pet_id, of_pet), (token, _) in zip(works.items(), in_memory, strict=True)
        ]
        tasks, failures = [], []
        stored = await self._albums.load(wanted) if wanted else []
        slices = self._computing.slices()
        for want, (token, album), loaded in zip(wanted, in_memory, stored, strict=True):
            await slices.breathe()
            if isinstance(loaded, Exception):
                failures += [Failure(work.entry, loaded, work.job) for work in works[want.pet_id]]
            else:
                known = album if loaded.token == token else None
                if loaded.token:
                    self._cache.used(want.pet_id, hit=known is not None)
                tasks.append(Task(want.pet_id, works[want.pet_id], loaded, known))
        return tasks, failures

    async def _compute(self, consumer: str, tasks: Sequence[Task]) -> list[Plan]:
        """In the pool, or in slices on the loop; a plan that turns out to need more gets it, in the pool."""
        estimates = [self._planner.estimate(task) for task in tasks]
        plans: list[Plan] = []
        for hop in policy.hops(estimates):
            in_thread = policy.in_thread(estimates[hop], busy=self._computing.busy)
            plans += await self._computing.each(self._planner.plan, tasks[hop], in_thread=in_thread)
            self._health.progress(consumer)
        for n, task in enumerate(tasks):
            if plans[n].needs_all_rows or plans[n].needs_profile:
                plans[n] = await self._with_what_it_needs(task, plans[n])
                self._health.progress(consumer)
        return plans

    async def _with_what_it_needs(self, task: Task, plan: Plan) -> Plan:
        """Plans again until nothing is missing: one profile at a time, and every row."""
        try:
            while plan.needs_all_rows or plan.needs_profile:
                if plan.needs_profile:
                    await self._book.fetch(*plan.needs_profile)
                else:
                    task = task._replace(all_rows=await self._albums.all_rows(task.pet_id, task.loaded.token))
                    if task.all_rows is None:
                        return plan._replace(needs_all_rows=False, overtaken=True)
                (plan,) = await self._computing.each(self._planner.plan, [task], in_thread=True)
        except BadStateError as error:
            return self._planner.failed(task, error)
        return plan

    async def _commit(
        self, consumer: str, plans: Sequence[Plan], began: float
    ) -> tuple[dict[str, list[Work]], list[Failure]]:
        """What has to be taken up again, and what Redis refused."""
        again: dict[str, list[Work]] = {}
        refused: list[Failure] = []
        commits = [plan.commit for plan in plans]
        replies = await self._albums.commit(consumer, commits) if plans else []
        slices, done = self._computing.slices(), list[Plan]()
        for plan, reply in zip(plans, replies, strict=True):
            await slices.breathe()
            if isinstance(reply, Exception):
                self._cache.drop(plan.pet_id)
                refused += [Failure(work.entry, reply, work.job) for work in plan.works]
            elif reply.reply is Reply.COMMITTED:
                if plan.album is not None:
                    self._cache.put(plan.pet_id, reply.token, plan.album)
                done.append(plan)
            else:
                left = self._left(plan, reply)
                if left:
                    again[plan.pet_id] = left
        self._brake.good(sum(len(plan.works) for plan in done))
        await self._tally.committed(done, began)
        return again, refused

    def _left(self, plan: Plan, reply: Committed) -> list[Work]:
        if reply.reply is Reply.UNFOUNDED:
            log.warning("redis has not the profiles any more that were used", extra={"data": {"pet_id": plan.pet_id}})
            self._book.forget(plan.commit.foundations)
            self._cache.drop(plan.pet_id)
            return list(plan.works)
        if reply.reply is Reply.CONFLICT:
            return self._overtaken(plan.pet_id, plan.works)
        ours = set(reply.ours)
        left = [work for work in plan.works if work.entry.key in ours]
        self._metrics.lost_entries.inc(len(plan.works) - len(left))
        return left

    def _overtaken(self, pet_id: str, works: Sequence[Work]) -> list[Work]:
        """Another process committed meanwhile."""
        self._metrics.conflicts.inc()
        self._cache.drop(pet_id)
        return list(works)

    def _spent(self, stage: str, since: float) -> float:
        now = time.perf_counter()
        self._stage[stage].inc(now - since)
        return now


def _is_jobs_fault(failure: Failure) -> bool:
    return not isinstance(failure.error, StoreUnavailableError)
