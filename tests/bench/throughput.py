"""Jobs through the daemons of a fleet: how many a second, and what each of them takes."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from redis.asyncio import Redis

from tests.bench.figure import Figure
from tests.bench.jobs import add
from tests.bench.process import cpu_seconds
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

PARTITIONS = 8
ENV = {"CLUSTER_STREAM_MAXLEN": "1000000", "CLUSTER_RETRY_IDLE_MS": "60000"}
"""The default reclaim time: a job that waits for older ones is not taken over, as with the one of experiments."""
_CONFLICTS = re.compile(r"^media_cluster_conflicts_total (\S+)", re.MULTILINE)


class Throughput(NamedTuple):
    """Jobs a second, from the first one added on; conflicts a thousand jobs; how long a job took once it was read; CPU
    time of all daemons and of all Redis servers a job: what more cores would give is told by these.
    """

    rate: float
    conflicts: float
    longest_ms: float
    daemons_us: float
    redis_us: float


async def drained(fleet: Fleet, producer: Redis, jobs: Sequence[bytes], servers: Sequence[int]) -> Throughput:
    """The jobs come by the plain stream, over the producer's client; `servers` are the Redis servers' process ids."""
    daemons = [daemon.pid for daemon in fleet.daemons]
    conflicts, spent, busy = await _conflicts(fleet), seconds(daemons), seconds(servers)
    for daemon in fleet.daemons:
        daemon.forget_log()
    began = time.perf_counter()
    await add(producer, jobs)
    await eventually(fleet.is_empty, what="every job to be settled", timeout=120)
    rate = len(jobs) / (time.perf_counter() - began)
    spent, busy = seconds(daemons) - spent, seconds(servers) - busy
    conflicts = await _conflicts(fleet) - conflicts
    a_job = 1e6 / len(jobs)
    return Throughput(rate, 1000 * conflicts / len(jobs), max(_took(fleet)), a_job * spent, a_job * busy)


def beside(name: str, ours: Sequence[Throughput], bare: Sequence[Throughput]) -> list[Figure]:
    """Rates, and what a job costs."""
    return [
        Figure(name, "jobs/s", [each.rate for each in ours], [each.rate for each in bare]),
        Figure(f"{name}: CPU of the daemons", "us a job", [e.daemons_us for e in ours], [e.daemons_us for e in bare]),
        Figure(f"{name}: CPU of Redis", "us a job", [e.redis_us for e in ours], [e.redis_us for e in bare]),
    ]


async def shared(fleet: Fleet) -> None:
    """Waits until each daemon reads as many partitions as the others."""

    async def are_shared() -> bool:
        read = Counter(await asyncio.gather(*(fleet.redis.get(keys.owner) for keys in fleet.layout.several)))
        return None not in read and len(read) == len(fleet.daemons) and len({*read.values()}) == 1

    await eventually(are_shared, what="the partitions to be shared", timeout=60)


def seconds(processes: Sequence[int]) -> float:
    """CPU time that these have taken."""
    return sum(map(cpu_seconds, processes))


def _took(fleet: Fleet) -> list[float]:
    lines = [line for daemon in fleet.daemons for line in daemon.log() if line["message"] == "job done"]
    return [float(str(line["latency_ms"])) for line in lines]


async def _conflicts(fleet: Fleet) -> float:
    total = 0.0
    for daemon in fleet.daemons:
        async with fleet.http.get(daemon.ops_url + "/metrics") as answer:
            total += sum(map(float, _CONFLICTS.findall(await answer.text())))
    return total
