"""Two daemons over the three primaries of a Redis Cluster, beside two over one Redis: jobs a second, what a read takes
while not much is asked, and CPU of both. Every primary has a replica, the one Redis too.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from redis.asyncio import Redis

from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, STREAM, payloads
from tests.bench.throughput import ENV, PARTITIONS, Throughput, beside, drained, seconds, shared
from tests.faults.fleet import Fleet
from tests.support.cluster import Cluster
from tests.support.cluster_client import ClusterClient
from tests.support.nodes import Node

_PETS: Final = 500
_READS_A_SECOND: Final = 300
"""A small part of what a daemon answers: what a read takes then is its way, and not what waits before it."""


class _Reads(NamedTuple):
    """What a read took, 99th percentile, and CPU time of the daemons and of Redis for each."""

    p99_ms: float
    daemons_us: float
    redis_us: float


class _Side:
    """A fleet, what it is measured by, and what was measured."""

    def __init__(self, fleet: Fleet, producer: Redis, servers: Sequence[Node]) -> None:
        """`producer` leads to the server of the plain stream."""
        self._fleet = fleet
        self._producer = producer
        self._servers = [node.redis.pid for node in servers if node.redis.pid is not None]
        self.drained: list[Throughput] = []
        self.reads: list[_Reads] = []

    async def drain(self, jobs: Sequence[bytes]) -> None:
        self.drained.append(await drained(self._fleet, self._producer, jobs, self._servers))

    async def read(self, size: Size) -> None:
        """Reads the pets in turn, of both daemons, whether or not those before were answered."""
        count = max(1, int(size.seconds * _READS_A_SECOND))
        daemons = [daemon.pid for daemon in self._fleet.daemons]
        spent, busy, began = seconds(daemons), seconds(self._servers), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            reads = []
            for n in range(count):
                await asyncio.sleep(began + n / _READS_A_SECOND - time.perf_counter())
                reads.append(group.create_task(self._took(n)))
        spent, busy = seconds(daemons) - spent, seconds(self._servers) - busy
        p99 = float(np.percentile([read.result() for read in reads], 99))
        self.reads.append(_Reads(1000 * p99, 1e6 * spent / count, 1e6 * busy / count))

    async def _took(self, n: int) -> float:
        """Seconds."""
        daemon = self._fleet.daemons[n % len(self._fleet.daemons)]
        began = time.perf_counter()
        async with self._fleet.http.get(f"{daemon.url}/internal/pets/pet_{n % _PETS}/clusters") as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
        return time.perf_counter() - began


async def primaries(size: Size) -> list[Figure]:
    """Both take the same jobs, in turns."""
    count = size.jobs // 2
    jobs = payloads(size.repeats * count, DIMENSION, pets=_PETS)
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with _one_redis(Path(path) / "one") as one, _three(Path(path) / "three") as three:
            for _ in range(size.repeats):
                batch = list(islice(jobs, count))
                for side in (one, three):
                    await side.drain(batch)
                for side in (one, three):
                    await side.read(size)
    name = f"GET a view, {_READS_A_SECOND} a second, three primaries beside one Redis"
    ours, bare = three.reads, one.reads
    return [
        *beside(f"{_PETS} pets, two daemons on three primaries beside one Redis", three.drained, one.drained),
        Figure(f"{name}, p99", "ms", [each.p99_ms for each in ours], [each.p99_ms for each in bare]),
        Figure(f"{name}: CPU of the daemons", "us", [e.daemons_us for e in ours], [e.daemons_us for e in bare]),
        Figure(f"{name}: CPU of Redis", "us", [e.redis_us for e in ours], [e.redis_us for e in bare]),
    ]


@asynccontextmanager
async def _one_redis(directory: Path) -> AsyncIterator[_Side]:
    async with AsyncExitStack() as stack:
        primary, replica = Node(directory / "primary"), Node(directory / "replica")
        for node in (primary, replica):
            stack.push_async_callback(node.close)
        replica.redis.stop()
        replica.start_as_replica(primary)
        env = {"REDIS_URL": f"redis://127.0.0.1:{primary.port}"}
        fleet = await stack.enter_async_context(_fleet(directory, primary.client, env))
        yield _Side(fleet, primary.client, [primary, replica])


@asynccontextmanager
async def _three(directory: Path) -> AsyncIterator[_Side]:
    async with Cluster(directory) as cluster, _fleet(directory, ClusterClient(cluster), cluster.env) as fleet:
        yield _Side(fleet, (await cluster.primary_of(STREAM)).client, cluster.nodes)


@asynccontextmanager
async def _fleet(directory: Path, redis: Redis, env: Mapping[str, str]) -> AsyncIterator[Fleet]:
    """Two daemons over other servers than the fleet's own, once they share the partitions."""
    async with Fleet(directory, daemons=0, partitions=PARTITIONS) as fleet:
        await fleet.redis.aclose()
        fleet.redis = redis
        for _ in range(2):
            await fleet.add_daemon({**ENV, **env, "CLUSTER_PARTITIONS": str(PARTITIONS)}).start()
        await fleet.ready()
        await shared(fleet)
        yield fleet
