"""One batch of entries through the engine: decode, then load, compute and commit, a window of pets at a time."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Final

from sploot_clusterd.checks import Limits
from sploot_clusterd.engine import images_named
from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest import policy
from sploot_clusterd.ingest.book import Book
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.compute import Compute
from sploot_clusterd.ingest.intake import Intake
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.outcomes import Failure, Outcomes
from sploot_clusterd.ingest.plan import Plan, Planner, Task, Work
from sploot_clusterd.ingest.tally import Tally
from sploot_clusterd.ingest.turns import Turns
from sploot_clusterd.ingest.window import Window
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import AlbumStore, CommitOutcome, Committed, Delivery, Entry, LoneRun, Stream, Wanted

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
        self._metrics = metrics
        self._stage = {name: metrics.stage_seconds.labels(name) for name in ("load", "compute", "commit")}
        self._tally = Tally(metrics, compute)
        self._intake = Intake(compute, outcomes, limits)
        self._window = Window()
        self._turns = Turns()
        self._harmless: set[bytes] = set()
        """Entries whose lone run ended without an outcome and left this process alive: Redis was away."""

    async def run(self, consumer: str, entries: Sequence[Entry]) -> None:
        """Takes the entries to their outcomes; those that may have ended a process before, one at a time.

        Raises StoreUnavailableError if Redis went away: what has no outcome by then stays pending.
        """
        with self._leases.held(consumer, [entry.key for entry in entries]):
            async with self._turns.together():
                await self._batch(consumer, [entry for entry in entries if entry.delivery is Delivery.RUN])
            for entry in entries:
                if entry.delivery is Delivery.ALONE:
                    async with self._turns.alone():
                        await self._alone(consumer, entry)
                elif entry.delivery is Delivery.GONE:
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
        works: Works = await self._intake.by_pet(consumer, entries)
        for tries in range(_TRIES):
            works, took = await self._sweep(consumer, works, began)
            if not works:
                return
            await asyncio.sleep(policy.conflict_pause(tries, took))
        left = [work.entry for of_pet in works.values() for work in of_pet]
        log.info("left a contended pet for a moment", extra={"data": {"entries": len(left)}})
        await self._outcomes.deferred(consumer, left)

    async def _sweep(self, consumer: str, works: Works, began: float) -> tuple[Works, float]:
        """Attempts each pet once, as many together as the window lets; returns the jobs that have to be taken up again,
        and how long the longest attempt took, in seconds.
        """
        again: dict[str, Sequence[Work]] = {}
        # In no order, for rivals that come by the same pets in the same order would meet at each.
        left, longest = random.sample(list(works), len(works)), 0.0
        while left:
            pets, left = left[: self._window.pets], left[self._window.pets :]
            async with self._cache.alone(pets):
                at = time.perf_counter()
                conflicts = await self._attempt(consumer, {pet_id: works[pet_id] for pet_id in pets}, began)
                longest = max(longest, time.perf_counter() - at)
            self._window.saw(len(pets), len(conflicts))
            again |= conflicts
        return again, longest

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
        stored = await self._albums.load(wanted)
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
            elif reply.outcome is CommitOutcome.COMMITTED:
                if plan.album is not None:
                    self._cache.put(plan.pet_id, reply.token, plan.album)
                done.append(plan)
            elif left := self._left(plan, reply):
                again[plan.pet_id] = left
        self._brake.good(sum(len(plan.works) for plan in done))
        await self._tally.committed(done, began)
        return again, refused

    def _left(self, plan: Plan, reply: Committed) -> list[Work]:
        if reply.outcome is CommitOutcome.PROFILE_CHANGED:
            log.warning("redis has not the profiles any more that were used", extra={"data": {"pet_id": plan.pet_id}})
            self._book.forget(plan.commit.used_profiles)
            self._cache.drop(plan.pet_id)
            return list(plan.works)
        if reply.outcome is CommitOutcome.CONFLICT:
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
