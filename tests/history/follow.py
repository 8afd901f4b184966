"""History that has caught up with a Redis: what the writer does, to its end."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sploot_clusterd.history.database import Database
from sploot_clusterd.history.due_pets import Pace
from sploot_clusterd.history.ledger import Ledger
from sploot_clusterd.history.marks import MarkKeeper
from sploot_clusterd.history.partition_writer import PartitionWriter, Parts
from tests.support.side import Side

_AT_ONCE = Pace(0.0, 0.0, 1.0)


async def follow(side: Side, database: Database, *, albums: bool = True) -> None:
    """All that the feed tells is written, and what Redis holds beside pets; `albums` too."""
    store, loop = side.store, asyncio.get_running_loop()
    assert store.feed is not None
    with ThreadPoolExecutor(1) as pool:

        async def ask(work, *arguments):
            return await loop.run_in_executor(pool, work, database, *arguments)

        await MarkKeeper(0, store.marks(0), ask).keep()
        ledger = Ledger(0)
        if not albums:
            begun = ledger.begin(database)
            found = await store.feed.entries(0, begun.place.event_id, 500)
            if found.entries:
                ledger.write(database, begun.place, found)
            return
        writer = PartitionWriter(0, Parts(store.feed, store.pictures(0), ledger, ask, side.metrics, _AT_ONCE))
        for _ in range(200):
            if not await writer.step() and not writer.is_surveying and not writer.pets_waiting:
                return
        raise AssertionError(f"{writer.pets_waiting} pets wait")
