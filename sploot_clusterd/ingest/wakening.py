"""Ends blocked reads, so that what comes in from now on is not taken."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from sploot_clusterd.errors import StoreUnavailableError

_LONGEST: Final = 1.0
"""Seconds that a caller waits."""


class Reading(Protocol):
    """A consumer."""

    async def wake(self) -> None:
        """Ends its blocked reads. Raises StoreUnavailableError."""


class Wakening:
    """When it is called, all of these are woken."""

    def __init__(self, consumers: Sequence[Reading]) -> None:
        self._consumers = consumers
        self._running = set[asyncio.Task[None]]()

    async def __call__(self) -> None:
        """Until they are, or after a second: their servers may be silent, and whoever calls has more to see to."""
        tasks = {asyncio.create_task(_wake(consumer), name="wakes a read") for consumer in self._consumers}
        for task in tasks:
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=_LONGEST)


async def _wake(consumer: Reading) -> None:
    with suppress(StoreUnavailableError):  # then the read ends by itself
        await consumer.wake()
