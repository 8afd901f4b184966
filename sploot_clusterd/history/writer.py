"""The component that writes history: reads this process's feeds, whatever becomes of Redis and the database.

No commit waits for it. What it has not written stays in the feed; what is trimmed from there unread, it finds out, and
mends from the albums.
"""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from sploot_clusterd.errors import BadStateError, HistoryInUseError, HistoryUnavailableError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.forgetting import Forgetter
from sploot_clusterd.history.ledger import Ledger
from sploot_clusterd.history.marks import MarkKeeper
from sploot_clusterd.history.partition_writer import Ask, PartitionWriter, Parts
from sploot_clusterd.history.writing import OvertakenError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Feed, Store
from sploot_clusterd.waiting import backoff, pause

log = logging.getLogger(__name__)

_EVERY: Final = 0.25
"""Seconds between passes where nothing is left to be done: larger batches cost less."""
_ASK_EVERY: Final = 1.0
"""Seconds for which it is known whose feeds are whose."""
_FIRST_DELAY: Final = 0.2
_LONGEST_DELAY: Final = 5.0
_STALE_SECONDS: Final = 120.0
"""A transaction may wait so long for a database that is about to go away."""
_WARNING: Final = "history"


class Writer:
    """`run` is a root task of processes with consumers."""

    name: Final = "history"

    def __init__(
        self,
        store: Store,
        feed: Feed,
        ask: Ask,
        *,
        in_file: bool,
        metrics: Metrics,
        health: Health,
        stopping: asyncio.Event,
    ) -> None:
        """`in_file`: the database is SQLite's."""
        self._store = store
        self._feed = feed
        self._ask = ask
        self._in_file = in_file
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._writers = dict[int, PartitionWriter]()
        self._keepers = dict[int, MarkKeeper]()
        self._forgetters = dict[int, Forgetter]()
        self._asked_at = float("-inf")
        self._ready = False
        self._failures = 0
        health.expect(self.name, _STALE_SECONDS)
        metrics.history_lag.set_function(self._lag)

    async def run(self) -> None:
        """Until the daemon stops."""
        while not self._stopping.is_set():
            self._health.progress(self.name)
            busy = await self._pass()
            self._tell()
            if self._failures:
                await pause(self._stopping, backoff(self._failures, _FIRST_DELAY, _LONGEST_DELAY))
            elif not busy:
                await pause(self._stopping, _EVERY)
        with suppress(StoreUnavailableError):
            await self._store.charge.let_go()

    async def _pass(self) -> bool:
        """Some of each partition; whether there is more to be done at once."""
        try:
            busy = await self._steps()
        except StoreUnavailableError:  # the consumers and the pulse tell of it
            self._failures += 1
        except HistoryInUseError as error:
            self._ready = False
            self._failed(f"this process only reads history: {error}")
            self._metrics.history_away.set(0)
        except HistoryUnavailableError as error:
            self._ready = False
            self._failed(f"history is not written, and waits in the feed: {error}")
        except BadStateError as error:
            self._failed(f"history is not written: {error}")
        except Exception as error:  # whatever it is, jobs go on
            self._ready = False
            log.exception("history failed")
            self._failed(f"history is not written, the log says more: {type(error).__name__}")
        else:
            self._recovered()
            return busy
        for writer in self._writers.values():
            writer.forget_place()
        return False

    async def _steps(self) -> bool:
        if not self._ready:
            await self._ask(Database.require_schema)
            self._ready = True
        busy = False
        await self._follow()
        for number, writer in [*self._writers.items()]:
            try:
                more = await writer.step()
                await self._keepers[number].keep()
                if not more:
                    await self._forgetters[number].forget()
                busy |= more
            except OvertakenError as error:
                log.info("another process wrote history", extra={"data": {"error": str(error)}})
                writer.forget_place()
        return busy

    async def _follow(self) -> None:
        """Takes up the feeds that are this process's now, and leaves those that are not any more."""
        now = time.monotonic()
        if now - self._asked_at < _ASK_EVERY:
            return
        # Nobody else can write to a file.
        ours = range(self._feed.partitions) if self._in_file else await self._store.charge.ours()
        self._asked_at = now
        known = [number for number in ours if number < len(self._store.partitions)]
        self._writers = {number: self._writers.get(number) or self._writer(number) for number in known}
        self._keepers = {number: self._keepers.get(number) or self._keeper(number) for number in known}
        self._forgetters = {number: self._forgetters.get(number) or self._forgetter(number) for number in known}

    def _writer(self, number: int) -> PartitionWriter:
        parts = Parts(self._feed, self._store.pictures(number), Ledger(number), self._ask, self._metrics)
        return PartitionWriter(number, parts)

    def _keeper(self, number: int) -> MarkKeeper:
        return MarkKeeper(number, self._store.marks(number), self._ask)

    def _forgetter(self, number: int) -> Forgetter:
        keys = self._store.partitions[number].keys
        return Forgetter(keys, self._store.views.erasure, self._ask)

    def _failed(self, text: str) -> None:
        if not self._failures:
            log.warning(text)
        self._failures += 1
        self._metrics.history_away.set(1)
        self._health.set_warning(_WARNING, text)

    def _recovered(self) -> None:
        if self._failures:
            log.info("history is written again")
        self._failures = 0
        self._metrics.history_away.set(0)
        self._health.clear_warning(_WARNING)

    def _tell(self) -> None:
        writers = self._writers.values()
        self._metrics.history_pets_waiting.set(sum(each.pets_waiting for each in writers))
        self._metrics.history_surveys.set(sum(each.is_surveying for each in writers))

    def _lag(self) -> float:
        """In seconds, at the moment of the question: also while a transaction takes its time."""
        oldest = min([each.unwritten_ms for each in self._writers.values() if each.unwritten_ms], default=0)
        return max(0.0, time.time() - oldest / 1000) if oldest else 0.0
