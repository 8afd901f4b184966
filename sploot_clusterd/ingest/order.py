"""Whose turn it is: a pet's jobs are applied in the order of the stream, whichever consumers hold them.

Entries are delivered in their order. So when one is in a consumer's hands, every older one that is not settled is
among the group's pending entries, and once it has left them it does not come back. A job waits for older ones of its
pet. Only what failed and waits for its retry is not waited for, nor what seems to end the process that runs it.

Nobody waits for ever: an entry waits only for lower ids, so the lowest of a pet waits for none, and it is being run, or
due, or taken over from a process that is gone. Nothing is locked while a job waits.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest.batch import Batch, Decoder, Delivery, JobsByPet
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import Entry, PendingEntries, PendingEntry, Standing, entry_id

_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.1
_PAUSE_SHARE: Final = 0.1
"""Seconds between two looks at what is in other processes' hands: a tenth of the time since the last one was done."""
_STALE_MS: Final = 1000
"""What another process has held for so long may be a dead one's."""
_STOP_CHECK: Final = 0.25
_MOST_KNOWN: Final = 8192


class _Whose(NamedTuple):
    """The pets that a pending entry names. Of one that failed, its own, with its job's id and place."""

    pets: frozenset[str]
    job_id: str = ""
    failed_at: EntryId | None = None


class Order:
    """What one process knows of the pending entries. It only spares questions: nothing rests on its being complete."""

    def __init__(self, pending: PendingEntries, decoder: Decoder, metrics: Metrics, stopping: asyncio.Event) -> None:
        self._pending = pending
        self._decoder = decoder
        self._seconds = metrics.stage_seconds.labels("order")
        self._stopping = stopping
        self._in_hand: dict[bytes, Queue] = {}
        """Entries that this process will take to an outcome, by the queue that they are in."""
        self._known: dict[bytes, _Whose] = {}
        """Entries in other hands."""
        self._idle_ms: dict[bytes, int] = {}
        """How long they have been held, as of the last look."""
        self._queues: set[Queue] = set()
        self._polling: asyncio.Task[None] | None = None

    async def older(self, batch: Batch) -> list[bytes]:
        """The pending entries that some of the batch may have to wait for. Raises StoreUnavailableError."""
        choose = min if batch.contiguous else max
        last = choose(batch.entries, key=lambda entry: entry.id)
        ours = {entry.key for entry in batch.entries}
        return [key for key in await self._pending.before(last.key) if key not in ours]

    async def is_behind(self, entry: Entry) -> bool:
        """Whether a suspect would have to wait, as far as that can be told without decoding it."""
        (own,) = await self._pending.look([entry.key])
        older = await self._pending.before(entry.key)
        known = await self.whose(older) if own.pets else {}
        return any(own.pets & whose.pets for whose in known.values() if whose.failed_at is None)

    @contextmanager
    def queue(self, consumer: str, jobs: JobsByPet) -> Iterator["Queue"]:
        """Within it, these jobs are in the consumer's hands."""
        queue = Queue(self, consumer, jobs, self._stopping)
        keys = [each.entry.key for of_pet in jobs.values() for each in of_pet]
        self._in_hand.update(dict.fromkeys(keys, queue))
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
            self.let_go(keys)

    def settled(self, keys: Sequence[bytes]) -> None:
        """These entries are pending no longer."""
        for queue in self._queues:
            queue.forget(keys)
        self.let_go(keys)

    def let_go(self, keys: Iterable[bytes]) -> None:
        """These are not in this process's hands any more, whatever became of them."""
        if [key for key in keys if self._in_hand.pop(key, None) is not None]:
            for queue in self._queues:
                queue.changed.set()

    def holds(self, key: bytes, consumer: str = "") -> bool:
        """Whether the entry is in this process's hands, or in this consumer's."""
        queue = self._in_hand.get(key)
        return queue is not None and consumer in ("", queue.consumer)

    def is_stuck(self, key: bytes) -> bool:
        """Whether the entry has been held for long, or waits for one that was."""
        queue = self._in_hand.get(key)
        return self._idle_ms.get(key, 0) > _STALE_MS if queue is None else queue.is_left and not queue.runs(key)

    def waiting(self) -> int:
        """How many entries wait for older ones."""
        return sum(len(of_pet) for queue in self._queues for of_pet in queue.left.values())

    def count_wait(self, seconds: float) -> None:
        self._seconds.inc(seconds)

    async def whose(self, keys: Sequence[bytes]) -> dict[bytes, _Whose]:
        """Whose these are; of what is settled, or no job, nothing."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        found = {key: _Whose(frozenset((queue.pet_of[key],))) for key in keys if (queue := self._in_hand.get(key))}
        found |= {key: known for key in keys if key not in found and (known := self._known.get(key))}
        if strange := [key for key in keys if key not in found]:
            found |= await self._learn(await self._pending.look(strange))
        return found

    async def _learn(self, looked_at: Collection[PendingEntry]) -> dict[bytes, _Whose]:
        """Whose these are, also where only decoding tells."""
        learnt = {each.key: _Whose(each.pets) for each in looked_at if each.standing is not Standing.GONE}
        whole = {each.key: each for each in looked_at if each.entry is not None}
        jobs: JobsByPet = {}
        if whole:
            jobs, _ = await self._decoder.decode([each.entry for each in whole.values() if each.entry is not None])
        for pet_id, of_pet in jobs.items():
            for entry, job in of_pet:
                failed = whole[entry.key].standing is Standing.FAILED
                learnt[entry.key] = _Whose(frozenset((pet_id,)), job.job_id, job.sequence if failed else None)
        self._known |= learnt
        return learnt

    def poll(self) -> None:
        """Looks, from now on, at what is waited for and in other processes' hands, until nothing is."""
        if (self._polling is None or self._polling.done()) and self._waited_for():
            self._polling = asyncio.create_task(self._poll(), name="looks at what others hold")

    async def _poll(self) -> None:
        moved_at = time.perf_counter()
        while (youngest := self._waited_for()) and not self._stopping.is_set():
            with suppress(StoreUnavailableError):  # the consumers see to it
                if await self._look(youngest):
                    moved_at = time.perf_counter()
            still = time.perf_counter() - moved_at
            await asyncio.sleep(min(max(_FIRST_PAUSE, still * _PAUSE_SHARE), _LONGEST_PAUSE))

    def _waited_for(self) -> set[bytes]:
        """Of each pet, what its next job will probably wait for longest: a pet's entries are settled in order."""
        return {key for queue in self._queues for key in queue.youngest() if not self.holds(key)}

    async def _look(self, youngest: set[bytes]) -> bool:
        """Whether some of these are waited for no longer. Then the others of their pets are looked at, too."""
        self._idle_ms = {key: idle for key, idle in self._idle_ms.items() if key in youngest}
        done = await self._dismiss(youngest)
        others = {key for queue in self._queues for key in queue.beside(done) if not self.holds(key)}
        self._forget({*done, *await self._dismiss(others)})
        return bool(done)

    async def _dismiss(self, keys: Collection[bytes]) -> set[bytes]:
        """Those that need not be waited for."""
        found = await self._pending.look((), sorted(keys)) if keys else []
        self._idle_ms |= {each.key: each.idle_ms for each in found}
        failed = [each for each in found if each.standing is Standing.FAILED]
        for whose in (await self._learn(failed)).values():
            for queue in self._queues:
                queue.note_failed(whose)
        return {each.key for each in found if each.standing in (Standing.GONE, Standing.FAILED)}

    def _forget(self, keys: Collection[bytes]) -> None:
        for queue in self._queues:
            queue.forget(keys)
            queue.changed.set()


class Queue:
    """A batch's jobs, given out as their turns come."""

    def __init__(self, order: Order, consumer: str, jobs: JobsByPet, stopping: asyncio.Event) -> None:
        self.consumer = consumer
        self.changed = asyncio.Event()
        """Set when something that may be waited for was settled, or has left this process's hands."""
        self.left = {pet_id: list(of_pet) for pet_id, of_pet in jobs.items()}
        """What has not had its turn, in order."""
        self.is_left = False
        """Whether its consumer has gone on without it."""
        self.moved_at = time.perf_counter()
        """When something that was waited for was done last."""
        self.pet_of = {each.entry.key: pet_id for pet_id, of_pet in jobs.items() for each in of_pet}
        self._order = order
        self._stopping = stopping
        self._given: dict[bytes, Delivery] = {}
        """Those of the last turn that were not settled."""
        self._ahead: dict[str, dict[bytes, EntryId]] = {pet_id: {} for pet_id in jobs}
        """By pet: the older pending entries in other hands."""
        self._firsts: dict[tuple[str, str], EntryId] = {}
        """By pet and job id: the place of the oldest entry that failed and is to be tried again."""

    async def begin(self, older: Sequence[bytes]) -> None:
        """Finds out who has to wait for which of these. Raises StoreUnavailableError."""
        for key, whose in (await self._order.whose(older) if older else {}).items():
            if whose.failed_at is not None:
                self.note_failed(whose)
                continue
            for pet_id in whose.pets & self._ahead.keys():
                self._ahead[pet_id][key] = entry_id(key)

    def now(self) -> JobsByPet:
        """The jobs whose turn it is. Those of the turn before have had their outcome, for now."""
        self._order.let_go(self._given)
        for key, (entry, job) in self._given.items():
            self._ahead[job.pet_id][key] = entry.id
        self._given = {}
        turn: dict[str, list[Delivery]] = {}
        for pet_id, of_pet in list(self.left.items()):
            first = min(self._ahead[pet_id].values(), default=None)
            free = [each for each in of_pet if first is None or each.entry.id < first]
            if free:
                turn[pet_id] = [self._placed(each) for each in free]
                self.left[pet_id] = of_pet[len(free) :]
            if not self.left[pet_id]:
                del self.left[pet_id]
        self._given = {each.entry.key: each for of_pet in turn.values() for each in of_pet}
        return turn

    async def turn(self) -> JobsByPet:
        """As `now`, as soon as there are some; none when none are left, or the daemon stops."""
        start = time.perf_counter()
        while not (turn := self.now()) and self.left and not self._stopping.is_set():
            self.changed.clear()
            self._order.poll()
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
        return all(map(self._order.is_stuck, self.youngest()))

    def waiting_entries(self) -> list[Entry]:
        """Those whose jobs have had no turn."""
        return [each.entry for of_pet in self.left.values() for each in of_pet]

    def youngest(self) -> Iterator[bytes]:
        """For each pet, the youngest entry that its next job waits for."""
        for pet_id, of_pet in self.left.items():
            ahead = self._ahead[pet_id]
            older = [key for key, place in ahead.items() if place < of_pet[0].entry.id]
            if older:
                yield max(older, key=ahead.__getitem__)

    def beside(self, keys: Collection[bytes]) -> Iterator[bytes]:
        """What else is waited for by those that wait for one of the keys."""
        for pet_id in self.left:
            if not self._ahead[pet_id].keys().isdisjoint(keys):
                yield from self._ahead[pet_id].keys() - keys

    def forget(self, keys: Collection[bytes]) -> None:
        """These need not be waited for any more."""
        for key in self._given.keys() & keys:
            del self._given[key]
        for ahead in self._ahead.values():
            for key in ahead.keys() & keys:
                del ahead[key]
                self.is_left = False
        self.moved_at = time.perf_counter()

    def note_failed(self, whose: _Whose) -> None:
        """A job of this one's id takes its place."""
        if whose.failed_at is not None:
            for pet_id in whose.pets & self._ahead.keys():
                first = self._firsts.get((pet_id, whose.job_id), whose.failed_at)
                self._firsts[pet_id, whose.job_id] = min(first, whose.failed_at)

    def _placed(self, delivery: Delivery) -> Delivery:
        """A repeat of what failed is to take its place."""
        first = self._firsts.get((delivery.job.pet_id, delivery.job.job_id))
        return delivery if first is None else delivery._replace(job=delivery.job._replace(repeats=first))
