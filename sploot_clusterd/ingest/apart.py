"""Jobs that take long are done apart, each pet's by a task of its own: no other pet's jobs wait for them."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from sploot_clusterd.engine import new_album, work_estimate
from sploot_clusterd.ingest.batch import Batch, Delivery
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.order import Order
from sploot_clusterd.ingest.parts import next_part
from sploot_clusterd.ingest.queue import Queue
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.ingest.scheduling import LARGE
from sploot_clusterd.ingest.shares import Shares
from sploot_clusterd.ingest.waiting_jobs import WaitingJobs
from sploot_clusterd.model import Job

_FEW_IMAGES: Final = 4
"""In one job: it is not worth an estimate."""
_MANY_JOBS: Final = 16
"""Of one pet in a batch: if they come to nothing, each is a dead letter with a round trip of its own."""


class Apart:
    """Which pets' jobs take long, and what becomes of those."""

    def __init__(
        self, *, order: Order, cache: AlbumCache, results: Results, waiting: WaitingJobs, shares: Shares
    ) -> None:
        self._order = order
        self._cache = cache
        self._results = results
        self._waiting = waiting
        self._shares = shares

    def takes_long(self, pet_id: str, jobs: Sequence[Delivery]) -> bool:
        """As far as can be told before its album is loaded."""
        if len(jobs) > _MANY_JOBS:
            return True
        if len(jobs) == 1 and len(jobs[0].job.images) <= _FEW_IMAGES and not jobs[0].job.force:
            return False
        return self._seconds(pet_id, jobs) > LARGE

    async def leave(self, batch: Batch, queue: Queue) -> None:
        """Leaves the pets that the queue has set apart to tasks; what is beyond their shares is put off."""
        for pet_id in sorted(queue.apart):
            await self._keep_share(batch, queue, pet_id)
            if pet_id in queue.left:
                apart = queue.split([pet_id], partial(next_part, seconds=partial(self._of, pet_id)))
                apart.takes_long = True
                self._waiting.leave(batch, apart)

    async def leave_behind(self, batch: Batch, queue: Queue) -> None:
        """Leaves to one task what is behind jobs that were left to tasks: whoever waited for it would wait as long."""
        behind = [*filter(self._waiting.are_slow, queue.left)]
        for pet_id in behind:
            await self._keep_share(batch, queue, pet_id)
        if behind := [pet_id for pet_id in behind if pet_id in queue.left]:
            self._waiting.leave(batch, queue.split(behind))

    async def _keep_share(self, batch: Batch, queue: Queue, pet_id: str) -> None:
        if self._beyond(queue, pet_id) and not self._shares.has_put_off(pet_id):
            await self._waiting.let_move(pet_id)
        await self._put_off(batch, queue, pet_id, self._beyond(queue, pet_id))

    def _beyond(self, queue: Queue, pet_id: str) -> Sequence[Delivery]:
        ours = queue.left[pet_id]
        keys = {entry.key for entry, _ in ours}
        held = [each for each in self._order.held(pet_id) if each.entry.key not in keys]
        return self._shares.beyond(pet_id, ours, held)

    async def _put_off(self, batch: Batch, queue: Queue, pet_id: str, jobs: Sequence[Delivery]) -> None:
        if not jobs:
            return
        queue.drop(pet_id, jobs)
        ahead = self._seconds(pet_id, self._order.held(pet_id))
        delay_ms = self._shares.put_off(pet_id, jobs, ahead, partial(self._seconds, pet_id))
        await self._results.put_off(batch, [entry for entry, _ in jobs], delay_ms)

    def _seconds(self, pet_id: str, jobs: Sequence[Delivery]) -> float:
        """Roughly, with what is in memory of the album."""
        _, album = self._cache.peek(pet_id)
        return work_estimate(album or new_album(pet_id), [job for _, job in jobs])

    def _of(self, pet_id: str, job: Job) -> float:
        _, album = self._cache.peek(pet_id)
        return work_estimate(album or new_album(pet_id), [job])
