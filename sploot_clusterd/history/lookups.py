"""Readers' look-ups: in threads of their own, a bounded number at once and a second, none for what is known to miss."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, perf_counter
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection

from sploot_clusterd.errors import HistoryUnavailableError, LookupsExceededError
from sploot_clusterd.history import reading, snapshots
from sploot_clusterd.history.database import READERS, Database
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.past import PastAlbum, PastClusters, PastJobs, PastVersions, Whereabouts

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE: Final = 1.0
"""Seconds that a look-up waits for a thread."""
_BURST_SECONDS: Final = 1.0
_MISS_SECONDS: Final = 30.0
_MOST_MISSES: Final = 10_000


class Lookups:
    """The past, for those who ask. Every method but `close` may raise HistoryUnavailableError, LookupsExceededError."""

    def __init__(
        self, database: Database, a_second: float, metrics: Metrics, clock: Callable[[], float] = monotonic
    ) -> None:
        self._database = database
        self._budget = _Budget(a_second, clock)
        self._misses = _Misses(clock)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="history-read")
        self._free = asyncio.Semaphore(READERS)
        outcomes = metrics.history_lookups.labels
        self._found, self._missed, self._known_to_miss = outcomes("found"), outcomes("missed"), outcomes("remembered")
        self._refused, self._failed = outcomes("refused"), outcomes("failed")
        self._seconds = metrics.history_lookup_seconds

    async def latest(self, pet_id: str) -> PastClusters | None:
        return await self._remembering(reading.latest, pet_id)

    async def version(self, pet_id: str, number: int) -> PastClusters | None:
        return await self._remembering(reading.version, pet_id, number)

    async def versions(self, pet_id: str, before: str | None, at_ms: int | None, limit: int) -> PastVersions | None:
        return await self._remembering(reading.versions, pet_id, before, at_ms, limit)

    async def whereabouts(self, image_id: str, before: int | None, limit: int) -> Whereabouts | None:
        return await self._remembering(reading.whereabouts, image_id, before, limit)

    async def album(self, pet_id: str, version: int) -> PastAlbum | None:
        """As of this version, else as of the last one before it of which the album was kept. Raises BadStateError."""
        return await self._asked(snapshots.album, pet_id, version)

    async def newest_view(self, pet_id: str) -> bytes | None:
        """The view of the newest album that is kept, as readers got it. Raises BadStateError."""
        return await self._remembering(snapshots.newest_view, pet_id)

    async def jobs_of(
        self, pet_id: str, before: tuple[int, str] | None, limit: int, without: Collection[str]
    ) -> PastJobs:
        """But for jobs that the reader knows."""
        return await self._asked(reading.jobs_of, pet_id, before, limit, frozenset(without))

    def close(self) -> None:
        """Those that are under way go on to their end, which is soon."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _remembering(
        self, read: Callable[Concatenate[Connection, P], T | None], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """What is asked for in vain again and again is no work for the database."""
        if (read, args) in self._misses:
            self._known_to_miss.inc()
            return None
        found = await self._asked(read, *args, **kwargs)
        if found is None:
            self._misses.add((read, args))
        return found

    async def _asked(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._budget.allows():
            self._refused.inc()
            raise LookupsExceededError
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._free.acquire()
        except TimeoutError:
            self._failed.inc()
            raise HistoryUnavailableError("history is slow: every connection to its database is in use") from None
        # Whoever asked may go away; the thread is busy until the database has answered.
        under_way = asyncio.get_running_loop().run_in_executor(self._threads, self._read, read, args, kwargs)
        under_way.add_done_callback(self._ended)
        began = perf_counter()
        found: T = await asyncio.shield(under_way)
        self._seconds.observe(perf_counter() - began)
        (self._missed if found is None else self._found).inc()
        return found

    def _read(self, read: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        with self._database.read() as connection:
            return read(connection, *args, **kwargs)

    def _ended(self, under_way: asyncio.Future[Any]) -> None:
        self._free.release()
        if not under_way.cancelled() and under_way.exception():
            self._failed.inc()


class _Budget:
    """A token bucket, kept as the time at which all of it will be there again."""

    def __init__(self, a_second: float, clock: Callable[[], float]) -> None:
        self._interval = 1 / a_second
        self._burst = max(_BURST_SECONDS, self._interval)
        self._clock = clock
        self._full_at = -float("inf")

    def allows(self) -> bool:
        now = self._clock()
        full_at = max(self._full_at, now) + self._interval
        if full_at - now > self._burst:
            return False
        self._full_at = full_at
        return True


class _Misses:
    """What was not there a moment ago; of too many, the oldest are forgotten."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = OrderedDict[object, float]()

    def __contains__(self, asked: object) -> bool:
        return self._until.get(asked, -float("inf")) > self._clock()

    def add(self, asked: object) -> None:
        self._until[asked] = self._clock() + _MISS_SECONDS
        self._until.move_to_end(asked)
        if len(self._until) > _MOST_MISSES:
            self._until.popitem(last=False)
