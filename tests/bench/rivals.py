"""Two daemons on one stream: what it costs to keep the order of few pets, what they gain over many, and how long jobs
wait. And the same over partitions, to which jobs are moved from the plain stream.
"""

import asyncio
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis

from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, STREAM, add, payloads
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

_HOT, _SHARED, _MANY = 5, 40, 500
_PARTITIONS = 8
_ENV = {"CLUSTER_STREAM_MAXLEN": "1000000", "CLUSTER_RETRY_IDLE_MS": "60000"}
"""The default reclaim time: a job that waits for older ones is not taken over, as with the one of experiments."""
_LIVE_JOBS_A_SECOND = 100
_LOOK_SECONDS = 0.01
_CONFLICTS = re.compile(r"^media_cluster_conflicts_total (\S+)", re.MULTILINE)


class Drained(NamedTuple):
    """Jobs a second, from the first one added on; conflicts a thousand jobs; how long a job took once it was read; CPU
    time of Redis a job.
    """

    rate: float
    conflicts: float
    longest_ms: float
    redis_us: float


def rivals(size: Size) -> list[Figure]:
    return asyncio.run(_rivals(size))


async def _rivals(size: Size) -> list[Figure]:
    one: dict[int, list[Drained]] = {_HOT: [], _SHARED: [], _MANY: []}
    two: dict[int, list[Drained]] = {_HOT: [], _SHARED: [], _MANY: []}
    apart: dict[int, list[Drained]] = {_HOT: [], _MANY: []}
    waits = []
    for _ in range(size.repeats):
        for pets in (_HOT, _SHARED, _MANY):
            one[pets].append(await _drain(1, size, pets))
            two[pets].append(await _drain(2, size, pets))
            if pets in apart:
                apart[pets].append(await _drain(2, size, pets, partitions=_PARTITIONS))
        waits.append(await _longest_wait(size))
    return [
        *_drained(f"{_HOT} hot pets, two daemons", one[_HOT], two[_HOT]),
        Figure(f"{_HOT} hot pets, two daemons: longest wait at {_LIVE_JOBS_A_SECOND} jobs/s", "ms", waits),
        *_drained(f"{_SHARED} pets, two daemons", one[_SHARED], two[_SHARED]),
        *_drained(f"{_MANY} pets, two daemons", one[_MANY], two[_MANY]),
        *_drained(f"{_HOT} hot pets, two daemons, {_PARTITIONS} partitions", one[_HOT], apart[_HOT]),
        *_drained(f"{_MANY} pets, two daemons, {_PARTITIONS} partitions", one[_MANY], apart[_MANY]),
    ]


def _drained(name: str, one: list[Drained], two: list[Drained]) -> list[Figure]:
    return [
        Figure(f"{name} beside one", "jobs/s", [each.rate for each in two], [each.rate for each in one]),
        Figure(f"{name}: conflicts", "a thousand jobs", [each.conflicts for each in two]),
        Figure(f"{name}: longest run of a job, with a backlog", "ms", [each.longest_ms for each in two]),
        Figure(f"{name} beside one: CPU of Redis", "us a job", [e.redis_us for e in two], [e.redis_us for e in one]),
    ]


async def _drain(daemons: int, size: Size, pets: int, *, partitions: int = 1) -> Drained:
    jobs = list(payloads(size.jobs // 2, DIMENSION, pets=pets))
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=daemons, env=_ENV, partitions=partitions) as fleet:
            await fleet.ready()
            if partitions > 1:
                await eventually(lambda: _are_shared(fleet), what="the partitions to be shared", timeout=60)
            began, busy = time.perf_counter(), await _redis_seconds(fleet.redis)
            await add(fleet.redis, jobs)
            await eventually(fleet.is_empty, what="every job to be settled", timeout=120)
            rate = len(jobs) / (time.perf_counter() - began)
            redis_us = 1e6 * (await _redis_seconds(fleet.redis) - busy) / len(jobs)
            return Drained(rate, 1000 * await _conflicts(fleet) / len(jobs), max(_took(fleet)), redis_us)


async def _are_shared(fleet: Fleet) -> bool:
    """Whether each daemon reads as many partitions as the others."""
    read = Counter(await fleet.redis.mget([keys.owner for keys in fleet.layout.several]))
    return None not in read and len(read) == len(fleet.daemons) and len({*read.values()}) == 1


async def _redis_seconds(redis: Redis) -> float:
    """CPU time that Redis has taken."""
    used = await redis.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


def _took(fleet: Fleet) -> list[float]:
    lines = [line for daemon in fleet.daemons for line in daemon.log() if line["message"] == "job done"]
    return [float(str(line["latency_ms"])) for line in lines]


async def _is_empty(redis: Redis) -> bool:
    return not await redis.xlen(STREAM)


async def _conflicts(fleet: Fleet) -> float:
    total = 0.0
    for daemon in fleet.daemons:
        async with fleet.http.get(daemon.ops_url + "/metrics") as answer:
            total += sum(map(float, _CONFLICTS.findall(await answer.text())))
    return total


async def _longest_wait(size: Size) -> float:
    """Milliseconds that the oldest unsettled job had waited, at most, while jobs came one by one."""
    jobs = list(payloads(int(size.seconds * _LIVE_JOBS_A_SECOND), DIMENSION, pets=_HOT))
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=2, env=_ENV) as fleet:
            await fleet.ready()
            longest, adding = 0.0, asyncio.create_task(_trickle(fleet.redis, jobs))
            while not adding.done() or not await _is_empty(fleet.redis):
                longest = max(longest, await _age(fleet.redis))
                await asyncio.sleep(_LOOK_SECONDS)
            await adding
            return longest


async def _trickle(redis: Redis, jobs: list[bytes]) -> None:
    began = time.perf_counter()
    for number, payload in enumerate(jobs):
        await asyncio.sleep(max(0.0, began + number / _LIVE_JOBS_A_SECOND - time.perf_counter()))
        await redis.xadd(STREAM, {"payload": payload})


async def _age(redis: Redis) -> float:
    """Milliseconds since the oldest unsettled job came."""
    oldest = await redis.xrange(STREAM, count=1)
    if not oldest:
        return 0.0
    seconds, micros = await redis.time()
    return float(seconds * 1000 + micros / 1000 - int(oldest[0][0].split(b"-")[0]))
