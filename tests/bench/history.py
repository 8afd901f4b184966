"""What history costs: jobs a second and CPU of a job with it and without; at half that rate, how far it is behind, and
what a read takes. Where there are few cores, readers wait for whatever has them: so also beside a process that only
takes as much CPU as the one that writes, as often.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psutil

from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.migrating import migrate
from tests.bench.figure import Figure, Size
from tests.bench.http import seeded
from tests.bench.jobs import DIMENSION, STREAM, payloads
from tests.bench.load import ENV, asked, load, metrics, serving
from tests.bench.throughput import drained, seconds
from tests.faults.fleet import ROOT, Fleet
from tests.support.postgres import Postgres, chosen
from tests.support.waiting import eventually

_WRITTEN = re.compile(r'history_events_total\{outcome="written"\} (\S+)')
_LAG = re.compile(r"^media_cluster_history_lag_seconds (\S+)", re.MULTILINE)
_VIEW = "/internal/pets/pet_1/clusters"
_READS = 500
"""A second, over several connections."""
_TIMES_AS_LONG = 5
"""As other loads: the 99th percentile is to be that of some thousand reads."""
_JOBS_EVERY, _LAG_EVERY = 0.01, 0.25
"""Seconds."""


class _Beside(NamedTuple):
    """At half the rate of which the daemon is capable: how far behind history was at most, in seconds; what a read
    took, p99, in ms; and which part of a core the process that writes had.
    """

    lag: float
    read_ms: float
    share: float


def history(size: Size) -> list[Figure]:
    """Without it and with it in turns, as a machine's speed changes while this runs."""
    off, reads, burnt = [], [], []
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
        with _burning(kinds[0].beside[-1].share):
            burnt.append(asyncio.run(_beside(size, {}, half)).read_ms)
    rates, cpus = [rate for rate, _ in off], [cpu for _, cpu in off]
    return [
        *(figure for kept in kinds for figure in kept.figures(rates, cpus, reads)),
        Figure("GET at that rate, as much CPU as SQLite's writer takes burnt beside it, p99", "ms", burnt, reads),
    ]


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
    async with _started(env) as fleet:
        spent = _cpu_seconds(fleet)
        done = await drained(fleet, fleet.redis, jobs, [])
        if env:
            await _caught_up(fleet)
        return done.rate, 1e6 * (_cpu_seconds(fleet) - spent) / size.jobs


def _cpu_seconds(fleet: Fleet) -> float:
    return seconds([fleet.daemons[0].pid, *_children(fleet)])


def _children(fleet: Fleet) -> list[int]:
    return [child.pid for child in psutil.Process(fleet.daemons[0].pid).children()]


@asynccontextmanager
async def _started(env: Mapping[str, str]) -> AsyncIterator[Fleet]:
    """A daemon; and where there is history the process that writes it, which has looked for pets and found none."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env={**ENV, **env}) as fleet:

            def looked() -> bool:
                return any(line["message"] == "history has caught up" for line in fleet.daemons[0].log())

            if env:
                await eventually(looked, what="history to begin", timeout=120)
            yield fleet


async def _beside(size: Size, env: Mapping[str, str], rate: float) -> _Beside:
    """While so many jobs came a second. Who reads, and waits for the answers, is a process that does nothing else."""
    lasting = replace(size, seconds=_TIMES_AS_LONG * size.seconds)
    jobs = [*payloads(int(rate * lasting.seconds) + 1, DIMENSION)]
    async with _started(env) as fleet:
        await seeded(fleet)
        spent, began = seconds(_children(fleet)), time.perf_counter()
        looking = asyncio.create_task(_worst_lag(fleet))
        coming = asyncio.create_task(_come(fleet, jobs, rate))
        read = await asyncio.to_thread(load, serving(fleet), lasting, asked("GET", _VIEW), 200, rate=_READS)
        await coming
        if env:
            await _caught_up(fleet)
        looking.cancel()
        share = (seconds(_children(fleet)) - spent) / (time.perf_counter() - began)
        return _Beside(await looking, read.p99_ms, share)


@contextmanager
def _burning(share: float) -> Iterator[None]:
    """Beside a process that takes this part of a core."""
    with subprocess.Popen([sys.executable, "-m", "tests.bench.burner", str(share)], cwd=ROOT) as process:
        try:
            yield
        finally:
            process.kill()


async def _come(fleet: Fleet, jobs: Sequence[bytes], rate: float) -> None:
    """The jobs, so many a second."""
    sent, began = 0, time.perf_counter()
    while sent < len(jobs):
        pipe = fleet.redis.pipeline(transaction=False)
        due = min(len(jobs), int(rate * (time.perf_counter() - began)))
        for payload in jobs[sent:due]:
            pipe.xadd(STREAM, {"payload": payload})
        await pipe.execute()
        sent = due
        await asyncio.sleep(_JOBS_EVERY)


async def _worst_lag(fleet: Fleet) -> float:
    """In seconds, until it is cancelled. It is asked for seldom: what all metrics take the daemon, readers wait for."""
    worst = 0.0
    with suppress(asyncio.CancelledError):
        while True:
            found = _LAG.search(await metrics(fleet))
            worst = max(worst, float(found[1]) if found else 0.0)
            await asyncio.sleep(_LAG_EVERY)
    return worst


async def _caught_up(fleet: Fleet) -> None:
    """Until as many events are written as the feed has."""

    async def all_are_written() -> bool:
        await asyncio.sleep(_LAG_EVERY)  # what all metrics take of the daemon's CPU is counted, too
        found = _WRITTEN.search(await metrics(fleet))
        return found is not None and float(found[1]) >= await fleet.redis.xlen(fleet.layout.plain.feed)

    await eventually(all_are_written, what="history to catch up", timeout=120)


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
