"""What history costs: jobs a second and CPU of a job with it and without; at half that rate, how far it is behind, and
what a read takes.

From one start of a daemon to the next all of this changes by more than history may cost. So those that are compared are
alive at once, each over a Redis of its own, and worked in turns, there and back; and there is one more without history,
whose rows tell how far apart two are that are alike.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from sploot_clusterd.history.database import Database
from sploot_clusterd.history.ledger import Ledger
from tests.bench.databases import opened, postgres, sqlite
from tests.bench.figure import Figure, Size
from tests.bench.http import seeded
from tests.bench.jobs import DIMENSION, STREAM, add, payloads
from tests.bench.load import ENV, Load, asked, load, pooled, serving
from tests.bench.process import cpu_seconds
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

_VIEW: Final = "/internal/pets/pet_1/clusters"
_READS: Final = 500
"""A second, over several connections."""
_LEAD: Final = 2.5
"""Seconds of jobs before what a read takes is counted: albums are kept from the second on."""
_SHARE: Final = 2 / 3
"""A turn of reads', of the time that other loads take."""
_JOBS_EVERY, _LAG_EVERY = 0.01, 0.25
"""Seconds."""
_OFF, _ALIKE, _SQLITE, _POSTGRES = "off", "off as well", "SQLite", "PostgreSQL"


class _Drained(NamedTuple):
    """Jobs a second; and microseconds of CPU for each job, of the daemon and of the process that writes, until the last
    event was written.
    """

    rate: float
    cpu_us: float


class _Beside(NamedTuple):
    """At half the rate of which the daemon is capable: how far behind history was at most, in seconds, and what reads
    took.
    """

    lag: float
    read: Load


@dataclass
class _Side:
    """A daemon, and what was measured of it."""

    fleet: Fleet
    database: Database | None
    """Where history is written, to look into: what is asked of the daemon itself would be measured."""
    jobs: Iterator[bytes] = field(default_factory=lambda: payloads(sys.maxsize, DIMENSION))
    drained: list[_Drained] = field(default_factory=list)
    beside: list[_Beside] = field(default_factory=list)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.fleet.daemons[0].pid)


_Sides = dict[str, _Side]


def history(size: Size) -> list[Figure]:
    starts = [asyncio.run(_measured(size, number)) for number in range(size.repeats)]

    def drained(side: str) -> list[_Drained]:
        return [turn for start in starts for turn in start[side].drained]

    def reads(side: str) -> list[float]:
        return [pooled([each.read for each in start[side].beside]).p99_ms for start in starts]

    def of(name: str) -> list[Figure]:
        ours, off = drained(name), drained(_OFF)
        lags = [max(each.lag for each in start[name].beside) for start in starts]
        return [
            Figure(f"jobs with a 512-d vector, history in {name}", "jobs/s", _rates(ours), _rates(off)),
            Figure(f"CPU of a job, history in {name}", "us", [e.cpu_us for e in ours], [e.cpu_us for e in off]),
            Figure(f"history in {name} behind at half that rate, at most", "s", lags),
            Figure(f"GET at that rate, history in {name}, p99", "ms", reads(name), reads(_OFF)),
        ]

    alike = "of two without history"
    return [
        *of(_SQLITE),
        *of(_POSTGRES),
        Figure(f"jobs with a 512-d vector, {alike}", "jobs/s", _rates(drained(_ALIKE)), _rates(drained(_OFF))),
        Figure(f"GET at that rate, {alike}, p99", "ms", reads(_ALIKE), reads(_OFF)),
    ]


def _rates(drained: Sequence[_Drained]) -> list[float]:
    return [each.rate for each in drained]


async def _measured(size: Size, number: int) -> _Sides:
    """Who is first, and who last, when albums are largest, changes from one `number` to the next."""
    async with _alive() as sides:
        beside = replace(size, seconds=size.seconds * _SHARE)
        names = [*sides]
        names = names[number % len(names) :] + names[: number % len(names)]
        there_and_back = [*names, *reversed(names)]
        for name in there_and_back:
            sides[name].drained.append(await _drained(sides[name], size.jobs // 2))
        half = min(_rates(sides[_OFF].drained)) / 2
        for name in there_and_back * (size.repeats // 2 + 1):  # what is asked for is a tail
            sides[name].beside.append(await _beside(sides[name], beside, half))
        return sides


@asynccontextmanager
async def _alive() -> AsyncIterator[_Sides]:
    """What writes has looked for pets, and found none."""
    async with AsyncExitStack() as stack:
        urls = {_OFF: "", _ALIKE: "", _SQLITE: stack.enter_context(sqlite())}
        urls[_POSTGRES] = stack.enter_context(postgres())
        sides = {}
        for name, url in urls.items():
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            env = {**ENV, "DATABASE_URL": url} if url else ENV
            fleet = await stack.enter_async_context(Fleet(path, daemons=1, env=env))
            await fleet.ready()
            sides[name] = _Side(fleet, stack.enter_context(opened(url)) if url else None)
            await seeded(fleet)
            await _caught_up(sides[name])
        yield sides


async def _drained(side: _Side, count: int) -> _Drained:
    jobs, spent = [*islice(side.jobs, count)], side.cpu_seconds()
    began = time.perf_counter()
    await add(side.fleet.redis, jobs)
    await side.fleet.settled()
    rate = count / (time.perf_counter() - began)
    await _written(side)
    spent = side.cpu_seconds() - spent
    await _caught_up(side)
    return _Drained(rate, 1e6 * spent / count)


async def _beside(side: _Side, size: Size, rate: float) -> _Beside:
    """While so many jobs came a second. Who reads, and waits for the answers, is a process that does nothing else."""
    jobs = [*islice(side.jobs, int(rate * (_LEAD + size.seconds)) + 1)]
    coming = asyncio.create_task(_come(side.fleet, jobs, rate))
    looking = asyncio.create_task(_worst_lag(side, coming))
    asking = asked("GET", _VIEW)
    read = await asyncio.to_thread(load, serving(side.fleet), size, asking, 200, rate=_READS, lead=_LEAD)
    await coming
    lag = await looking
    await side.fleet.settled()
    await _caught_up(side)
    return _Beside(lag, read)


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


async def _worst_lag(side: _Side, coming: asyncio.Task[None]) -> float:
    """How old the oldest event was at most that was not written, in seconds, while jobs came."""
    worst, redis, feed = 0.0, side.fleet.redis, side.fleet.layout.plain.feed
    while not coming.done():
        await asyncio.sleep(_LAG_EVERY)
        if side.database is not None:
            place = await asyncio.to_thread(Ledger(0).place, side.database)
            for key, _ in await redis.xrange(feed, f"({place.event_id}", count=1):
                worst = max(worst, time.time() - int(key.partition(b"-")[2]) / 1000)
    return worst


async def _written(side: _Side) -> None:
    """Until history has each event."""
    redis, index = side.fleet.redis, side.fleet.layout.plain.feed_index

    async def has_all() -> bool:
        await asyncio.sleep(_LAG_EVERY)
        place = await asyncio.to_thread(Ledger(0).place, side.database)
        newest = await redis.hget(index, "*")
        return newest is not None and newest.decode().startswith(f"{place.event_id} ")

    if side.database is not None:
        await eventually(has_all, what="history to be written", timeout=120)


async def _caught_up(side: _Side) -> None:
    """Until history has each pet's newest version and album: so what comes next is not beside what it does of this."""
    redis, keys = side.fleet.redis, side.fleet.layout.plain

    async def has_all() -> bool:
        await asyncio.sleep(_LAG_EVERY)
        pets = [pet.decode() for pet in await redis.hkeys(keys.feed_index) if pet != b"*"]
        pipe = redis.pipeline(transaction=False)
        for pet in pets:
            pipe.hget(keys.pet(pet).album, "token")
        tokens = {pet: token.decode() for pet, token in zip(pets, await pipe.execute(), strict=True)}
        return not await asyncio.to_thread(Ledger(0).differing, side.database, tokens)

    if side.database is not None:
        await eventually(has_all, what="history to catch up", timeout=120)
