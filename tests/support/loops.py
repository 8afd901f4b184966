"""Loops of an ingest side, run as the daemon runs them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.side import Side


@asynccontextmanager
async def running(side: Side, *loops: object) -> AsyncIterator[None]:
    """Runs the loops, and stops them as the daemon would: all must end by themselves."""
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    try:
        yield
        assert not any(task.done() for task in tasks)
    finally:
        side.stopping.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)
