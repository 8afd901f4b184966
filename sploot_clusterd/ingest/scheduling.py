"""Where and when a batch's work is done: on the loop or in the thread, how much at a time, and at what pace."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self, TypeVar

from sploot_clusterd.inflight import InFlight
from sploot_clusterd.ingest.turns import Turn, Turns

X = TypeVar("X")
Y = TypeVar("Y")

_SLICE_SECONDS: Final = 0.0005
"""How long the loop, or the interpreter's lock, may be kept before others get a turn."""
_PAUSE_SECONDS: Final = 0.001
"""How long a computing thread lets the loop alone while requests are being answered. One is answered over several turns
of the loop, with Redis in between, so that a single turn would not do.
"""
_INLINE_PIECE: Final = 0.001
_INLINE_TOTAL: Final = 0.004
_INLINE_TINY: Final = 0.00025
_INLINE_BESIDE: Final = 0.0003
"""Seconds of estimated work: of one pet, of a batch, of one pet in a batch of any size, and of a batch while the pool
computes what is large.
"""
_INLINE_BYTES: Final = 64 * 1024
_INLINE_BYTES_BESIDE: Final = 4 * 1024
"""Payload above this is decoded in the thread pool: about 0.3 ms of packed vectors, or a few ms of JSON numbers."""
_HOP_SECONDS: Final = 0.05
"""Of estimated work in a row: so long other consumers may wait."""
LARGE: Final = 0.03
"""Seconds of estimated work of one pet above which nobody waits for it: it is done apart."""
POOL_THREADS: Final = 4
_LARGE_AT_ONCE: Final = POOL_THREADS - 1
"""So that there is always a thread for what is short. Each holds what it computes with."""
_FIRST_PETS: Final = 8
_MOST_PETS: Final = 64
_PETS_A_CONFLICT: Final = 8
"""One conflict among so many pets is borne; more, and the window is halved."""


class Compute:
    """Runs pure functions over the items of a batch."""

    def __init__(self, pool: Executor, in_flight: InFlight) -> None:
        self._pool = pool
        self._in_flight = in_flight
        self._short = asyncio.Lock()
        """Of who computes what is short: two at once, on the loop or in a thread, would only hold up each other."""
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._large_running = 0
        self._turns = Turns()
        self._short_work = 0
        """Batches of short work under way."""
        self._mine = threading.local()
        """Of a thread of the pool: its `turn`, whether its work is `large`, and when it last `paused`."""
        self._never = threading.Event()
        """To pause by: `time.sleep` fails in a process whose clock is faked, as one experiment's is."""

    @property
    def busy(self) -> bool:
        """Whether a thread computes what is large: what is short is done beside it."""
        return self._large_running > 0

    async def each(self, do: Callable[[X], Y], items: Sequence[X], *, in_thread: bool, large: bool = False) -> list[Y]:
        """What `do` makes of each item, in one hop to the pool or in slices on the loop.

        What is `large` is always done in the pool: it leaves a thread for what is not, and takes turns with it at each
        `checkpoint`.
        """
        if large:
            async with self._large:
                self._large_running += 1
                try:
                    return await self._in_pool(do, items, large=True)
                finally:
                    self._large_running -= 1
        if in_thread:
            async with self._short:
                return await self._in_pool(do, items)
        results = []
        async with self.time_slice() as time_slice:
            for item in items:
                results.append(do(item))
                await time_slice.checkpoint()
        return results

    def _in_pool(self, do: Callable[[X], Y], items: Sequence[X], *, large: bool = False) -> Awaitable[list[Y]]:
        return asyncio.get_running_loop().run_in_executor(self._pool, self._in_thread, do, items, large)

    @contextmanager
    def short_work(self) -> Iterator[None]:
        """While it is under way, from its decoding to its commit, what is large pauses as it does for requests: the
        loop would wait for the interpreter's lock at each of its steps.
        """
        self._short_work += 1
        try:
            yield
        finally:
            self._short_work -= 1

    def time_slice(self) -> "TimeSlice":
        """For a stretch of other work on the loop."""
        return TimeSlice(self._short)

    def checkpoint(self) -> None:
        """Between the steps of long work: a thread of the pool gives way here to requests, and to what is shorter.

        Elsewhere it does nothing.
        """
        turn: Turn | None = getattr(self._mine, "turn", None)
        if turn is None:
            return
        self._turns.checkpoint(turn)
        others = self._in_flight.count or (self._mine.large and self._short_work)
        if others and time.perf_counter() - self._mine.paused >= _SLICE_SECONDS:
            self._never.wait(_PAUSE_SECONDS)
            self._mine.paused = time.perf_counter()

    def _in_thread(self, do: Callable[[X], Y], items: Sequence[X], large: bool) -> list[Y]:
        results = []
        with self._turns.turn() as turn:
            self._mine.turn, self._mine.large, self._mine.paused = turn, large, time.perf_counter()
            try:
                for item in items:
                    results.append(do(item))
                    self.checkpoint()
            finally:
                self._mine.turn = None
        return results


class TimeSlice:
    """Cuts a stretch of work on the loop: a `checkpoint` between its steps. To be entered; there is one at a time."""

    def __init__(self, turn: asyncio.Lock) -> None:
        self._turn = turn
        self._start = 0.0

    async def __aenter__(self) -> Self:
        await self._turn.acquire()
        self._start = time.perf_counter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._turn.release()

    async def checkpoint(self) -> None:
        """Gives the loop's other work two turns if this one has lasted long enough: in the first a request comes in, in
        the second it is handled.
        """
        if time.perf_counter() - self._start >= _SLICE_SECONDS:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self._start = time.perf_counter()


def decode_in_thread(size: int, *, busy: bool) -> bool:
    """Whether a batch of `size` bytes is decoded in the thread pool; `busy` as for `plan_in_thread`."""
    return size > (_INLINE_BYTES_BESIDE if busy else _INLINE_BYTES)


def plan_in_thread(estimates: Sequence[float], *, busy: bool) -> bool:
    """Whether a batch goes to the thread pool, by the estimated seconds of each pet's work.

    Tiny work runs between the loop's other work, for a hop costs it a quarter of its rate; each piece is done within
    half a slice, so it does not matter how many there are. One large piece, or many together, goes to the pool; and
    while the pool is `busy` all but the least does: each array operation beside a computing thread waits for the
    interpreter's lock, and the loop must not be the one that waits.
    """
    largest, total = max(estimates, default=0.0), sum(estimates)
    if busy:
        return total > _INLINE_BESIDE
    return largest > _INLINE_PIECE or (largest > _INLINE_TINY and total > _INLINE_TOTAL)


def hops(estimates: Sequence[float]) -> Iterator[slice]:
    """Cuts a batch into parts: after each its consumer shows progress, and others have their turn."""
    begin, total = 0, 0.0
    for n, estimate in enumerate(estimates):
        if n > begin and total + estimate > _HOP_SECONDS:
            yield slice(begin, n)
            begin, total = n, 0.0
        total += estimate
    if begin < len(estimates):
        yield slice(begin, len(estimates))


class CommitWindow:
    """How many pets are loaded, computed and committed at a time: as many as rivals leave in peace.

    Another process's commit costs what was computed for that pet, and is the likelier the more time there was for it.
    Without rivals, a round trip for many pets is cheaper than one for few. Doubles and halves as a congestion window
    does, and begins small, for rivals often start together.
    """

    def __init__(self) -> None:
        self.pets = _FIRST_PETS

    def record(self, pets: int, conflicts: int) -> None:
        """What came of an attempt at that many."""
        if conflicts * _PETS_A_CONFLICT > pets:
            self.pets = max(1, self.pets // 2)
        elif not conflicts and pets >= self.pets:  # fewer than were allowed say nothing about more
            self.pets = min(self.pets * 2, _MOST_PETS)


class TokenBucket:
    """Keeps a pace: `per_second` on average, at most a second's worth (or one) at a time. For several threads.

    What costs more than is left is let through all the same, or it never were, and the next ones wait the longer.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._capacity = max(per_second, 1.0) if per_second else 0.0
        self._tokens = self._capacity
        self._filled_at = clock()
        self._lock = threading.Lock()

    def take(self, cost: float = 1.0) -> bool:
        """Whether it may be now; what costs less than 1 costs 1."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._per_second)
            self._filled_at = now
            if self._tokens < 1.0:
                return False
            self._tokens -= max(cost, 1.0)
            return True
