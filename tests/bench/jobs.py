"""One-image jobs through the daemon beside a loop that only reads, sets, acknowledges and deletes the same entries."""

import asyncio
import base64
import math
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
from redis.asyncio import Redis

from sploot_clusterd.keys import Layout
from sploot_clusterd.wire import named_ids
from tests.bench.figure import Figure, Size
from tests.bench.load import metrics
from tests.faults.fleet import Fleet

STREAM = "streams:media.cluster"
DIMENSION = 512
_PETS = 200
_BATCH = 64
_LAG = re.compile(r'loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)')


def jobs(size: Size) -> list[Figure]:
    return asyncio.run(_jobs("jobs with a 512-d vector", size, DIMENSION)) + asyncio.run(
        _jobs("jobs without vectors", size, 0)
    )


async def _jobs(name: str, size: Size, dimension: int) -> list[Figure]:
    ours, bare, lags = [], [], Counter[float]()
    for _ in range(size.repeats):
        with tempfile.TemporaryDirectory(prefix="bench-") as path:
            fleet = Fleet(Path(path), daemons=1)
            try:
                await preload(fleet.redis, size.jobs, dimension)
                bare.append(await _serial(fleet.redis, size.jobs))
                await fleet.redis.flushall()
                await preload(fleet.redis, size.jobs, dimension)
                ours.append(await drained(fleet, size.jobs))
                lags.update(_lags(await metrics(fleet)))
            finally:
                await fleet.close()
    return [
        Figure(name, "jobs/s", ours, bare),
        Figure(f"{name}: loop lag p99 below", "ms", [_bound(lags, 0.99)]),
        Figure(f"{name}: loop lag max below", "ms", [_bound(lags, 1.0)]),
    ]


def payloads(count: int, dimension: int, *, pets: int = _PETS) -> Iterator[bytes]:
    """Every job brings a new image; five groups a pet. Without vectors where `dimension` is 0."""
    random = np.random.default_rng(1)
    centres = random.normal(size=(pets, 5, dimension))
    for number in range(count):
        pet = number % pets
        image: dict[str, object] = {"image_ids": [f"img-{number}"], "labels": ["a", "b"]}
        if dimension:
            vector = centres[pet, random.integers(5)] + random.normal(size=dimension)
            image = {"images": [{"image_id": f"img-{number}", "embedding": packed(vector)}]}
        yield entry(f"pet_{pet}", f"job-{number}", image)


def packed(vector: np.ndarray) -> dict[str, str]:
    """As producers send it."""
    return {"dtype": "f16", "data": base64.b64encode(vector.astype(np.float16).tobytes()).decode()}


def entry(pet_id: str, job_id: str, content: dict[str, object]) -> bytes:
    """What the stream's field `payload` holds for a job."""
    names = {"pet_id": pet_id, "job_id": job_id}
    return msgspec.json.encode({**names, "payload": {**names, "payload": content}, "attempts": 0})


async def preload(redis: Redis, count: int, dimension: int) -> None:
    """Puts so many jobs into the stream."""
    await add(redis, payloads(count, dimension))


async def add(redis: Redis, jobs: Iterable[bytes], *, layout: Layout | None = None) -> None:
    """Puts these jobs into the stream, or by the `layout` into their pets' partitions."""
    pipe = redis.pipeline(transaction=False)
    for number, payload in enumerate(jobs, 1):
        stream = layout.of(named_ids({b"payload": payload})[0]).stream if layout else STREAM
        pipe.xadd(stream, {"payload": payload})
        if number % 500 == 0:
            await pipe.execute()
    await pipe.execute()


async def _serial(redis: Redis, count: int) -> float:
    """Jobs a second of the least that any worker has to do: two round trips a batch."""
    await redis.xgroup_create(STREAM, "bare", "0")
    began, done = time.perf_counter(), 0
    while done < count:
        ((_, entries),) = await redis.xreadgroup("bare", "one", {STREAM: ">"}, count=_BATCH)
        pipe = redis.pipeline(transaction=False)
        for entry, fields in entries:
            pipe.set(b"bare:" + entry, fields[b"payload"])
            pipe.xack(STREAM, "bare", entry)
            pipe.xdel(STREAM, entry)
        await pipe.execute()
        done += len(entries)
    return done / (time.perf_counter() - began)


async def drained(fleet: Fleet, count: int) -> float:
    """Jobs a second, from the first that is seen settled to the last; so the daemon's start is not counted."""
    starting = asyncio.create_task(fleet.daemons[0].start())
    left = first = count
    began = time.perf_counter()
    deadline = began + 120
    while left:
        left = await fleet.redis.xlen(STREAM)
        if first == count and left < count:
            first, began = left, time.perf_counter()
        assert time.perf_counter() < deadline, f"{left} jobs are not settled"
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    await starting
    assert first, "all jobs were settled between two looks: measure more"
    return first / took


def _lags(text: str) -> dict[float, float]:
    """How many measurements of the loop's lag lay below each bound, in seconds; the last one is infinite."""
    return {float(bound): float(count) for bound, count in _LAG.findall(text)}


def _bound(lags: Mapping[float, float], share: float) -> float:
    """The bound in ms that so many of the measurements of all repeats lie below: in one they are only some thirty."""
    return 1000 * min(bound for bound, count in lags.items() if count >= share * lags[math.inf])
