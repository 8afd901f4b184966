"""Requests while a backlog is worked off: HTTP goes first, and jobs go on."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, STREAM, entry, preload
from tests.bench.load import ACCEPTED, ENV, Load, a_submit, asked, bare_handler, load, serving
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

_VIEW = "/internal/pets/pet_first/clusters"
_JOBS_A_SECOND = 4000
"""More than are applied: the backlog is not to end before the measurement."""
_CONNECTIONS = (4, 32)


class _Taken(NamedTuple):
    jobs: float
    """Applied a second."""
    load: Load


def backlog(size: Size) -> list[Figure]:
    figures = []
    alone = [_measured(size, partial(_idle, size)).jobs for _ in range(size.repeats)]
    for connections in _CONNECTIONS:
        reads = partial(_load, replace(size, connections=connections), asked("GET", _VIEW), 200)
        taken = [_measured(size, reads) for _ in alone]
        name = f"GET behind a backlog, {connections} connections"
        figures.append(Figure(f"{name}, p99", "ms", [one.load.p99_ms for one in taken]))
        figures.append(Figure(f"{name}, jobs meanwhile", "jobs/s", [one.jobs for one in taken], alone))
    status, body = ACCEPTED
    posts, bare = [], []
    with bare_handler(status, body) as other:
        for _ in alone:
            posts.append(_measured(size, partial(_load, size, a_submit(), status)))
            bare.append(load(other, size, a_submit(), status).rate)
    name = "POST behind a backlog"
    figures.append(Figure(name, "requests/s", [one.load.rate for one in posts], bare))
    figures.append(Figure(f"{name}, jobs meanwhile", "jobs/s", [one.jobs for one in posts], alone))
    return figures


def _load(size: Size, request: bytes, status: int, fleet: Fleet) -> Load:
    return load(serving(fleet), size, request, status)


def _idle(size: Size, _fleet: Fleet) -> Load:
    time.sleep(size.seconds)
    return Load(0.0, {}, 0.0)


def _measured(size: Size, run: Callable[[Fleet], Load]) -> _Taken:
    return asyncio.run(_behind(size, run))


async def _behind(size: Size, run: Callable[[Fleet], Load]) -> _Taken:
    """Runs a load while a daemon of its own works off jobs with vectors."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        fleet = Fleet(Path(path), daemons=1, env=ENV)
        try:
            first = {"image_ids": [f"img_{number}" for number in range(20)], "labels": ["a", "b"]}
            await fleet.redis.xadd(STREAM, {"payload": entry("pet_first", "first", first)})
            # A second more: the load takes a moment to begin, and the daemon does not wait for it.
            await preload(fleet.redis, int(_JOBS_A_SECOND * (size.seconds + 1.0)), DIMENSION)
            await fleet.daemons[0].start()
            await eventually(lambda: _served(fleet), what="the first view")
            before, began = await fleet.redis.xinfo_stream(STREAM), time.perf_counter()
            loaded = run(fleet)
            after, took = await fleet.redis.xinfo_stream(STREAM), time.perf_counter() - began
            assert after["length"], "the backlog ended too soon"
            settled = (after["entries-added"] - after["length"]) - (before["entries-added"] - before["length"])
            return _Taken(settled / took, loaded)
        finally:
            await fleet.close()


async def _served(fleet: Fleet) -> bool:
    async with fleet.http.get(fleet.daemons[0].url + _VIEW) as answer:
        return answer.status == 200
