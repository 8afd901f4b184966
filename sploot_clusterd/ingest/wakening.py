"""Ends blocked reads, so that what comes in from now on is not taken."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from sploot_clusterd.errors import StoreUnavailableError


class Reading(Protocol):
    """A consumer."""

    async def wake(self) -> None:
        """Ends its blocked reads. Raises StoreUnavailableError."""


class Wakening:
    """When it is called, all of these are woken, beside all else: their servers may be silent."""

    def __init__(self, consumers: Sequence[Reading]) -> None:
        self._consumers = consumers
        self._running = set[asyncio.Task[None]]()

    def __call__(self) -> None:
        for consumer in self._consumers:
            task = asyncio.create_task(_wake(consumer), name="wakes a read")
            self._running.add(task)
            task.add_done_callback(self._running.discard)


async def _wake(consumer: Reading) -> None:
    with suppress(StoreUnavailableError):  # then the read ends by itself
        await consumer.wake()
