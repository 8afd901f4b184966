"""`clusterd history backfill`: brings history to what Redis has, of all pets."""

# ruff: noqa: T201 - a command prints

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import ClusterdError, ConfigError, HistoryInUseError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.due_pets import Pace
from sploot_clusterd.history.ledger import Ledger
from sploot_clusterd.history.partition_writer import PartitionWriter, Parts
from sploot_clusterd.history.writing import OvertakenError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.progress import Progress
from sploot_clusterd.store import Store, session

_PACE: Final = Pace(delay=0.0, every=1.0, share=1.0, calm=1.0)
_TICK: Final = 0.05


def backfill(settings: Settings) -> int:
    """0. Raises ClusterdError, where Redis or the database is away too."""
    database, pool = Database.open(settings.history), ThreadPoolExecutor(1)

    async def ask(work: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work, database, *arguments)

    async def work(store: Store) -> int:
        if store.feed is None:
            raise ConfigError("feed.enabled is off, and history goes by the feed: leave it out")
        progress, looked_at, kept = Progress(), 0, 0
        for number in range(store.feed.partitions):
            parts = Parts(store.feed, store.pictures(number), Ledger(number), ask, Metrics(), _PACE)
            writer = PartitionWriter(number, parts)
            writer.survey()
            while not await _is_done(writer):
                progress.show(f"{looked_at + writer.looked_at} pets, {kept + writer.kept} albums kept")
            looked_at, kept = looked_at + writer.looked_at, kept + writer.kept
        progress.clear()
        print(f"history has all {looked_at} pets of Redis: {kept} of them were not up to date")
        return 0

    try:
        database.require_schema()
        return session.run(settings, work)
    except HistoryInUseError as error:
        raise ClusterdError(f"{error}. That one fills history by itself, at its first start and after gaps") from error
    finally:
        pool.shutdown()
        database.close()


async def _is_done(writer: PartitionWriter) -> bool:
    try:
        busy = await writer.step()
    except OvertakenError:  # a daemon writes beside it
        writer.forget_place()
        return False
    if not busy:
        await asyncio.sleep(_TICK if writer.is_surveying else 0)
    return not busy and not writer.is_surveying
