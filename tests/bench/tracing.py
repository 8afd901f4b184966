"""What tracing costs at full sampling, beside tracing off: jobs a second and their CPU, reads and their p99.

From one start of a daemon to the next both change by more than tracing may cost. So daemons that trace and daemons that
do not are alive at once, and worked in turns; and for reads there is one more that does not, whose row tells how far
apart two are that are alike.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from tests.bench.figure import Figure, Size
from tests.bench.http import seeded
from tests.bench.jobs import DIMENSION, payloads
from tests.bench.load import ENV, Load, asked, bare_handler, load, metrics, pooled, serving
from tests.bench.process import cpu_seconds
from tests.bench.throughput import drained
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

_VIEW = "/internal/pets/pet_1/clusters"
_SPANS = re.compile(r'tracing_spans_total\{outcome="(\w+)"\} (\S+)')
_ON, _OFF, _ALIKE = "traced", "off", "off as well"
_GATHERED = 2.0
"""Seconds that spans wait for others."""
_SENT_WITHIN = _GATHERED + 1.0
"""Seconds after the last job."""
_RATE = 2000
"""Requests a second that leave the daemon room: what a reader waits for is not how busy it is."""
_LEAST = 19
"""The niceness of what runs last."""
_SHARE = 2 / 3
"""A turn's, of the time that other loads take."""


def tracing(size: Size) -> list[Figure]:
    """A bare handler is the collector, which takes what it is sent. It has what others leave of the cores, for it would
    be on a machine of its own.
    """
    with bare_handler(200, b"") as (pid, port):
        psutil.Process(pid).nice(_LEAST)
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        return [
            *_jobs("jobs with a 512-d vector", size, DIMENSION, on),
            *_jobs("jobs without vectors", size, 0, on),
            *_reads(size, on),
        ]


@asynccontextmanager
async def _alive(sides: Mapping[str, Mapping[str, str]]) -> AsyncIterator[dict[str, Fleet]]:
    """A daemon for each of these environments, each over a Redis of its own."""
    async with AsyncExitStack() as stack:
        fleets = {}
        for side, env in sides.items():
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            fleet = Fleet(path, daemons=1, env={**ENV, **env})
            fleets[side] = await stack.enter_async_context(fleet)
            await fleet.ready()
        yield fleets


def _jobs(name: str, size: Size, dimension: int, on: Mapping[str, str]) -> list[Figure]:
    starts = [asyncio.run(_drained_by_turns(size, dimension, on)) for _ in range(size.repeats)]
    ours, off = ([turn for start in starts for turn in start[side]] for side in (_ON, _OFF))
    return [
        Figure(f"{name}, traced", "jobs/s", [rate for rate, _, _ in ours], [rate for rate, _, _ in off]),
        Figure(f"CPU of a job, {name}, traced", "us", [cpu for _, cpu, _ in ours], [cpu for _, cpu, _ in off]),
        Figure(f"spans not sent of a job, {name}", "spans", [not_sent for _, _, not_sent in ours]),
    ]


async def _drained_by_turns(
    size: Size, dimension: int, on: Mapping[str, str]
) -> dict[str, list[tuple[float, float, float]]]:
    """Of each side two turns, between which its albums have grown as the other's."""
    jobs = [*payloads(2 * size.jobs, dimension)]
    turns = {_ON: [jobs[: size.jobs], jobs[size.jobs :]]}
    turns[_OFF] = [*turns[_ON]]
    async with _alive({_ON: on, _OFF: {}}) as fleets:
        done: dict[str, list[tuple[float, float, float]]] = {_ON: [], _OFF: []}
        for side in (_ON, _OFF, _OFF, _ON):
            done[side].append(await _drained(fleets[side], turns[side].pop(0), traced=side is _ON))
        return done


async def _drained(fleet: Fleet, jobs: Sequence[bytes], *, traced: bool) -> tuple[float, float, float]:
    """Jobs a second; of each, microseconds of the daemon's CPU with what is sent after it, and spans that were not.

    The daemon is left alone until all is sent, and as long without tracing: what it does meanwhile is in both.
    """
    pid = fleet.daemons[0].pid
    before = await _told(fleet)
    spent = cpu_seconds(pid)
    done = await drained(fleet, fleet.redis, jobs, [])
    await asyncio.sleep(_SENT_WITHIN)
    spent = cpu_seconds(pid) - spent
    spans = await _told(fleet, sum(before.values()) + 4 * len(jobs)) if traced else before
    not_sent = sum(spans[outcome] - before.get(outcome, 0.0) for outcome in spans.keys() & {"lost", "dropped"})
    return done.rate, 1e6 * spent / len(jobs), not_sent / len(jobs)


async def _told(fleet: Fleet, least: float = 0.0) -> dict[str, float]:
    """Spans by what became of them, when so many have an outcome."""
    spans: dict[str, float] = {}

    async def all_told() -> bool:
        spans.update((outcome, float(count)) for outcome, count in _SPANS.findall(await metrics(fleet)))
        return sum(spans.values()) >= least

    await eventually(all_told, what=f"{least} spans to be sent or not", timeout=60)
    return spans


def _reads(size: Size, on: Mapping[str, str]) -> list[Figure]:
    starts = [asyncio.run(_read_by_turns(size, on, number)) for number in range(size.repeats + size.repeats // 3)]
    alike = "of two that do not trace"
    paced = f"GET a view at {_RATE:,} requests a second"

    def figure(name: str, unit: str, told: str, rate: int, side: str) -> Figure:
        ours, off = ([getattr(start[each, rate], told) for start in starts] for each in (side, _OFF))
        return Figure(name, unit, ours, off)

    return [
        figure("GET a view, traced", "requests/s", "rate", 0, _ON),
        figure("CPU of a GET, traced", "us", "cpu_us", 0, _ON),
        figure(f"CPU of a GET, {alike}", "us", "cpu_us", 0, _ALIKE),
        figure("GET a view, traced, p99", "ms", "p99_ms", 0, _ON),
        figure(f"GET a view, {alike}, p99", "ms", "p99_ms", 0, _ALIKE),
        figure(f"{paced}, traced, p99", "ms", "p99_ms", _RATE, _ON),
        figure(f"{paced}, {alike}, p99", "ms", "p99_ms", _RATE, _ALIKE),
    ]


async def _read_by_turns(size: Size, on: Mapping[str, str], number: int) -> dict[tuple[str, int], Load]:
    """By side and rate, 0 for as many as are answered: both turns of each together. Who is first changes from one
    `number` to the next.

    What the turn before made is sent, and sending what this one makes has begun, before anything counts.
    """
    size = replace(size, seconds=size.seconds * _SHARE)
    first = number % 3
    turns: dict[tuple[str, int], list[Load]] = {}
    async with _alive({_ON: on, _OFF: {}, _ALIKE: {}}) as fleets:
        sides = [*fleets]
        sides = sides[first:] + sides[:first]
        for fleet in fleets.values():
            await seeded(fleet)
        for rate in (0, _RATE):
            for side in (*sides, *reversed(sides)):
                read = load(serving(fleets[side]), size, asked("GET", _VIEW), 200, rate=rate, lead=_GATHERED)
                turns.setdefault((side, rate), []).append(read)
    return {key: pooled(loads) for key, loads in turns.items()}
