"""Jobs through the daemons of a fleet: how many a second, and what each of them takes."""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Self

import psutil
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
    """Jobs a second; conflicts a thousand jobs; how long a job took once it was read; CPU time of all daemons and of
    all Redis servers a job: what more cores would give is told by these. And how much of the machine's CPU time was
    used meanwhile, by whatever, in percent: near 100 it is its cores that the rate ends at.
    """

    rate: float
    conflicts: float
    longest_ms: float
    daemons_us: float
    redis_us: float
    machine: float


class _Meter:
    """Measures a run, from `start` on."""

    def __init__(self, fleet: Fleet, servers: Sequence[int], conflicts: float) -> None:
        self._fleet = fleet
        self._daemons = [daemon.pid for daemon in fleet.daemons]
        self._servers = servers
        self._conflicts = conflicts
        for daemon in fleet.daemons:
            daemon.forget_log()

    @classmethod
    async def over(cls, fleet: Fleet, servers: Sequence[int]) -> Self:
        return cls(fleet, servers, await _conflicts(fleet))

    def start(self) -> None:
        self._spent, self._busy, self._machine = seconds(self._daemons), seconds(self._servers), _machine_seconds()
        self._began = time.perf_counter()

    async def settled(self, jobs: int) -> Throughput:
        """When all are."""
        await eventually(self._fleet.is_empty, what="every job to be settled", timeout=120)
        took = time.perf_counter() - self._began
        machine = _machine_seconds() - self._machine
        spent, busy = seconds(self._daemons) - self._spent, seconds(self._servers) - self._busy
        return Throughput(
            rate=jobs / took,
            conflicts=1000 * (await _conflicts(self._fleet) - self._conflicts) / jobs,
            longest_ms=max(_took(self._fleet)),
            daemons_us=1e6 * spent / jobs,
            redis_us=1e6 * busy / jobs,
            machine=100 * machine / took / psutil.cpu_count(),
        )


async def drained(fleet: Fleet, producer: Redis, jobs: Sequence[bytes], servers: Sequence[int]) -> Throughput:
    """The jobs come by the plain stream, over the producer's client; the clock starts with the first one. `servers` are
    the Redis servers' process ids.
    """
    meter = await _Meter.over(fleet, servers)
    meter.start()
    await add(producer, jobs)
    return await meter.settled(len(jobs))


async def worked_off(fleet: Fleet, jobs: Sequence[bytes], *, straight: bool = False) -> Throughput:
    """All jobs wait when the clock starts: a producer would take cores that daemons could use, of two daemons sooner
    than of one. They wait in the plain stream, or `straight` in their partitions, as those do that come over HTTP.
    """
    assert fleet.server.pid is not None
    meter = await _Meter.over(fleet, [fleet.server.pid])
    with _held(fleet):
        await add(fleet.redis, jobs, layout=fleet.layout if straight else None)
        meter.start()
    return await meter.settled(len(jobs))


@contextmanager
def _held(fleet: Fleet) -> Iterator[None]:
    """Within it, no daemon runs: for less than their leases last."""
    for daemon in fleet.daemons:
        daemon.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for daemon in fleet.daemons:
            daemon.signal(signal.SIGCONT)


def beside(name: str, ours: Sequence[Throughput], bare: Sequence[Throughput]) -> list[Figure]:
    """Rates, what a job costs, and how much of the machine was used."""
    return [
        Figure(name, "jobs/s", [each.rate for each in ours], [each.rate for each in bare]),
        Figure(f"{name}: CPU of the daemons", "us a job", [e.daemons_us for e in ours], [e.daemons_us for e in bare]),
        Figure(f"{name}: CPU of Redis", "us a job", [e.redis_us for e in ours], [e.redis_us for e in bare]),
        Figure(f"{name}: CPU of the machine in use", "%", [e.machine for e in ours], [e.machine for e in bare]),
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


def _machine_seconds() -> float:
    """CPU time that all processes together have taken."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


async def _conflicts(fleet: Fleet) -> float:
    total = 0.0
    for daemon in fleet.daemons:
        async with fleet.http.get(daemon.ops_url + "/metrics") as answer:
            total += sum(map(float, _CONFLICTS.findall(await answer.text())))
    return total
