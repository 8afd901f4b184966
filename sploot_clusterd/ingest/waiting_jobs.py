"""Jobs that are taken to their outcomes by tasks: those that wait for older ones of their pets, with which a consumer
waits for a while only, and those that take long.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

from sploot_clusterd.ingest.batch import Batch, JobsByPet
from sploot_clusterd.ingest.leases import TakeLease
from sploot_clusterd.ingest.order import Order
from sploot_clusterd.ingest.queue import Queue
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.store import Entry

_PATIENCE: Final = 0.25
"""Seconds for which a consumer waits: what comes after these jobs in the stream waits with it."""
_LOOK_AFTER: Final = 0.1
"""Seconds after which it looks whether there is hope."""
_MOMENT: Final = 0.025
"""Seconds in which some of a pet's work may get done, before more of it is put off."""
_MOST_WAITING: Final = 2000
"""Entries that may wait in this process: with more, its consumers read no more."""
_HANDED_OVER_MS: Final = 100


class WaitingJobs:
    """The tasks, each with what is left of a batch, or with one pet's jobs."""

    def __init__(
        self,
        *,
        order: Order,
        lease: TakeLease,
        results: Results,
        apply: Callable[[Batch, Queue, JobsByPet], Awaitable[None]],
    ) -> None:
        self._order = order
        self._lease = lease
        self._results = results
        self._apply = apply
        self._tasks = set[asyncio.Task[None]]()
        self._of_pet: dict[str, dict[asyncio.Task[None], Queue]] = {}
        """Tasks that no consumer waits for, with what they take to its outcome."""
        self._failures: dict[str, Exception] = {}

    async def wait(self, batch: Batch, queue: Queue, in_hand: AbstractContextManager[object]) -> None:
        """Returns when all jobs of the queue have had their turn, or when that takes long and the task waits on alone.
        `in_hand` is left when they have had their turn.
        """
        task = self._start(batch, queue, in_hand)
        clock = asyncio.get_running_loop().time
        patience = clock() + _PATIENCE
        while not task.done():
            await asyncio.wait({task}, timeout=min(_LOOK_AFTER, max(patience - clock(), 0.0)))
            batch.progress()
            if queue.is_stuck() or clock() >= patience:
                self._go_on_without(task, queue, queue.left)
                return

    def leave(self, batch: Batch, queue: Queue) -> None:
        """Takes the queue to its outcomes beside all else: its jobs take long, or are behind such."""
        pets = [*queue.left]
        # In hand at once, and not when the task begins: nobody else in this process may take them up meanwhile.
        self._go_on_without(self._start(batch, queue, queue.__enter__()), queue, pets)

    async def has_room(self, batch: Batch) -> None:
        """Returns when not too many wait for more to be read."""
        while self._tasks and self._order.waiting() > _MOST_WAITING:
            await asyncio.wait(self._tasks, timeout=_LOOK_AFTER, return_when=asyncio.FIRST_COMPLETED)
            batch.progress()

    def are_slow(self, pet_id: str) -> bool:
        """Whether jobs of the pet are in the hands of a task that takes long, or with which nothing gets on."""
        return any(queue.is_slow(_PATIENCE) for queue in self._of_pet.get(pet_id, {}).values())

    async def let_move(self, pet_id: str) -> None:
        """Waits a moment for some of the pet's work to be done."""
        if tasks := self._of_pet.get(pet_id):
            await asyncio.wait(set(tasks), timeout=_MOMENT, return_when=asyncio.FIRST_COMPLETED)

    def raise_failure(self, consumer: str) -> None:
        """Raises what ended the run of a job of the consumer's in a task: it is still the consumer's."""
        if error := self._failures.pop(consumer, None):
            raise error

    async def drained(self) -> None:
        """Returns when no task is left: at the latest when the daemon stops."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _start(self, batch: Batch, queue: Queue, in_hand: AbstractContextManager[object]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._run(batch, queue, in_hand))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _go_on_without(self, task: asyncio.Task[None], queue: Queue, pets: Iterable[str]) -> None:
        queue.is_left = True
        for pet_id in pets:
            self._of_pet.setdefault(pet_id, {})[task] = queue
            task.add_done_callback(partial(self._done, pet_id))

    def _done(self, pet_id: str, task: asyncio.Task[None]) -> None:
        tasks = self._of_pet[pet_id]
        del tasks[task]
        if not tasks:
            del self._of_pet[pet_id]

    async def _run(self, batch: Batch, queue: Queue, in_hand: AbstractContextManager[object]) -> None:
        """Takes what is left to its outcomes, turn by turn; when the daemon stops, to other processes."""
        quiet = Batch(batch.consumer, queue.waiting_entries(), _no_progress, runs=batch.runs)
        try:
            with in_hand, self._lease(batch.consumer, _keys(quiet.entries)) as lease:
                while queue.left:
                    lease.keep(_keys(queue.waiting_entries()))
                    with lease.waiting():
                        turn = await queue.turn()
                    if not turn:
                        await self._results.put_off(quiet, queue.waiting_entries(), _HANDED_OVER_MS)
                        return
                    await self._apply(quiet, queue, turn)
        except Exception as error:  # noqa: BLE001 - it is raised where the consumer's loop sees it
            self._failures[batch.consumer] = error


def _keys(entries: Iterable[Entry]) -> set[bytes]:
    return {entry.key for entry in entries}


def _no_progress() -> None:
    """The consumer's loop has gone on: its watchdog is not told of what waits."""
