"""Some pets' jobs onto their albums: load, compute and commit, a window of pets at a time, until nothing is left."""

import asyncio
import random
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from sploot_clusterd.engine import images_named
from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.ingest.batch import Batch, Delivery, Failure, JobsByPet
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.order import Order
from sploot_clusterd.ingest.plan import Lacking, NeedsProfile, NeedsRows, NeedsSnapshot, Overtaken, PetJobs, Ready
from sploot_clusterd.ingest.planner import Planner
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.ingest.retry import conflict_pause
from sploot_clusterd.ingest.scheduling import LARGE, CommitWindow, Compute, hops, plan_in_thread
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import AlbumStore, Commit, CommitOutcome, Committed, Wanted

_TRIES: Final = 4
"""A commit is computed once and, after conflicts, three times again; then the pet is left for a moment."""


class Rest(NamedTuple):
    """What an attempt could not apply: jobs to attempt `again`, and pets whose jobs take long and were left alone."""

    again: dict[str, Sequence[Delivery]]
    large: set[str]

    def add(self, other: "Rest") -> None:
        self.again.update(other.again)
        self.large.update(other.large)


class Attempts:
    """Applies jobs whose turn it is. An attempt loads, plans and commits some pets; what it could not do is `Rest`."""

    def __init__(
        self,
        *,
        albums: AlbumStore,
        planner: Planner,
        profiles: ProfileRegistry,
        cache: AlbumCache,
        order: Order,
        results: Results,
        window: CommitWindow,
        compute: Compute,
        metrics: Metrics,
    ) -> None:
        """`window` is the process's."""
        self._albums = albums
        self._planner = planner
        self._profiles = profiles
        self._cache = cache
        self._order = order
        self._results = results
        self._compute = compute
        self._stage = {name: metrics.stage_seconds.labels(name) for name in ("load", "compute", "commit")}
        self._window = window

    async def apply(self, batch: Batch, jobs: JobsByPet, *, alone: bool) -> Collection[str]:
        """Returns the pets whose jobs turned out to take long, and were not run: no others wait for them. `alone` they
        are run. Those of pets whose albums moved on each time are left for a moment.
        """
        large: set[str] = set()
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
        self._end_stage(batch, "load", start, jobs.values())
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
        self._end_stage(batch, "compute", start, (pet.jobs for pet in pets))
        ready: list[Ready | Overtaken] = []
        lacking: list[Lacking] = []
        rest = Rest({}, set())
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
        ready = [plan for plan in plans if isinstance(plan, Ready) and plan.jobs]
        again, refused = await self._commit(batch, ready)
        overtaken = [plan.rest for plan in plans if isinstance(plan, Overtaken)]
        rest.again.update(again)
        rest.again.update({pet.pet_id: self._conflict(pet.pet_id, pet.jobs) for pet in overtaken})
        self._end_stage(batch, "commit", start, ([each.delivery for each in plan.jobs] for plan in ready))
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
        pets: list[PetJobs] = []
        failures: list[Failure] = []
        hits, misses = [], 0
        stored = await self._albums.load(wanted)
        async with self._compute.time_slice() as time_slice:
            for (pet_id, of_pet), (token, album), loaded in zip(jobs.items(), cached, stored, strict=True):
                await time_slice.checkpoint()
                if isinstance(loaded, Exception):
                    failures += [Failure(*each, loaded) for each in of_pet]
                    continue
                current = album if loaded.token == token else None
                if current is not None:
                    hits.append(pet_id)
                elif loaded.token:
                    misses += 1
                pets.append(PetJobs(pet_id, of_pet, loaded, current))
        self._cache.count_uses(hits, misses)
        return pets, failures

    async def _complete(self, batch: Batch, plans: Sequence[Lacking], *, large: bool) -> list[Ready | Overtaken]:
        """Plans again, all together, until nothing is missing: one profile or snapshot at a time, and every row."""
        done: list[Ready | Overtaken] = []
        failures: dict[str, list[Failure]] = {plan.rest.pet_id: [] for plan in plans}
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
        return [_with_failures(plan, failures[_pet_id(plan)]) for plan in done]

    async def _supply(self, plan: Lacking) -> PetJobs | Ready | Overtaken:
        """The pet's jobs with what they lacked; or what is to be done where it cannot be had."""
        pet = plan.rest
        try:
            if isinstance(plan, NeedsProfile):
                await self._profiles.fetch(plan.model_version, plan.generation)
                return pet
            if isinstance(plan, NeedsSnapshot):
                snapshot = await self._albums.snapshot(pet.pet_id, plan.name)
                return replace(pet, snapshots={**pet.snapshots, plan.name: snapshot})
            rows = await self._albums.all_rows(pet.pet_id, pet.loaded.token)
        except BadStateError as error:
            return self._planner.fail(pet, error)
        return Overtaken(pet) if rows is None else replace(pet, all_rows=rows)

    async def _commit(
        self, batch: Batch, plans: Sequence[Ready]
    ) -> tuple[dict[str, Sequence[Delivery]], list[Failure]]:
        """What has to be attempted again, and what Redis refused."""
        again: dict[str, Sequence[Delivery]] = {}
        refused: list[Failure] = []
        committed: list[Ready] = []
        behind: list[Delivery] = []
        commits = [_with_trace(plan, batch) for plan in plans] if batch.runs else [plan.commit for plan in plans]
        replies = await self._albums.commit(batch.consumer, commits) if plans else []
        async with self._compute.time_slice() as time_slice:
            for plan, reply in zip(plans, replies, strict=True):
                await time_slice.checkpoint()
                pet_id = plan.commit.pet_id
                if isinstance(reply, Exception):
                    self._cache.drop(pet_id)
                    refused += [Failure(*each.delivery, reply) for each in plan.jobs]
                elif reply.outcome is CommitOutcome.COMMITTED:
                    if plan.album is not None:
                        self._cache.put(pet_id, reply.token, plan.album)
                    self._profiles.committed(plan.commit)
                    committed.append(plan)
                elif reply.outcome is CommitOutcome.LOST:
                    before, after = self._around_lost(batch, plan, reply)
                    behind += after
                    again |= {pet_id: before} if before else {}
                else:
                    again[pet_id] = self._overtaken(plan, reply)
        for plan in committed:
            self._order.settled(plan.commit.pet_id, plan.commit.entries)
        await self._results.committed(batch, committed)
        if behind:
            await self._results.deferred(batch, behind)
        return again, refused

    def _overtaken(self, plan: Ready, reply: Committed) -> Sequence[Delivery]:
        """The jobs of a commit that rested on what is not so any more."""
        pet_id, jobs = plan.commit.pet_id, [each.delivery for each in plan.jobs]
        if reply.outcome is CommitOutcome.CONFLICT:
            return self._conflict(pet_id, jobs)
        self._results.profile_lost(pet_id)
        self._profiles.forget(plan.commit.used_profiles)
        self._cache.drop(pet_id)
        return jobs

    def _around_lost(self, batch: Batch, plan: Ready, reply: Committed) -> tuple[list[Delivery], list[Delivery]]:
        """The jobs of a commit some of whose entries are another consumer's now: ours before those, and ours after
        them, which have to wait for them.
        """
        jobs, ours = [each.delivery for each in plan.jobs], set(reply.ours)
        lost = [each.entry for each in jobs if each.entry.key not in ours]
        self._results.lost(batch, lost)
        left = [each for each in jobs if each.entry.key in ours]
        first = min(entry.id for entry in lost)
        return [each for each in left if each.entry.id < first], [each for each in left if each.entry.id > first]

    def _conflict(self, pet_id: str, jobs: Sequence[Delivery]) -> Sequence[Delivery]:
        """Another process committed meanwhile."""
        self._results.conflict()
        self._cache.drop(pet_id)
        return jobs

    def _end_stage(self, batch: Batch, stage: str, start: float, jobs: Iterable[Sequence[Delivery]]) -> None:
        self._stage[stage].inc(time.perf_counter() - start)
        if batch.runs is not None:
            batch.runs.stage(stage, start, jobs)


def _with_trace(plan: Ready, batch: Batch) -> Commit:
    """The commit, with the trace in which it leaves word of insights."""
    commit = plan.commit
    wanting = batch.runs is not None and commit.insights is not None and commit.insights.new_wants
    context = batch.runs.context(each.delivery.entry for each in plan.jobs) if batch.runs and wanting else None
    return commit if context is None else replace(commit, trace=context.text)


def _with_failures(plan: Ready | Overtaken, failures: Sequence[Failure]) -> Ready | Overtaken:
    every = [*failures, *plan.failures]
    return replace(plan, failures=every) if isinstance(plan, Ready) else Overtaken(plan.rest, every)


def _pet_id(plan: Ready | Overtaken) -> str:
    return plan.commit.pet_id if isinstance(plan, Ready) else plan.rest.pet_id
