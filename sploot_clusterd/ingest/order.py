"""Whose turn it is: a pet's jobs are applied in the order of the stream, whichever consumers hold them.

Entries are delivered in their order. So when one is in a consumer's hands, every older one that is not settled is
among the group's pending entries, and once it has left them it does not come back. A job waits for older ones of its
pet. Only what failed and waits for its retry is not waited for, nor what seems to end the process that runs it.

Nobody waits for ever: an entry waits only for lower ids, so the lowest of a pet waits for none, and it is in somebody's
hands, or due soon, or taken over from a process that is gone. Whoever waits lets go of what it has after a while.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from heapq import nsmallest
from typing import Final, NamedTuple

from sploot_clusterd.ingest.batch import Batch, Decoder, Delivery, JobsByPet
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import PendingEntries, PendingEntry, Standing, entry_id

_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.05
_PATIENCE: Final = 0.5
"""Seconds that a batch waits: longer than what was put off takes to be taken up again."""
_STALE_MS: Final = 1000
"""What was held for so long may be a dead process's, and is not waited for with a batch in hand."""
_CROWD: Final = 1000
_PATIENCE_IN_A_CROWD: Final = 5.0
"""Where so many entries are pending, to put off more and to read on would only make it worse."""
_SHORTEST_MS: Final = 100
_LONGEST_MS: Final = 5000
"""For how long to put off: half of the time that what is waited for was held already."""
_LOOKED_AT: Final = 64
"""Of a pet's older entries the oldest are looked at; the next ones wait for these themselves."""
_MOST_KNOWN: Final = 4096


class _Whose(NamedTuple):
    """The pets that a pending entry names. Of one that failed, its own, with its job's id and place."""

    pets: frozenset[str]
    job_id: str = ""
    failed_at: EntryId | None = None


class Order:
    """What one process knows of the pending entries. It only spares questions: nothing rests on its being complete."""

    def __init__(self, pending: PendingEntries, decoder: Decoder, metrics: Metrics) -> None:
        self._pending = pending
        self._decoder = decoder
        self._seconds = metrics.stage_seconds.labels("order")
        self._in_hand: dict[bytes, _Whose] = {}
        """Entries that this process will take to an outcome presently."""
        self._known: dict[bytes, _Whose] = {}
        """Entries in other hands."""
        self._queues: set[Queue] = set()

    async def older(self, batch: Batch) -> list[bytes]:
        """The pending entries that some of the batch may have to wait for. Raises StoreUnavailableError."""
        choose = min if batch.contiguous else max
        last = choose(batch.entries, key=lambda entry: entry.id)
        ours = {entry.key for entry in batch.entries}
        return [key for key in await self._pending.before(last.key) if key not in ours]

    @contextmanager
    def queue(self, jobs: JobsByPet, *, patient: bool) -> Iterator["Queue"]:
        """Within it, these jobs are in hand. Not `patient`: those that cannot be applied at once are left."""
        queue = Queue(self, jobs, patient=patient)
        self._in_hand.update(
            (each.entry.key, _Whose(frozenset((pet_id,)))) for pet_id, of_pet in jobs.items() for each in of_pet
        )
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
            self.let_go(each.entry.key for of_pet in jobs.values() for each in of_pet)

    def settled(self, keys: Sequence[bytes]) -> None:
        """These entries are pending no longer."""
        for queue in self._queues:
            queue.forget(keys)
        self.let_go(keys)

    def let_go(self, keys: Iterable[bytes]) -> None:
        """These are not in this process's hands any more, whatever became of them."""
        for key in keys:
            self._in_hand.pop(key, None)
        for queue in self._queues:
            queue.changed.set()

    def holds(self, key: bytes) -> bool:
        return key in self._in_hand

    def count_wait(self, seconds: float) -> None:
        self._seconds.inc(seconds)

    async def whose(self, keys: Sequence[bytes]) -> dict[bytes, _Whose]:
        """Whose these are; of what is settled, or no job, nothing."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        found = {key: known for key in keys if (known := self._in_hand.get(key) or self._known.get(key))}
        if strange := [key for key in keys if key not in found]:
            looked_at = await self._learn(await self._pending.look(strange))
            found |= looked_at
        return found

    async def look(self, keys: Sequence[bytes]) -> tuple[dict[bytes, PendingEntry], dict[bytes, _Whose]]:
        """How these stand, by their keys, but for those that are settled; and those of them that failed."""
        found = {each.key: each for each in await self._pending.look((), keys)} if keys else {}
        failed = await self._learn([each for each in found.values() if each.standing is Standing.FAILED])
        return {key: each for key, each in found.items() if each.standing in (Standing.HELD, Standing.PUT_OFF)}, failed

    async def _learn(self, looked_at: Sequence[PendingEntry]) -> dict[bytes, _Whose]:
        """Whose these are, also where only decoding tells."""
        learnt = {each.key: _Whose(each.pets) for each in looked_at if each.standing is not Standing.GONE}
        whole = {each.key: each for each in looked_at if each.entry is not None}
        jobs, _ = (
            await self._decoder.decode([each.entry for each in whole.values() if each.entry]) if whole else ({}, 0)
        )
        for pet_id, of_pet in jobs.items():
            for entry, job in of_pet:
                failed = whole[entry.key].standing is Standing.FAILED
                learnt[entry.key] = _Whose(frozenset((pet_id,)), job.job_id, job.sequence if failed else None)
        self._known |= learnt
        return learnt


class Queue:
    """A batch's jobs, given out as their turns come."""

    def __init__(self, order: Order, jobs: JobsByPet, *, patient: bool) -> None:
        self.changed = asyncio.Event()
        """Set when something that may be waited for leaves this process's hands."""
        self._order = order
        self._patience = _PATIENCE if patient else 0.0
        self._left = {pet_id: list(of_pet) for pet_id, of_pet in jobs.items()}
        """What has not had its turn, in order."""
        self._given: dict[bytes, Delivery] = {}
        """Those of the last turn that were not settled."""
        self._ahead: dict[str, dict[bytes, EntryId]] = {pet_id: {} for pet_id in jobs}
        """By pet: the older pending entries in other hands."""
        self._standing: dict[bytes, PendingEntry] = {}
        self._firsts: dict[tuple[str, str], EntryId] = {}
        """By pet and job id: the place of the oldest entry that failed and is to be tried again."""

    async def begin(self, older: Sequence[bytes]) -> None:
        """Finds out who has to wait for which of these. Raises StoreUnavailableError."""
        if not older:
            return
        if self._patience and len(older) > _CROWD:
            self._patience = _PATIENCE_IN_A_CROWD
        for key, whose in (await self._order.whose(older)).items():
            if whose.failed_at is not None:
                self._note_failed(whose, whose.failed_at)
                continue
            for pet_id in whose.pets & self._ahead.keys():
                self._ahead[pet_id][key] = entry_id(key)

    async def turn(self) -> JobsByPet:
        """The jobs whose turn it is; none when none are left, or when the others should wait elsewhere.

        Those of the turn before have had their outcome. Raises StoreUnavailableError.
        """
        self._order.let_go(self._given)
        for key, (entry, job) in self._given.items():
            self._ahead[job.pet_id][key] = entry.id
        start, pause = time.perf_counter(), _FIRST_PAUSE
        while not (turn := self._free()) and self._left:
            self.changed.clear()
            await self._refresh()
            waited = time.perf_counter() - start
            if turn := self._free():
                break
            if waited >= self._patience or not any(map(self._is_fresh, map(self._head, self._left))):
                break
            await self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._order.count_wait(time.perf_counter() - start)
        self._given = {each.entry.key: each for of_pet in turn.values() for each in of_pet}
        return turn

    def left(self) -> list[tuple[Delivery, int]]:
        """The jobs that had no turn, and for how many ms to put them off."""
        return [(each, self._delay(pet_id)) for pet_id, of_pet in self._left.items() for each in of_pet]

    def forget(self, keys: Sequence[bytes]) -> None:
        """These need not be waited for any more."""
        for key in self._given.keys() & keys:
            del self._given[key]
        for ahead in self._ahead.values():
            for key in ahead.keys() & keys:
                del ahead[key]

    def _free(self) -> JobsByPet:
        """Takes out what is older than all that its pet would wait for."""
        turn: dict[str, list[Delivery]] = {}
        for pet_id, of_pet in list(self._left.items()):
            first = min(self._ahead[pet_id].values(), default=None)
            free = [each for each in of_pet if first is None or each.entry.id < first]
            if not free:
                continue
            turn[pet_id] = [self._placed(each) for each in free]
            self._left[pet_id] = of_pet[len(free) :]
            if not self._left[pet_id]:
                del self._left[pet_id]
        return turn

    def _placed(self, delivery: Delivery) -> Delivery:
        """A repeat of what failed is to take its place."""
        first = self._firsts.get((delivery.job.pet_id, delivery.job.job_id))
        return delivery if first is None else delivery._replace(job=delivery.job._replace(repeats=first))

    async def _refresh(self) -> None:
        """Asks how those stand that are waited for, but for what this process has in hand itself."""
        waited_for = {
            key
            for pet_id in self._left
            for key in nsmallest(_LOOKED_AT, self._ahead[pet_id], key=self._ahead[pet_id].__getitem__)
            if not self._order.holds(key)
        }
        self._standing, failed = await self._order.look(sorted(waited_for))
        for whose in failed.values():
            if whose.failed_at is not None:
                self._note_failed(whose, whose.failed_at)
        self.forget([key for key in waited_for if key not in self._standing])

    def _head(self, pet_id: str) -> bytes:
        """What the pet's first job that is left waits for first."""
        ahead = self._ahead[pet_id]
        return min(ahead, key=ahead.__getitem__)

    def _is_fresh(self, key: bytes) -> bool:
        """Whether it is to be expected that it will be settled soon."""
        standing = self._standing.get(key)
        return standing is None or standing.standing is Standing.PUT_OFF or standing.idle_ms < _STALE_MS

    def _delay(self, pet_id: str) -> int:
        standing = self._standing.get(self._head(pet_id))
        if standing is None or standing.standing is Standing.PUT_OFF:
            return _SHORTEST_MS
        return min(max(standing.idle_ms // 2, _SHORTEST_MS), _LONGEST_MS)

    def _note_failed(self, whose: _Whose, place: EntryId) -> None:
        for pet_id in whose.pets & self._ahead.keys():
            self._firsts[pet_id, whose.job_id] = min(place, self._firsts.get((pet_id, whose.job_id), place))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            pass
