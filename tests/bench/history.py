"""What history costs: jobs a second and CPU of a job with it and without; at half that rate, how far it is behind, and
what a read takes.
"""

import asyncio
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import numpy as np
import psutil

from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.migrating import migrate
from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, STREAM, add, payloads
from tests.bench.load import ENV, metrics
from tests.faults.fleet import TOKEN, Fleet
from tests.support.postgres import Postgres, chosen

_WRITTEN = re.compile(r'history_events_total\{outcome="written"\} (\S+)')
_LAG = re.compile(r"^media_cluster_history_lag_seconds (\S+)", re.MULTILINE)
_READ_EVERY = 0.005
"""Seconds between two reads."""


class _Beside(NamedTuple):
    """At half the rate of which the daemon is capable: how far behind history was at most, in seconds, and what a read
    took, p99, in ms.
    """

    lag: float
    read_ms: float


def history(size: Size) -> list[Figure]:
    """Without it and with it in turns, as a machine's speed changes while this runs."""
    off, reads = [], []
    kinds = [_Kept("SQLite", _sqlite), _Kept("PostgreSQL", _postgres)]
    for _ in range(size.repeats):
        off.append(asyncio.run(_drained(size, {})))
        for kept in kinds:
            with kept.database() as url:
                kept.on.append(asyncio.run(_drained(size, {"DATABASE_URL": url})))
    half = min(rate for rate, _ in off) / 2
    for _ in range(size.repeats):
        reads.append(asyncio.run(_beside(size, {}, half)).read_ms)
        for kept in kinds:
            with kept.database() as url:
                kept.beside.append(asyncio.run(_beside(size, {"DATABASE_URL": url}, half)))
    rates, cpus = [rate for rate, _ in off], [cpu for _, cpu in off]
    return [figure for kept in kinds for figure in kept.figures(rates, cpus, reads)]


class _Kept:
    """What was measured with one kind of database."""

    def __init__(self, name: str, database: Callable[[], AbstractContextManager[str]]) -> None:
        """`database` gives the URL of an empty one."""
        self.database = database
        self.on: list[tuple[float, float]] = []
        self.beside: list[_Beside] = []
        self._name = name

    def figures(self, rates: list[float], cpus: list[float], reads: list[float]) -> list[Figure]:
        """Beside what was measured without history."""
        name = self._name
        return [
            Figure(f"jobs with a 512-d vector, history in {name}", "jobs/s", [rate for rate, _ in self.on], rates),
            Figure(f"CPU of a job, history in {name}", "us", [cpu for _, cpu in self.on], cpus),
            Figure(f"history in {name} behind at half that rate, at most", "s", [each.lag for each in self.beside]),
            Figure(f"GET at that rate, history in {name}, p99", "ms", [each.read_ms for each in self.beside], reads),
        ]


async def _drained(size: Size, env: Mapping[str, str]) -> tuple[float, float]:
    """Jobs a second; and microseconds of CPU for each job, of the daemon and of the process that writes, with all that
    history does after it. Both had started.
    """
    jobs = [*payloads(size.jobs, DIMENSION)]
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        fleet = Fleet(Path(path), daemons=1, env={**ENV, **env})
        try:
            await _started(fleet, env)
            spent, began = _cpu_seconds(fleet), time.perf_counter()
            await add(fleet.redis, jobs)
            await fleet.settled(timeout=120.0)
            rate = size.jobs / (time.perf_counter() - began)
            if env:
                await _caught_up(fleet)
            return rate, 1e6 * (_cpu_seconds(fleet) - spent) / size.jobs
        finally:
            await fleet.close()


def _cpu_seconds(fleet: Fleet) -> float:
    daemon = psutil.Process(fleet.daemons[0].pid)
    return sum(each.cpu_times().user + each.cpu_times().system for each in (daemon, *daemon.children()))


async def _started(fleet: Fleet, env: Mapping[str, str]) -> None:
    """The daemon; and where there is history the process that writes it, which has looked for pets and found none."""
    await fleet.daemons[0].start()
    deadline = time.perf_counter() + 120
    while env and not any(line["message"] == "history has caught up" for line in fleet.daemons[0].log()):
        assert time.perf_counter() < deadline, "history does not begin"
        await asyncio.sleep(0.05)


async def _beside(size: Size, env: Mapping[str, str], rate: float) -> _Beside:
    """While so many jobs came a second."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        fleet = Fleet(Path(path), daemons=1, env={**ENV, **env})
        try:
            await _started(fleet, env)
            reading = asyncio.create_task(_reads(fleet, ended := asyncio.Event()))
            jobs, sent, began, worst = payloads(size.jobs, DIMENSION), 0, time.perf_counter(), 0.0
            while sent < size.jobs:
                pipe = fleet.redis.pipeline(transaction=False)
                while sent < min(size.jobs, rate * (time.perf_counter() - began)):
                    pipe.xadd(STREAM, {"payload": next(jobs)})
                    sent += 1
                await pipe.execute()
                found = _LAG.search(await metrics(fleet))
                worst = max(worst, float(found[1]) if found else 0.0)
                await asyncio.sleep(0.02)
            ended.set()
            if env:
                await _caught_up(fleet)
            return _Beside(worst, 1000 * float(np.percentile(await reading, 99)))
        finally:
            await fleet.close()


async def _reads(fleet: Fleet, ended: asyncio.Event) -> list[float]:
    """Seconds that each of many reads took, one after the other."""
    took, url = list[float](), f"{fleet.daemons[0].url}/internal/pets/pet_0/clusters"
    async with aiohttp.ClientSession(headers={"X-Internal-Token": TOKEN}) as session:
        while not ended.is_set():
            began = time.perf_counter()
            async with session.get(url) as answer:
                await answer.read()
            took.append(time.perf_counter() - began)
            await asyncio.sleep(_READ_EVERY)
    return took


async def _caught_up(fleet: Fleet) -> None:
    """Until as many events are written as the feed has."""
    deadline = time.perf_counter() + 120
    while True:
        found = _WRITTEN.search(await metrics(fleet))
        if found and float(found[1]) >= await fleet.redis.xlen(fleet.layout.plain.feed):
            return
        assert time.perf_counter() < deadline, "history does not catch up"
        await asyncio.sleep(0.05)


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        yield _migrated(f"sqlite:///{path}/history.sqlite3")


@contextmanager
def _postgres() -> Iterator[str]:
    with Postgres(chosen()) as server:
        yield _migrated(server.url())


def _migrated(url: str) -> str:
    migrate(HistorySettings(url=SecretUrl(url)))
    return url
