"""The component that drops what is too old, once a day, and makes room for the weeks to come."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from sploot_clusterd.errors import HistoryInUseError, HistoryUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.retention import Pruned, prune
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

_FIRST: Final = 10.0
"""Seconds after the start: a new database has no weeks yet."""
_EVERY: Final = 86_400.0
_TRY_AGAIN: Final = 600.0
_LOOKS_EVERY: Final = 10.0
_STALE_SECONDS: Final = 6 * 3600.0
"""After a long pause there may be very much to drop."""


class Pruner:
    """`run` is a root task of each process that may write; of a SQLite file, the one that writes it does this, too."""

    name: Final = "history_prune"

    def __init__(
        self,
        database: Database,
        ask: Callable[..., Any],
        retention_days: int,
        *,
        health: Health,
        stopping: asyncio.Event,
    ) -> None:
        """`ask` is for threads, as `prune` has it."""
        self._database = database
        self._ask = ask
        self._days = retention_days
        self._health = health
        self._stopping = stopping
        health.expect(self.name, _STALE_SECONDS)

    async def run(self) -> None:
        """Until the daemon stops."""
        wait = _FIRST
        while not await self._waited(wait):
            try:
                done = await asyncio.to_thread(self._prune)
            except HistoryInUseError:
                wait = _TRY_AGAIN
            except HistoryUnavailableError as error:
                wait = _TRY_AGAIN
                log.warning("history is not pruned", extra={"data": {"error": error.detail}})
            except Exception:  # whatever it is, jobs go on
                wait = _TRY_AGAIN
                log.exception("history is not pruned")
            else:
                wait = _EVERY
                log.info("history is pruned", extra={"data": done._asdict()})

    def _prune(self) -> Pruned:
        self._database.require_schema()
        now_ms = int(time.time() * 1000)
        return prune(self._database, self._days, now_ms, ask=self._ask, is_stopped=self._stopping.is_set)

    async def _waited(self, seconds: float) -> bool:
        """Whether the daemon stops."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._health.progress(self.name)
            if await pause(self._stopping, min(left, _LOOKS_EVERY)):
                return True
        return self._stopping.is_set()
