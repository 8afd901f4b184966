"""Many callers, one round trip: what arrives while a round trip is under way goes out together in the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
Ask = Callable[[Q], Awaitable[A]]


class Coalescer(Generic[Q, A]):
    """Gathers single questions into batches for `ask`, which answers each in order or raises for all. An answer that is
    an error is raised to whom it answers.

    `weigh` and `heaviest` bound a batch by more than its number of questions, `most`. `lanes` batches may be under way
    at a time. A caller that is cancelled does not disturb the others: its question is asked all the same.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]],
        *,
        most: int,
        lanes: int = 2,
        weigh: Callable[[Q], int] = lambda _: 0,
        heaviest: int = 1,
    ) -> None:
        self._ask = ask
        self._most = most
        self._lanes = lanes
        self._weigh = weigh
        self._heaviest = heaviest
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, question: Q) -> A:
        """The answer to one question. Raises what `ask` raised for its batch."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if len(self._waiting) == 1:
            self._start()
        return await answer

    def _start(self) -> None:
        """Where nothing waits yet, or something is left over: whoever comes later is taken along."""
        if self._waiting and len(self._running) < self._lanes:
            # The task begins on the loop's next turn, so that all callers of this turn share its first batch.
            task = asyncio.create_task(self._drain())
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _drain(self) -> None:
        while batch := self._next_batch():
            self._start()
            try:
                answers = await self._ask([question for question, _ in batch])
            except Exception as error:  # noqa: BLE001 - it belongs to those who asked
                for _, waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(error)
            else:
                for (_, waiting), answer in zip(batch, answers, strict=True):
                    if waiting.done():
                        continue
                    if isinstance(answer, Exception):
                        waiting.set_exception(answer)
                    else:
                        waiting.set_result(answer)

    def _next_batch(self) -> list[tuple[Q, asyncio.Future[A]]]:
        weight = taken = 0
        for question, _ in self._waiting[: self._most]:
            weight += self._weigh(question)
            if taken and weight > self._heaviest:
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch


class CoalescerEach(Generic[Q, A]):
    """One for each place that questions go to, so that a slow place keeps none from another."""

    def __init__(self, new: Callable[[], Coalescer[Q, A]], place: Callable[[Q], str]) -> None:
        self._new = new
        self._place = place
        self._each: dict[str, Coalescer[Q, A]] = {}

    def __call__(self, question: Q) -> Awaitable[A]:
        """As a Coalescer."""
        place = self._place(question)
        if place not in self._each:
            self._each[place] = self._new()
        return self._each[place](question)
