"""Looks at what a server tells that may be away, or silent, while the work on others' has to go on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest.retry import OutageLog

T = TypeVar("T")


class Glance(Generic[T]):
    """At one thing. Only one question is out at a time, whoever does not wait for its answer."""

    def __init__(self, ask: Callable[[], Awaitable[T]], outage: OutageLog) -> None:
        self._ask = ask
        self._outage = outage
        self._asking: asyncio.Future[T] | None = None
        self._is_known = False

    async def __call__(self, patience: float) -> T | None:
        """What is told within so many seconds; None where it is not: then it is as it was before.

        Raises StoreUnavailableError as long as it was never told, and whatever else `ask` raises.
        """
        self._asking = self._asking or asyncio.ensure_future(self._ask())
        await asyncio.wait({self._asking}, timeout=patience)
        if not self._asking.done():
            return None
        asking, self._asking = self._asking, None
        try:
            told = asking.result()
        except StoreUnavailableError as error:
            if not self._is_known:
                raise
            self._outage.unavailable(error)
            return None
        self._outage.available()
        self._is_known = True
        return told

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if self._asking:
            self._asking.cancel()
