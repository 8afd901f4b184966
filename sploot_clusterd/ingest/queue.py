"""What one consumer took up together, given out pet by pet as turns come (`order` says whose turn it is)."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.ingest.batch import Delivery, JobsByPet
from sploot_clusterd.store import Entry, entry_id

if TYPE_CHECKING:
    from sploot_clusterd.ingest.order import Order

_STOP_CHECK: Final = 0.25


class Whose(NamedTuple):
    """The pets that a pending entry names. Of one that failed, its own, with its job's id and place."""

    pets: frozenset[str]
    job_id: str = ""
    failed_at: EntryId | None = None


Cut = Callable[[Sequence[Delivery]], Sequence[Delivery]]
"""How many of a pet's jobs whose turn it is are given out together: the first ones."""


class Queue:
    """A batch's jobs, given out as their turns come. Entered as a context, it has them in hand."""

    def __init__(
        self, order: "Order", consumer: str, jobs: JobsByPet, stopping: asyncio.Event, cut: Cut = lambda free: free
    ) -> None:
        self.consumer = consumer
        self.changed = asyncio.Event()
        """Set when a job may have its turn, or what it waits for has left this process's hands."""
        self.pets = frozenset(jobs)
        self.left = {pet_id: list(of_pet) for pet_id, of_pet in jobs.items()}
        """What has not had its turn, in order."""
        self.apart = set[str]()
        """Pets whose jobs are not given out here."""
        self.alone = False
        """Whether it was split off and is of one pet."""
        self.is_left = False
        """Whether its consumer has gone on without it, and nothing was done since."""
        self.shared = 0.0
        """The share of the older pending entries, as it began, that are of its pets."""
        self.takes_long = False
        """Whether its jobs do."""
        self.pet_of = {each.entry.key: pet_id for pet_id, of_pet in jobs.items() for each in of_pet}
        self._order = order
        self._stopping = stopping
        self._cut = cut
        self._moved_at = time.monotonic()
        self._given: dict[bytes, Delivery] = {}
        """Those of the last turn that were not settled."""
        self._ahead: dict[str, dict[bytes, EntryId]] = {pet_id: {} for pet_id in jobs}
        """By pet: the older pending entries in other hands."""
        self._firsts: dict[tuple[str, str], EntryId] = {}
        """By pet and job id: the place of the oldest entry that failed and is to be tried again."""

    def __enter__(self) -> Self:
        self._order.take(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._order.give_up(self)

    def set_apart(self, pet_id: str) -> None:
        """The pet's jobs are not given out any more, until `split` gives them a queue of their own; those of this turn
        were not run.
        """
        self.left[pet_id] = self.unsettled(pet_id)
        for entry, _ in self.left[pet_id]:
            self._given.pop(entry.key, None)
        self.apart.add(pet_id)

    def split(self, pets: Collection[str], cut: Cut = lambda free: free) -> "Queue":
        """The jobs of these pets that wait or were set apart, to be entered."""
        jobs = {pet_id: self.left.pop(pet_id) for pet_id in pets}
        self.apart.difference_update(pets)
        for of_pet in jobs.values():
            for entry, _ in of_pet:
                del self.pet_of[entry.key]
        queue = Queue(self._order, self.consumer, jobs, self._stopping, cut)
        queue._ahead |= {pet_id: self._ahead.pop(pet_id) for pet_id in pets}
        queue._firsts = self._firsts
        queue.alone = len(jobs) == 1
        return queue

    def drop(self, pet_id: str, jobs: Sequence[Delivery]) -> None:
        """The last of those that wait are put off: they are not in hand any more."""
        del self.left[pet_id][-len(jobs) :]
        if not self.left[pet_id]:
            del self.left[pet_id]
            self.apart.discard(pet_id)
        keys = [entry.key for entry, _ in jobs]
        self._order.let_go(keys)
        self._order.know(pet_id, keys)
        for key in keys:
            del self.pet_of[key]

    def unsettled(self, pet_id: str) -> list[Delivery]:
        """The pet's jobs without an outcome, in order."""
        given = [each for each in self._given.values() if each.job.pet_id == pet_id]
        return given + self.left.get(pet_id, [])

    async def begin(self, older: Collection[bytes]) -> None:
        """Finds out who has to wait for which of these. Raises StoreUnavailableError."""
        known, shared = await self._order.whose([*older]) if older else {}, 0
        for key, whose in known.items():
            if whose.failed_at is not None:
                self.note_failed(whose)
                continue
            pets = whose.pets & self._ahead.keys()
            shared += bool(pets)
            for pet_id in pets:
                self._ahead[pet_id][key] = entry_id(key)
        self.shared = shared / len(known) if known else 0.0

    def now(self) -> JobsByPet:
        """The jobs whose turn it is. Those of the turn before have had their outcome, for now."""
        self._order.let_go(self._given)
        for key, (entry, job) in self._given.items():
            self._ahead[job.pet_id][key] = entry.id
        self._given = {}
        turn: dict[str, Sequence[Delivery]] = {}
        for pet_id, of_pet in [each for each in self.left.items() if self._is_next(each[0])]:
            ahead = self._ahead[pet_id]
            first = min(ahead.values()) if ahead else None
            free = self._cut(of_pet if first is None else [each for each in of_pet if each.entry.id < first])
            turn[pet_id] = [self._placed(each) for each in free] if self._firsts else free
            self.left[pet_id] = of_pet[len(free) :]
            if not self.left[pet_id]:
                del self.left[pet_id]
        self._given = {each.entry.key: each for of_pet in turn.values() for each in of_pet}
        return turn

    async def turn(self) -> JobsByPet:
        """As `now`, as soon as there are some; none when none are left, or the daemon stops."""
        start = time.perf_counter()
        turn: JobsByPet = {}
        while not self._stopping.is_set() and not (turn := self.now()) and self.left:
            self.changed.clear()
            self._order.poll(self)
            try:
                async with asyncio.timeout(_STOP_CHECK):
                    await self.changed.wait()
            except TimeoutError:
                pass
        self._order.count_wait(time.perf_counter() - start)
        return turn

    def runs(self, key: bytes) -> bool:
        """Whether the entry has its turn now."""
        return key in self._given

    def is_stuck(self) -> bool:
        """Whether nothing that is waited for can be expected to be done soon."""
        return all(map(self._order.is_stuck, self.youngest().values()))

    def behind(self, keys: Collection[bytes]) -> int:
        """How many jobs wait for some of these, those set apart left out."""
        waiting = [each for each in self.left.items() if each[0] not in self.apart]
        return sum(len(of_pet) for pet_id, of_pet in waiting if not self._ahead[pet_id].keys().isdisjoint(keys))

    def is_slow(self, patience: float) -> bool:
        """Whether it takes long, or has waited for so many seconds in which nothing that it waits for was done."""
        return self.takes_long or time.monotonic() - self._moved_at > patience

    def waiting_entries(self) -> list[Entry]:
        """Those whose jobs have had no turn."""
        return [each.entry for of_pet in self.left.values() for each in of_pet]

    def youngest(self) -> dict[str, bytes]:
        """For each pet, the youngest entry that its next job waits for."""
        found = {pet_id: self.youngest_of(pet_id) for pet_id in self.left}
        return {pet_id: key for pet_id, key in found.items() if key is not None}

    def youngest_of(self, pet_id: str) -> bytes | None:
        """The youngest entry that the pet's next job waits for; None if it waits for none."""
        ahead, first = self._ahead[pet_id], self.left[pet_id][0].entry.id
        older = [key for key, place in ahead.items() if place < first]
        return max(older, key=ahead.__getitem__, default=None)

    def ahead(self, pet_id: str) -> Collection[bytes]:
        """What is waited for by those of the pet's jobs that wait."""
        return self._ahead[pet_id] if pet_id in self.left else ()

    def forget(self, pet_id: str, keys: Collection[bytes]) -> None:
        """These entries of the pet need not be waited for any more."""
        for key in keys:
            self._given.pop(key, None)
        ahead = self._ahead.get(pet_id)
        if not ahead:  # mostly
            return
        before = len(ahead)
        for key in keys:
            ahead.pop(key, None)
        if len(ahead) < before:
            self.is_left = False
            self._moved_at = time.monotonic()
            if pet_id in self.left and self._is_next(pet_id):
                self.changed.set()

    def note_failed(self, whose: Whose) -> None:
        """A job of this one's id takes its place."""
        if whose.failed_at is not None:
            for pet_id in whose.pets & self._ahead.keys():
                first = self._firsts.get((pet_id, whose.job_id), whose.failed_at)
                self._firsts[pet_id, whose.job_id] = min(first, whose.failed_at)

    def _is_next(self, pet_id: str) -> bool:
        """Whether the first of the pet's jobs waits for none."""
        ahead = self._ahead[pet_id]
        if pet_id in self.apart or not ahead:  # mostly nothing is ahead
            return pet_id not in self.apart
        first = self.left[pet_id][0].entry.id
        return not any(place < first for place in ahead.values())

    def _placed(self, delivery: Delivery) -> Delivery:
        """A repeat of what failed is to take its place."""
        first = self._firsts.get((delivery.job.pet_id, delivery.job.job_id))
        return delivery if first is None else delivery._replace(job=delivery.job._replace(repeats=first))
