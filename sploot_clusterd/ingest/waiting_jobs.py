"""Jobs that wait for older ones of their pets: their consumer waits with them for a while, then a task does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Final

from sploot_clusterd.ingest.batch import Batch, JobsByPet
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.order import Order, Queue
from sploot_clusterd.ingest.results import Results

_PATIENCE: Final = 0.5
"""Seconds without anything done that is waited for, after which a consumer goes on and leaves the waiting to a task."""
_LOOK_AFTER: Final = 0.1
"""Seconds after which it looks whether there is hope."""
_MOST_WAITING: Final = 2000
"""Entries that may wait in this process: with more, its consumers read no more."""
_HANDED_OVER_MS: Final = 100


class WaitingJobs:
    """The tasks that wait, each with what is left of a batch."""

    def __init__(
        self, *, order: Order, leases: Leases, results: Results, apply: Callable[[Batch, JobsByPet], Awaitable[None]]
    ) -> None:
        self._order = order
        self._leases = leases
        self._results = results
        self._apply = apply
        self._tasks = set[asyncio.Task[None]]()
        self._failures: dict[str, Exception] = {}

    async def wait(self, batch: Batch, queue: Queue, in_hand: AbstractContextManager[object]) -> None:
        """Returns when all jobs of the queue have had their turn, or when nothing moves and the task waits on alone;
        where too many wait already, later. `in_hand` is left when they have had their turn.
        """
        task = asyncio.create_task(self._run(batch, queue, in_hand))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_AFTER)
            batch.progress()
            moves = time.perf_counter() - queue.moved_at < _PATIENCE and not queue.is_stuck()
            if not moves and self._order.waiting() <= _MOST_WAITING:
                queue.is_left = True
                return

    def raise_failure(self, consumer: str) -> None:
        """Raises what ended the run of a job of the consumer's that had to wait: it is still the consumer's."""
        if error := self._failures.pop(consumer, None):
            raise error

    async def drained(self) -> None:
        """Returns when no job waits any more: at the latest when the daemon stops."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _run(self, batch: Batch, queue: Queue, in_hand: AbstractContextManager[object]) -> None:
        """Takes what is left to its outcomes, turn by turn; when the daemon stops, to other processes."""
        quiet = Batch(batch.consumer, batch.entries, _no_progress)
        try:
            with in_hand:
                while queue.left:
                    keys = [entry.key for entry in queue.waiting_entries()]
                    with self._leases.lease(batch.consumer, keys, waits=True):
                        turn = await queue.turn()
                    if not turn:
                        await self._results.put_off(quiet, queue.waiting_entries(), _HANDED_OVER_MS)
                        return
                    with self._leases.lease(batch.consumer, keys):
                        await self._apply(quiet, turn)
        except Exception as error:  # noqa: BLE001 - it is raised where the consumer's loop sees it
            self._failures[batch.consumer] = error


def _no_progress() -> None:
    """The consumer's loop has gone on: its watchdog is not told of what waits."""
