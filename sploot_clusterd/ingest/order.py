"""Whose turn it is: a pet's jobs are applied in the order of the stream, whichever consumers hold them.

Entries are delivered in their order. So when one is in a consumer's hands, every older one that is not settled is
among the group's pending entries, and once it has left them it does not come back. A job waits for older ones of its
pet. Only what failed and waits for its retry is not waited for, nor what seems to end the process that runs it.

Nobody waits for ever: an entry waits only for lower ids, so the lowest of a pet waits for none, and it is being run, or
due, or taken over from a process that is gone. Nothing is locked while a job waits.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest.batch import Batch, Decoder, Delivery, JobsByPet
from sploot_clusterd.ingest.queue import Queue, Whose
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Entry, PendingEntries, PendingEntry, Standing

_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.1
_PAUSE_SHARE: Final = 0.1
"""Seconds between two looks at what is in other processes' hands: a tenth of the time since the last one was done."""
_STALE_MS: Final = 1000
"""What another process has held for so long may be a dead one's."""
_MOST_KNOWN: Final = 8192


class Order:
    """What one process knows of the pending entries. It only spares questions: nothing rests on its being complete."""

    def __init__(self, pending: PendingEntries, decoder: Decoder, metrics: Metrics, stopping: asyncio.Event) -> None:
        self._pending = pending
        self._decoder = decoder
        self._seconds = metrics.stage_seconds.labels("order")
        self._stopping = stopping
        self._in_hand: dict[bytes, Queue] = {}
        """Entries that this process will take to an outcome, by the queue that they are in."""
        self._known: dict[bytes, Whose] = {}
        """Entries in other hands."""
        self._idle_ms: dict[bytes, int] = {}
        """How long they have been held, as of the last look."""
        self._queues: set[Queue] = set()
        self._of_pet: dict[str, set[Queue]] = {}
        """Queues by the pets of their jobs: there are many of them while much waits."""
        self._polling: asyncio.Task[None] | None = None

    async def older(self, batch: Batch) -> Mapping[bytes, str]:
        """The pending entries that some of the batch may have to wait for, with the consumers that have them.

        Raises StoreUnavailableError.
        """
        choose = min if batch.contiguous else max
        bound = choose(batch.entries, key=lambda entry: entry.id)
        older = await self._pending.before(bound.key)
        if not older:  # mostly
            return older
        ours = {entry.key for entry in batch.entries}
        return {key: consumer for key, consumer in older.items() if key not in ours}

    async def is_behind(self, entry: Entry) -> bool:
        """Whether a suspect would have to wait, as far as that can be told without decoding it."""
        (own,) = await self._pending.look([entry.key])
        older = await self._pending.before(entry.key)
        known = await self.whose([*older]) if own.pets else {}
        return any(own.pets & whose.pets for whose in known.values() if whose.failed_at is None)

    def queue(self, consumer: str, jobs: JobsByPet) -> Queue:
        """To be entered: within it, these jobs are in the consumer's hands."""
        return Queue(self, consumer, jobs, self._stopping)

    def take(self, queue: Queue) -> None:
        """The queue's jobs are in its hands now, whoever had them."""
        self._in_hand.update(dict.fromkeys(queue.pet_of, queue))
        self._queues.add(queue)
        for pet_id in queue.pets:
            self._of_pet.setdefault(pet_id, set()).add(queue)

    def give_up(self, queue: Queue) -> None:
        self._queues.discard(queue)
        for pet_id in queue.pets:
            others = self._of_pet[pet_id]
            others.discard(queue)
            if not others:
                del self._of_pet[pet_id]
        self.let_go(queue.pet_of)

    def held(self, pet_id: str) -> list[Delivery]:
        """What this process has of the pet in hand."""
        return [each for queue in self._of_pet.get(pet_id, ()) for each in queue.unsettled(pet_id)]

    def know(self, pet_id: str, keys: Iterable[bytes]) -> None:
        """These are the pet's, and in nobody's hands now."""
        self._known.update(dict.fromkeys(keys, Whose(frozenset((pet_id,)))))

    def settled(self, pet_id: str, keys: Collection[bytes]) -> None:
        """These entries of the pet are pending no longer."""
        for key in keys:
            self._in_hand.pop(key, None)
        for queue in self._of_pet.get(pet_id, ()):
            queue.forget(pet_id, keys)

    def let_go(self, keys: Iterable[bytes]) -> None:
        """These are not in this process's hands any more, whatever became of them."""
        for pet_id in {queue.pet_of[key] for key in keys if (queue := self._in_hand.pop(key, None))}:
            for queue in self._of_pet.get(pet_id, ()):
                if pet_id in queue.left:
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

    async def whose(self, keys: Sequence[bytes]) -> dict[bytes, Whose]:
        """Whose these are; of what is settled, or no job, nothing."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        found = {key: Whose(frozenset((queue.pet_of[key],))) for key in keys if (queue := self._in_hand.get(key))}
        found |= {key: known for key in keys if key not in found and (known := self._known.get(key))}
        if strange := [key for key in keys if key not in found]:
            found |= await self._learn(await self._pending.look(strange))
        return found

    async def _learn(self, looked_at: Collection[PendingEntry]) -> dict[bytes, Whose]:
        """Whose these are, also where only decoding tells."""
        learnt = {each.key: Whose(each.pets) for each in looked_at if each.standing is not Standing.GONE}
        whole = {each.key: each for each in looked_at if each.entry is not None}
        jobs: JobsByPet = {}
        if whole:
            jobs, _ = await self._decoder.decode([each.entry for each in whole.values() if each.entry is not None])
        for pet_id, of_pet in jobs.items():
            for entry, job in of_pet:
                failed = whole[entry.key].standing is Standing.FAILED
                learnt[entry.key] = Whose(frozenset((pet_id,)), job.job_id, job.sequence if failed else None)
        self._known |= learnt
        return learnt

    def poll(self, queue: Queue) -> None:
        """Looks, from now on, at what is waited for and in other processes' hands, until nothing is. `queue` waits."""
        if (self._polling is None or self._polling.done()) and not all(map(self.holds, queue.youngest().values())):
            self._polling = asyncio.create_task(self._poll(), name="looks at what others hold")

    async def _poll(self) -> None:
        moved_at = time.perf_counter()
        while (youngest := self._waited_for()) and not self._stopping.is_set():
            with suppress(StoreUnavailableError):  # the consumers see to it
                if await self._look(youngest):
                    moved_at = time.perf_counter()
            still = time.perf_counter() - moved_at
            await asyncio.sleep(min(max(_FIRST_PAUSE, still * _PAUSE_SHARE), _LONGEST_PAUSE))

    def _waited_for(self) -> dict[str, bytes]:
        """Of each pet, what its next job will probably wait for longest: a pet's entries are settled in order."""
        first: dict[str, Queue] = {}
        for queue in self._queues:
            for pet_id, of_pet in queue.left.items():
                if pet_id not in first or of_pet[0].entry.id < first[pet_id].left[pet_id][0].entry.id:
                    first[pet_id] = queue
        youngest = {pet_id: queue.youngest_of(pet_id) for pet_id, queue in first.items()}
        return {pet_id: key for pet_id, key in youngest.items() if key is not None and not self.holds(key)}

    async def _look(self, youngest: Mapping[str, bytes]) -> bool:
        """Whether some of these are waited for no longer. Then the others of their pets are looked at, too."""
        every = set(youngest.values())
        self._idle_ms = {key: idle for key, idle in self._idle_ms.items() if key in every}
        done = await self._dismiss(every)
        moved = [pet_id for pet_id, key in youngest.items() if key in done]
        beside = {pet_id: self._ahead_of(pet_id) for pet_id in moved}
        done |= await self._dismiss({key for keys in beside.values() for key in keys} - done)
        for pet_id in moved:
            for queue in self._of_pet.get(pet_id, ()):
                queue.forget(pet_id, beside[pet_id] & done)
                queue.changed.set()
        return bool(moved)

    def _ahead_of(self, pet_id: str) -> set[bytes]:
        """What is in other hands and waited for by the pet's jobs."""
        queues = self._of_pet.get(pet_id, ())
        return {key for queue in queues for key in queue.ahead(pet_id) if not self.holds(key)}

    async def _dismiss(self, keys: Collection[bytes]) -> set[bytes]:
        """Those that need not be waited for."""
        found = await self._pending.look((), sorted(keys)) if keys else []
        self._idle_ms |= {each.key: each.idle_ms for each in found}
        failed = [each for each in found if each.standing is Standing.FAILED]
        for whose in (await self._learn(failed)).values():
            for queue in self._queues:
                queue.note_failed(whose)
        return {each.key for each in found if each.standing in (Standing.GONE, Standing.FAILED)}
