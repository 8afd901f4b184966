"""Where a batch's work is done: in slices on the loop, or in the thread pool. What decides is `policy`."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final, TypeVar

from sploot_clusterd.inflight import InFlight

X = TypeVar("X")
Y = TypeVar("Y")

_SLICE_SECONDS: Final = 0.0005
"""How long the loop, or the interpreter's lock, may be kept before others get a turn."""
_WAY_SECONDS: Final = 0.001
"""How long the computing thread lets the loop alone while requests are being answered. One is answered over several
turns of the loop, with Redis in between, so that a single turn would not do.
"""
_LOOP_WAY_SECONDS: Final = 0.002
"""The same for work on the loop itself, whose timers count whole milliseconds. With 1 ms a process that consumed what
it was sent took a third fewer requests; requests without end leave jobs about half of their rate.
"""


class Compute:
    """Runs pure functions over the items of a batch."""

    def __init__(self, pool: Executor, in_flight: InFlight) -> None:
        self._pool = pool
        self._in_flight = in_flight
        self._under_way = 0
        self._never = threading.Event()
        """To pause by: `time.sleep` fails in a process whose clock is faked, as one experiment's is."""

    @property
    def busy(self) -> bool:
        """Whether the pool computes something."""
        return self._under_way > 0

    async def each(self, do: Callable[[X], Y], items: Sequence[X], *, in_thread: bool) -> list[Y]:
        """What `do` makes of each item, in one hop to the pool or in slices on the loop."""
        if not in_thread:
            slices = self.slices()
            done = []
            for item in items:
                done.append(do(item))
                await slices.breathe()
            return done
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._in_thread, do, items)
        finally:
            self._under_way -= 1

    def slices(self) -> "Slices":
        """For a stretch of other work on the loop."""
        return Slices(self._in_flight)

    def _in_thread(self, do: Callable[[X], Y], items: Sequence[X]) -> list[Y]:
        done = []
        began = time.perf_counter()
        for item in items:
            done.append(do(item))
            if self._in_flight.count and time.perf_counter() - began >= _SLICE_SECONDS:
                self._never.wait(_WAY_SECONDS)
                began = time.perf_counter()
        return done


class Slices:
    """Cuts a stretch of work on the loop: `breathe` between its steps."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._began = time.perf_counter()

    async def breathe(self) -> None:
        """Gives the loop's other work a turn if this one has lasted long enough."""
        if time.perf_counter() - self._began >= _SLICE_SECONDS:
            await asyncio.sleep(_LOOP_WAY_SECONDS if self._in_flight.count else 0)
            self._began = time.perf_counter()
