"""Two daemons on one stream: what it costs to keep the order of few pets, what they gain over many, and how long jobs
wait. And the same over partitions, to which jobs are moved from the plain stream, or sent.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from redis.asyncio import Redis

from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, STREAM, add, payloads
from tests.bench.throughput import ENV, PARTITIONS, Throughput, beside, shared, worked_off
from tests.faults.fleet import Fleet

_HOT, _SHARED, _MANY = 5, 40, 500
_WARMED_UP = 10
"""A tenth as many jobs come before those that are measured."""
_LIVE_JOBS_A_SECOND = 100
_LOOK_SECONDS = 0.01


def rivals(size: Size) -> list[Figure]:
    return asyncio.run(_rivals(size))


async def _rivals(size: Size) -> list[Figure]:
    one: dict[int, list[Throughput]] = {_HOT: [], _SHARED: [], _MANY: []}
    two: dict[int, list[Throughput]] = {_HOT: [], _SHARED: [], _MANY: []}
    apart: dict[int, list[Throughput]] = {_HOT: [], _MANY: []}
    straight, waits = list[Throughput](), list[float]()
    for _ in range(size.repeats):
        for pets in (_HOT, _SHARED, _MANY):
            one[pets].append(await _drain(1, size, pets))
            two[pets].append(await _drain(2, size, pets))
            if pets in apart:
                apart[pets].append(await _drain(2, size, pets, partitions=PARTITIONS))
        straight.append(await _drain(2, size, _MANY, partitions=PARTITIONS, straight=True))
        waits.append(await _longest_wait(size))
    return [
        *_drained(f"{_HOT} hot pets, two daemons", one[_HOT], two[_HOT]),
        Figure(f"{_HOT} hot pets, two daemons: longest wait at {_LIVE_JOBS_A_SECOND} jobs/s", "ms", waits),
        *_drained(f"{_SHARED} pets, two daemons", one[_SHARED], two[_SHARED]),
        *_drained(f"{_MANY} pets, two daemons", one[_MANY], two[_MANY]),
        *_drained(f"{_HOT} hot pets, two daemons, {PARTITIONS} partitions", one[_HOT], apart[_HOT]),
        *_drained(f"{_MANY} pets, two daemons, {PARTITIONS} partitions", one[_MANY], apart[_MANY]),
        *_drained(f"{_MANY} pets, two daemons, {PARTITIONS} partitions, sent there", one[_MANY], straight),
    ]


def _drained(name: str, one: list[Throughput], two: list[Throughput]) -> list[Figure]:
    return [
        *beside(f"{name} beside one", two, one),
        Figure(f"{name}: conflicts", "a thousand jobs", [each.conflicts for each in two]),
        Figure(f"{name}: longest run of a job, with a backlog", "ms", [each.longest_ms for each in two]),
    ]


async def _drain(daemons: int, size: Size, pets: int, *, partitions: int = 1, straight: bool = False) -> Throughput:
    """What is measured begins after some jobs, as what is read at a time grows with them. Of many pets there are more
    jobs: two daemons work off the others within a second, and what one does at its end, alone, would count for much.
    """
    count = size.jobs if pets == _MANY else size.jobs // 2
    jobs = list(payloads(count + count // _WARMED_UP, DIMENSION, pets=pets))
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=daemons, env=ENV, partitions=partitions) as fleet:
            await fleet.ready()
            if partitions > 1:
                await shared(fleet)
            await add(fleet.redis, jobs[count:])
            await fleet.settled()
            return await worked_off(fleet, jobs[:count], straight=straight)


async def _is_empty(redis: Redis) -> bool:
    return not await redis.xlen(STREAM)


async def _longest_wait(size: Size) -> float:
    """Milliseconds that the oldest unsettled job had waited, at most, while jobs came one by one."""
    jobs = list(payloads(int(size.seconds * _LIVE_JOBS_A_SECOND), DIMENSION, pets=_HOT))
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=2, env=ENV) as fleet:
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
