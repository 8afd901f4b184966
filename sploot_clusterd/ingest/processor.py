"""One batch of entries through the engine: decode, then load, compute and commit, a window of pets at a time."""

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from sploot_clusterd.engine import images_named
from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.ingest.apart import Apart
from sploot_clusterd.ingest.batch import Batch, Decoder, Delivery, Failure, JobsByPet
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.isolation import LoneRuns, SharedLock
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.order import Order
from sploot_clusterd.ingest.planner import NeedsProfile, NeedsRows, Overtaken, PetJobs, Planner, Ready
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.ingest.queue import Queue
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.ingest.retry import conflict_pause
from sploot_clusterd.ingest.scheduling import LARGE, CommitWindow, Compute, hops, plan_in_thread
from sploot_clusterd.ingest.shares import Shares
from sploot_clusterd.ingest.waiting_jobs import WaitingJobs
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import AlbumStore, CommitOutcome, Committed, Entry, Handling, LoneRun, Wanted

_SUSPECT_WAITS_MS: Final = 1000
_TRIES: Final = 4
"""A commit is computed once and, after conflicts, three times again; then the pet is left for a moment."""


class Rest(NamedTuple):
    """What an attempt could not apply: jobs to attempt `again`, and pets whose jobs take long and were left alone."""

    again: dict[str, Sequence[Delivery]]
    large: set[str]

    def add(self, other: "Rest") -> None:
        self.again.update(other.again)
        self.large.update(other.large)


class Processor:
    """Takes each entry of a batch to an outcome: a commit, a dead letter, or a later try.

    An entry's way: `run` tells suspects from the others, `_process` decodes, `order` says whose turn it is, those whose
    turn it is not are `WaitingJobs`, those that take long are done `Apart`, `_attempt` loads, plans and commits some
    pets, and `results` writes down what became of each.
    """

    def __init__(
        self,
        *,
        albums: AlbumStore,
        decoder: Decoder,
        planner: Planner,
        profiles: ProfileRegistry,
        cache: AlbumCache,
        leases: Leases,
        order: Order,
        lone_runs: LoneRuns,
        results: Results,
        shares: Shares,
        compute: Compute,
        metrics: Metrics,
    ) -> None:
        self._albums = albums
        self._decoder = decoder
        self._planner = planner
        self._profiles = profiles
        self._cache = cache
        self._leases = leases
        self._order = order
        self._lone_runs = lone_runs
        self._results = results
        self._compute = compute
        self._batch_size = metrics.batch_size
        self._stage = {name: metrics.stage_seconds.labels(name) for name in ("load", "compute", "commit")}
        self._window = CommitWindow()
        self._lock = SharedLock()
        self._waiting = WaitingJobs(order=order, leases=leases, results=results, apply=self._take_turn)
        self._apart = Apart(order=order, cache=cache, results=results, waiting=self._waiting, shares=shares)

    async def run(self, batch: Batch) -> None:
        """Takes the entries to their outcomes; those that may have ended a process before, one at a time. What has to
        wait for older ones is left to a task if it takes long, for which `raise_failure` tells whether it failed.

        Raises StoreUnavailableError if Redis went away: what has no outcome by then stays pending.
        """
        self.raise_failure(batch.consumer)
        entries = [each for each in batch.entries if not self._order.holds(each.key, batch.consumer)]
        with self._leases.lease(batch.consumer, [entry.key for entry in entries]):
            await self._process(batch.part([each for each in entries if each.handling is Handling.RUN]))
            for entry in entries:
                if entry.handling is Handling.ALONE:
                    async with self._lock.exclusive():
                        await self._run_alone(batch, entry)
                    batch.progress()
                elif entry.handling is Handling.GONE:
                    text = "the entry was deleted from the stream while it was pending"
                    await self._results.set_aside(batch, entry, "payload_lost", text)

    def raise_failure(self, consumer: str) -> None:
        """Raises what ended the run of a job of the consumer's that had to wait: it is still the consumer's."""
        self._waiting.raise_failure(consumer)

    async def drained(self) -> None:
        """Returns when no job waits any more: at the latest when the daemon stops."""
        await self._waiting.drained()

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
                        await self._apply(alone, turn, alone=True)
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
                while turn := queue.now():
                    await self._take_turn(batch, queue, turn)
                    batch.progress()
            await self._apart.leave(batch, queue)
            if queue.left:
                await self._waiting.wait(batch, queue, stack.pop_all())
        await self._waiting.has_room(batch)

    async def _decode(self, batch: Batch) -> tuple[list[bytes], JobsByPet]:
        """Which pending entries are older, and the jobs."""
        self._batch_size.observe(len(batch.entries))
        older, (jobs, failures) = await asyncio.gather(self._order.older(batch), self._decoder.decode(batch.entries))
        await self._results.failed(batch, failures)
        return older, jobs

    async def _take_turn(self, batch: Batch, queue: Queue, turn: JobsByPet) -> None:
        """Takes these to their outcomes, beside other batches; where one pet's take long, they are left to a task."""
        async with self._lock.shared():
            large = await self._apply(batch, turn, alone=queue.alone)
        for pet_id in large:
            queue.set_apart(pet_id)
        await self._apart.leave(batch, queue)

    async def _apply(self, batch: Batch, jobs: JobsByPet, *, alone: bool) -> Collection[str]:
        """Returns the pets whose jobs turned out to take long, and were not run: no others wait for them. `alone` they
        are run. Those of pets whose albums moved on each time are left for a moment.
        """
        large = set[str]()
        for tries in range(_TRIES):
            rest, seconds = await self._sweep(batch, jobs, alone=alone)
            large |= rest.large
            jobs = rest.again
            if not jobs:
                return large
            await asyncio.sleep(conflict_pause(tries, seconds))
        await self._results.deferred(batch, [each for of_pet in jobs.values() for each in of_pet])
        return large

    async def _sweep(self, batch: Batch, jobs: JobsByPet, *, alone: bool) -> tuple[Rest, float]:
        """Attempts each pet once, as many together as the window lets; returns what could not be applied, and how long
        the longest attempt took, in seconds.
        """
        rest = Rest({}, set())
        # In no order, for rivals that come by the same pets in the same order would meet at each.
        left, longest = random.sample(list(jobs), len(jobs)), 0.0
        while left:
            pets, left = left[: self._window.pets], left[self._window.pets :]
            async with self._cache.exclusive(pets):
                start = time.perf_counter()
                conflicts = await self._attempt(batch, {pet_id: jobs[pet_id] for pet_id in pets}, alone=alone)
                longest = max(longest, time.perf_counter() - start)
            self._window.record(len(pets), len(conflicts.again))
            rest.add(conflicts)
        return rest, longest

    async def _attempt(self, batch: Batch, jobs: JobsByPet, *, alone: bool) -> Rest:
        """Load, plan and commit once."""
        start = time.perf_counter()
        pets, failures = await self._load(jobs)
        await self._results.failed(batch, failures)
        self._count_stage("load", start)
        estimates = [self._planner.estimate(pet) for pet in pets]
        rest = Rest({}, set())
        if not alone:
            rest.large.update(pet.pet_id for pet, seconds in zip(pets, estimates, strict=True) if seconds > LARGE)
            pets = [pet for pet in pets if pet.pet_id not in rest.large]
            estimates = [seconds for seconds in estimates if seconds <= LARGE]
        for hop in hops(estimates):
            rest.add(await self._plan_and_commit(batch, pets[hop], estimates[hop], alone=alone))
            batch.progress()
        return rest

    async def _plan_and_commit(
        self, batch: Batch, pets: Sequence[PetJobs], estimates: Sequence[float], *, alone: bool
    ) -> Rest:
        start = time.perf_counter()
        in_thread = plan_in_thread(estimates, busy=self._compute.busy)
        plans = await self._compute.each(
            self._planner.plan, pets, in_thread=in_thread, large=alone and max(estimates) > LARGE
        )
        self._count_stage("compute", start)
        rest, ready, lacking = Rest({}, set()), list[Ready | Overtaken](), list[NeedsRows | NeedsProfile]()
        for plan in plans:
            if isinstance(plan, Ready):
                ready.append(plan)
            elif isinstance(plan, NeedsRows) and not alone and self._planner.takes_long_with_rows(plan.rest):
                rest.large.add(plan.rest.pet_id)
            else:
                lacking.append(plan)
        await self._finish(batch, ready, rest)
        if lacking:
            await self._finish(batch, await self._complete(batch, lacking, large=alone), rest)
        return rest

    async def _finish(self, batch: Batch, plans: Sequence[Ready | Overtaken], rest: Rest) -> None:
        """Commits; what has to be attempted again is added to the rest."""
        start = time.perf_counter()
        failures = [failure for plan in plans for failure in plan.failures]
        again, refused = await self._commit(batch, [plan for plan in plans if isinstance(plan, Ready) and plan.jobs])
        overtaken = [plan.rest for plan in plans if isinstance(plan, Overtaken)]
        rest.again.update(again)
        rest.again.update({pet.pet_id: self._conflict(pet.pet_id, pet.jobs) for pet in overtaken})
        self._count_stage("commit", start)
        unavailable = [each.error for each in refused if isinstance(each.error, StoreUnavailableError)]
        failures += [each for each in refused if not isinstance(each.error, StoreUnavailableError)]
        await self._results.failed(batch, failures)
        if unavailable:
            raise unavailable[0]  # Redis refuses writes: everything stays pending, and no attempt is used

    async def _load(self, jobs: JobsByPet) -> tuple[list[PetJobs], list[Failure]]:
        cached = [self._cache.peek(pet_id) for pet_id in jobs]
        wanted = [
            Wanted(pet_id, token, sorted(images_named([job for _, job in of_pet])))
            for (pet_id, of_pet), (token, _) in zip(jobs.items(), cached, strict=True)
        ]
        pets, failures = list[PetJobs](), list[Failure]()
        stored = await self._albums.load(wanted)
        time_slice = self._compute.time_slice()
        for (pet_id, of_pet), (token, album), loaded in zip(jobs.items(), cached, stored, strict=True):
            await time_slice.checkpoint()
            if isinstance(loaded, Exception):
                failures += [Failure(*each, loaded) for each in of_pet]
                continue
            current = album if loaded.token == token else None
            if loaded.token:
                self._cache.count_use(pet_id, hit=current is not None)
            pets.append(PetJobs(pet_id, of_pet, loaded, current))
        return pets, failures

    async def _complete(
        self, batch: Batch, plans: Sequence[NeedsRows | NeedsProfile], *, large: bool
    ) -> list[Ready | Overtaken]:
        """Plans again, all together, until nothing is missing: one profile at a time, and every row."""
        done: list[Ready | Overtaken] = []
        failures = {plan.rest.pet_id: list[Failure]() for plan in plans}
        while plans:
            for plan in plans:
                failures[plan.rest.pet_id] += plan.failures
            supplied = [await self._supply(plan) for plan in plans]
            done += [each for each in supplied if not isinstance(each, PetJobs)]
            pets = [each for each in supplied if isinstance(each, PetJobs)]
            again = await self._compute.each(self._planner.plan, pets, in_thread=True, large=large) if pets else []
            done += [plan for plan in again if isinstance(plan, Ready)]
            plans = [plan for plan in again if not isinstance(plan, Ready)]
            batch.progress()
        return [plan._replace(failures=[*failures[_pet_id(plan)], *plan.failures]) for plan in done]

    async def _supply(self, plan: NeedsRows | NeedsProfile) -> PetJobs | Ready | Overtaken:
        """The pet's jobs with what they lacked; or what is to be done where it cannot be had."""
        pet = plan.rest
        try:
            if isinstance(plan, NeedsProfile):
                await self._profiles.fetch(plan.model_version, plan.generation)
                return pet
            rows = await self._albums.all_rows(pet.pet_id, pet.loaded.token)
        except BadStateError as error:
            return self._planner.fail(pet, error)
        return Overtaken(pet) if rows is None else pet._replace(all_rows=rows)

    async def _commit(
        self, batch: Batch, plans: Sequence[Ready]
    ) -> tuple[dict[str, Sequence[Delivery]], list[Failure]]:
        """What has to be attempted again, and what Redis refused."""
        again: dict[str, Sequence[Delivery]] = {}
        refused, committed = list[Failure](), list[Ready]()
        replies = await self._albums.commit(batch.consumer, [plan.commit for plan in plans]) if plans else []
        time_slice = self._compute.time_slice()
        for plan, reply in zip(plans, replies, strict=True):
            await time_slice.checkpoint()
            pet_id = plan.commit.pet_id
            if isinstance(reply, Exception):
                self._cache.drop(pet_id)
                refused += [Failure(*delivery, reply) for delivery, *_ in plan.jobs]
            elif reply.outcome is CommitOutcome.COMMITTED:
                if plan.album is not None:
                    self._cache.put(pet_id, reply.token, plan.album)
                committed.append(plan)
            elif left := self._left(plan, reply):
                again[pet_id] = left
        self._order.settled([entry for plan in committed for entry in plan.commit.entries])
        await self._results.committed(batch, committed)
        return again, refused

    def _left(self, plan: Ready, reply: Committed) -> Sequence[Delivery]:
        """The jobs of a commit that wrote nothing that are still ours to do."""
        pet_id, jobs = plan.commit.pet_id, [delivery for delivery, *_ in plan.jobs]
        if reply.outcome is CommitOutcome.CONFLICT:
            return self._conflict(pet_id, jobs)
        if reply.outcome is CommitOutcome.PROFILE_CHANGED:
            self._results.profile_lost(pet_id)
            self._profiles.forget(plan.commit.used_profiles)
            self._cache.drop(pet_id)
            return jobs
        ours = set(reply.ours)
        left = [delivery for delivery in jobs if delivery.entry.key in ours]
        self._results.lost(len(jobs) - len(left))
        return left

    def _conflict(self, pet_id: str, jobs: Sequence[Delivery]) -> Sequence[Delivery]:
        """Another process committed meanwhile."""
        self._results.conflict()
        self._cache.drop(pet_id)
        return jobs

    def _count_stage(self, stage: str, start: float) -> float:
        now = time.perf_counter()
        self._stage[stage].inc(now - start)
        return now


def _pet_id(plan: Ready | Overtaken) -> str:
    return plan.commit.pet_id if isinstance(plan, Ready) else plan.rest.pet_id
