"""What fetching insights costs: jobs with vectors while the storage service is dead, and answers of a fast one."""

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sploot_clusterd.engine.rows import decode_row
from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, STREAM, drained, entry, preload
from tests.bench.load import ENV, metrics
from tests.faults.checker import NAMESPACE
from tests.faults.fleet import Fleet

_ROOT = Path(__file__).parents[2]
_DEAD = "http://127.0.0.1:9"
"""Nobody listens there: each question is refused at once."""
_FETCHED = re.compile(r'insights_settled_total\{outcome="fetched"\} (\S+)')
_IMAGES_A_SECOND = 100
_PETS = 50
_FIRST_SHARE = 0.2
"""Of the images, after which the rate is taken: by then the daemon is warm."""


def insights(size: Size) -> list[Figure]:
    on, off = [], []
    for _ in range(size.repeats):
        off.append(asyncio.run(_jobs(size, {})))
        on.append(asyncio.run(_jobs(size, {"STORAGE_SERVICE_URL": _DEAD})))
    with _fast_service() as url:
        fetched = [asyncio.run(_fetched(size, url)) for _ in range(size.repeats)]
        waits = [wait for _ in range(size.repeats) for wait in asyncio.run(_waits(size, url))]
    return [
        Figure("jobs with a 512-d vector, storage service dead", "jobs/s", on, off),
        Figure("insights of a fast storage service", "answers/s", fetched),
        Figure("an image's bare job until its vectors are there, p99", "ms", [_p99(waits)]),
    ]


async def _jobs(size: Size, env: Mapping[str, str]) -> float:
    """Jobs a second."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        fleet = Fleet(Path(path), daemons=1, env={**ENV, **env})
        try:
            await preload(fleet.redis, size.jobs, DIMENSION)
            return await drained(fleet, size.jobs)
        finally:
            await fleet.close()


async def _fetched(size: Size, url: str) -> float:
    """Answers a second, their jobs applied meanwhile."""
    env = {**ENV, "STORAGE_SERVICE_URL": url, "CLUSTERD_INSIGHTS_RATE": "0"}
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        fleet = Fleet(Path(path), daemons=1, env=env)
        try:
            await preload(fleet.redis, size.jobs, 0)
            await fleet.daemons[0].start()
            first, began = await _count_from(fleet, _FIRST_SHARE * size.jobs)
            last, ended = await _count_from(fleet, size.jobs)
            return (last - first) / (ended - began)
        finally:
            await fleet.close()


async def _waits(size: Size, url: str) -> list[float]:
    """Milliseconds from each image's bare job to its vectors, at a rate that leaves the daemon room."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        fleet = Fleet(Path(path), daemons=1, env={**ENV, "STORAGE_SERVICE_URL": url, "CLUSTERD_INSIGHTS_RATE": "0"})
        try:
            await fleet.daemons[0].start()
            sent: dict[tuple[str, str], float] = {}
            waits: list[float] = []
            began, number = time.perf_counter(), 0
            while number < size.seconds * _IMAGES_A_SECOND or sent:
                while number < min(time.perf_counter() - began, size.seconds) * _IMAGES_A_SECOND:
                    pet, image = f"pet_{number % _PETS}", f"img-{number}"
                    sent[pet, image] = time.perf_counter()
                    await fleet.redis.xadd(STREAM, {"payload": entry(pet, f"job-{number}", {"image_ids": [image]})})
                    number += 1
                waits += await _arrived(fleet, sent)
            return waits
        finally:
            await fleet.close()


async def _arrived(fleet: Fleet, sent: dict[tuple[str, str], float]) -> list[float]:
    """Milliseconds of those whose vectors are there; they are taken out."""
    await asyncio.sleep(0.005)
    pipe = fleet.redis.pipeline(transaction=False)
    for pet, image in sent:
        pipe.hget(f"{NAMESPACE}:images:{pet}", image)
    now = time.perf_counter()
    there = [key for key, row in zip([*sent], await pipe.execute(), strict=True) if row and decode_row(row).vectors]
    return [1000 * (now - sent.pop(key)) for key in there]


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1))]


async def _count_from(fleet: Fleet, least: float) -> tuple[float, float]:
    """How many were fetched, once these are so many, and when."""
    deadline = time.perf_counter() + 120
    while True:
        found = _FETCHED.search(await metrics(fleet))
        count, now = float(found[1]) if found else 0.0, time.perf_counter()
        if count >= least:
            return count, now
        assert now < deadline, f"{count} of {least} were fetched"
        await asyncio.sleep(0.02)


@contextmanager
def _fast_service() -> Iterator[str]:
    """Its URL; it ends with the block."""
    command = [sys.executable, "-m", "tests.bench.storage"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()
