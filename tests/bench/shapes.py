"""What a job costs by how many are read at once, by consumers, and by the length of its vector: a point a value."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, drained, preload
from tests.faults.fleet import Fleet


def shapes(size: Size) -> list[Figure]:
    return [
        *(_point(size, "jobs in a read, at most", count, {"CLUSTER_READ_COUNT": str(count)}) for count in size.batches),
        *(_point(size, "consumers", count, {"CLUSTER_CONSUMERS": str(count)}) for count in size.consumers),
        *(_point(size, "numbers in the vector", length, {}, length) for length in size.lengths),
    ]


def _point(size: Size, over: str, at: int, env: Mapping[str, str], dimension: int = DIMENSION) -> Figure:
    costs = [asyncio.run(_cost(size.jobs, env, dimension)) for _ in range(size.repeats)]
    return Figure(f"a job, {over}: {at:,}", "us", costs, over=over, at=at)


async def _cost(jobs: int, env: Mapping[str, str], dimension: int) -> float:
    """Microseconds a job while a backlog of so many drains."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        fleet = Fleet(Path(path), daemons=1, env=env)
        try:
            await preload(fleet.redis, jobs, dimension)
            return 1e6 / await drained(fleet, jobs)
        finally:
            await fleet.close()
