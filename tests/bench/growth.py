"""A whole fleet of pets: what a pet takes in Redis, whether commits stay as cheap, and that memory is bounded."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, add, entry, packed
from tests.bench.load import metrics
from tests.faults.fleet import Fleet

_IMAGES = 20
_GROUPS = 4
_PARTS = 10
_CACHE_BYTES = 32 * 2**20
_ENV = {"CLUSTER_STREAM_MAXLEN": "1000000", "CLUSTERD_ALBUMS_CACHE_BYTES": str(_CACHE_BYTES)}
_COMMIT = re.compile(r'^media_cluster_stage_seconds_total\{stage="commit"\} (\S+)', re.MULTILINE)
_CACHED = re.compile(r"^media_cluster_album_cache_bytes (\S+)", re.MULTILINE)


def growth(size: Size) -> list[Figure]:
    return asyncio.run(_growth(size))


async def _growth(size: Size) -> list[Figure]:
    """The fleet comes in ten parts, one job a pet; each part is settled before the next one."""
    a_part = size.fleet // _PARTS
    taken, cpu, commit, cached, memory = [], [], [], [], []
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env=_ENV) as fleet:
            await fleet.ready()
            watched = psutil.Process(fleet.daemons[0].pid)
            used = (await fleet.redis.info("memory"))["used_memory"]
            spent, committed = sum(watched.cpu_times()[:2]), 0.0
            for part in range(_PARTS):
                await add(fleet.redis, _payloads(part * a_part, a_part))
                await fleet.settled(timeout=1200)
                now, text = (await fleet.redis.info("memory"))["used_memory"], await metrics(fleet)
                taken.append((now - used) / a_part)
                used, before = now, spent
                spent = sum(watched.cpu_times()[:2])
                cpu.append((spent - before) / a_part * 1e3)
                before, committed = committed, _value(_COMMIT, text)
                commit.append((committed - before) / a_part * 1e3)
                cached.append(_value(_CACHED, text))
                memory.append(watched.memory_info().rss / 2**20)
    name = f"{size.fleet:,} pets of {_IMAGES} images"
    return [
        Figure(f"{name}: Redis memory a pet, beside its vectors", "bytes", taken, [2.0 * DIMENSION * _IMAGES] * _PARTS),
        Figure(f"{name}: CPU of a pet's job, last tenth beside first", "ms", [cpu[-1]], [cpu[0]]),
        Figure(f"{name}: commit of a pet's job, last tenth beside first", "ms", [commit[-1]], [commit[0]]),
        Figure(f"{name}: albums in memory, beside albums.cache_bytes", "bytes", [max(cached)], [float(_CACHE_BYTES)]),
        Figure(f"{name}: memory of the daemon, last tenth beside first", "MiB", [memory[-1]], [memory[0]]),
    ]


def _value(figure: re.Pattern[str], text: str) -> float:
    (value,) = figure.findall(text)
    return float(value)


def _payloads(first: int, pets: int) -> Iterator[bytes]:
    random = np.random.default_rng(first)
    for pet in range(first, first + pets):
        centres = random.normal(size=(_GROUPS, DIMENSION))
        images = [
            {"image_id": f"img-{number}", "embedding": packed(centre + random.normal(size=DIMENSION))}
            for number, centre in enumerate(centres[random.integers(_GROUPS, size=_IMAGES)])
        ]
        yield entry(f"pet_{pet}", f"job-{pet}", {"images": images})
