"""Where a batch's work is done: in slices on the loop, or in the thread pool. What decides is `policy`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final, TypeVar

X = TypeVar("X")
Y = TypeVar("Y")

_SLICE_SECONDS: Final = 0.0005
"""How long the loop may be kept before its other work, HTTP first of all, gets a turn."""


class Compute:
    """Runs pure functions over the items of a batch."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._under_way = 0

    @property
    def busy(self) -> bool:
        """Whether the pool computes something."""
        return self._under_way > 0

    async def each(self, do: Callable[[X], Y], items: Sequence[X], *, in_thread: bool) -> list[Y]:
        """What `do` makes of each item, in one hop to the pool or in slices on the loop."""
        if not in_thread:
            slices = Slices()
            done = []
            for item in items:
                done.append(do(item))
                await slices.breathe()
            return done
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, lambda: [do(item) for item in items])
        finally:
            self._under_way -= 1


class Slices:
    """Cuts a stretch of work on the loop: `breathe` between its steps."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def breathe(self) -> None:
        """Gives the loop's other work a turn if this one has lasted long enough."""
        if time.perf_counter() - self._began >= _SLICE_SECONDS:
            await asyncio.sleep(0)
            self._began = time.perf_counter()
