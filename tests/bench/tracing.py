"""What tracing costs at full sampling, beside tracing off: jobs a second and their CPU, reads and their p99.

Two daemons that are alike differ by more than tracing may cost, and so does one from one minute to the next. So one
daemon traces and does not, by turns; for reads there are two kinds of turns without tracing, both of which are what
tracing is compared to, and a row of the one beside the other tells how far apart two are that are alike. A start's
figure is the median of its turns', which a moment of other work on the machine does not change; who is first changes.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import harmonic_mean, mean, median
from typing import Final, NamedTuple

from tests.bench import toggled
from tests.bench.figure import Figure, Size
from tests.bench.http import seeded
from tests.bench.jobs import DIMENSION, payloads
from tests.bench.load import ENV, Load, asked, load, metrics, serving
from tests.bench.process import cpu_seconds
from tests.bench.throughput import worked_off
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

_ROOT = Path(__file__).parents[2]
_VIEW = "/internal/pets/pet_1/clusters"
_SPANS = re.compile(r'tracing_spans_total\{outcome="(\w+)"\} (\S+)')
_ON, _OFF, _ALIKE = "traced", "off", "off as well"
_SENT_WITHIN = 1.5
"""Seconds after the last job."""
_LEAD = 0.3
"""Seconds of a turn of which only the CPU counts: by then what the turn before it made is sent, but for its last."""
_RATE = 2000
"""Requests a second that leave the daemon room: what a reader waits for is not how busy it is."""
_SHARE: Final = 0.4
"""A turn's, of the time that other loads take."""
_ROUNDS: Final = 8
"""Turns of each kind in a start, for each repeat."""
_TURNS_OF_JOBS: Final = 5
"""Such turns do what others do at once."""


class _Drained(NamedTuple):
    """Jobs a second; of each, microseconds of CPU with what is sent after it, and spans that were not."""

    rate: float
    cpu_us: float
    not_sent: float


def tracing(size: Size) -> list[Figure]:
    """The collector has what others leave of the cores: it would be on a machine of its own."""
    with _collector() as endpoint:
        return [
            *_jobs("jobs with a 512-d vector", size, DIMENSION, endpoint),
            *_jobs("jobs without vectors", size, 0, endpoint),
            *_reads(size, endpoint),
        ]


@contextmanager
def _collector() -> Iterator[str]:
    """Its URL."""
    command = [sys.executable, "-m", "tests.bench.sink"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, text=True) as process:
        try:
            os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@asynccontextmanager
async def _alive(endpoint: str) -> AsyncIterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=0, env=ENV) as fleet:
            daemon = fleet.add_daemon({**ENV, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, toggled.__name__)
            await daemon.start()
            await fleet.ready()
            yield fleet


def _turn_to(side: str, fleet: Fleet) -> None:
    fleet.daemons[0].signal(toggled.ON if side is _ON else toggled.OFF)


def _jobs(name: str, size: Size, dimension: int, endpoint: str) -> list[Figure]:
    starts = [asyncio.run(_drained_by_turns(size, dimension, endpoint)) for _ in range(size.repeats)]
    ours, off = ([start[side] for start in starts] for side in (_ON, _OFF))
    return [
        Figure(f"{name}, traced", "jobs/s", [turn.rate for turn in ours], [turn.rate for turn in off]),
        Figure(f"CPU of a job, {name}, traced", "us", [turn.cpu_us for turn in ours], [turn.cpu_us for turn in off]),
        Figure(f"spans not sent of a job, {name}", "spans", [turn.not_sent for turn in ours]),
    ]


async def _drained_by_turns(size: Size, dimension: int, endpoint: str) -> dict[str, _Drained]:
    """All turns of each side together. Albums grow all the while, so who is first changes; what comes first of all is
    in neither.
    """
    order = (_ON, _OFF, _OFF, _ON) * (1 + size.repeats)
    share = size.jobs // _TURNS_OF_JOBS
    jobs = iter(payloads((1 + len(order)) * share, dimension))
    turns: dict[str, list[_Drained]] = {_ON: [], _OFF: []}
    async with _alive(endpoint) as fleet:
        await _drained(fleet, [next(jobs) for _ in range(share)], traced=True)
        for side in order:
            _turn_to(side, fleet)
            turns[side].append(await _drained(fleet, [next(jobs) for _ in range(share)], traced=side is _ON))
    return {side: _pooled(done) for side, done in turns.items()}


def _pooled(turns: Sequence[_Drained]) -> _Drained:
    """Of as many jobs each."""
    rates, cpu, not_sent = zip(*turns, strict=True)
    return _Drained(harmonic_mean(rates), mean(cpu), mean(not_sent))


async def _drained(fleet: Fleet, jobs: Sequence[bytes], *, traced: bool) -> _Drained:
    """The daemon is left alone until all is sent, and as long without tracing: what it does meanwhile is in both."""
    pid = fleet.daemons[0].pid
    before = await _told(fleet)
    spent = cpu_seconds(pid)
    done = await worked_off(fleet, jobs)
    await asyncio.sleep(_SENT_WITHIN)
    spent = cpu_seconds(pid) - spent
    spans = await _told(fleet, sum(before.values()) + 4 * len(jobs)) if traced else before
    not_sent = sum(spans[outcome] - before.get(outcome, 0.0) for outcome in spans.keys() & {"lost", "dropped"})
    return _Drained(done.rate, 1e6 * spent / len(jobs), not_sent / len(jobs))


async def _told(fleet: Fleet, least: float = 0.0) -> dict[str, float]:
    """Spans by what became of them, when so many have an outcome."""
    spans: dict[str, float] = {}

    async def all_told() -> bool:
        spans.update((outcome, float(count)) for outcome, count in _SPANS.findall(await metrics(fleet)))
        return sum(spans.values()) >= least

    await eventually(all_told, what=f"{least} spans to be sent or not", timeout=60)
    return spans


def _reads(size: Size, endpoint: str) -> list[Figure]:
    starts = [asyncio.run(_read_by_turns(size, endpoint)) for _ in range(size.repeats + size.repeats // 3)]
    alike = "of two that do not trace"
    paced = f"GET a view at {_RATE:,} requests a second"

    def figure(name: str, unit: str, told: str, rate: int, *sides: Sequence[str]) -> Figure:
        """Those of the first together beside those of the second."""
        ours, bare = ([_median(start, each, rate, told) for start in starts] for each in sides)
        return Figure(name, unit, ours, bare)

    traced, twins = ([_ON], [_OFF, _ALIKE]), ([_ALIKE], [_OFF])
    return [
        figure("GET a view, traced", "requests/s", "rate", 0, *traced),
        figure(f"GET a view, {alike}", "requests/s", "rate", 0, *twins),
        figure("CPU of a GET, traced", "us", "cpu_us", 0, *traced),
        figure(f"CPU of a GET, {alike}", "us", "cpu_us", 0, *twins),
        figure("GET a view, traced, p99", "ms", "p99_ms", 0, *traced),
        figure(f"GET a view, {alike}, p99", "ms", "p99_ms", 0, *twins),
        figure(f"{paced}, traced, p99", "ms", "p99_ms", _RATE, *traced),
        figure(f"{paced}, {alike}, p99", "ms", "p99_ms", _RATE, *twins),
    ]


_Turns = dict[tuple[str, int], list[Load]]
"""By side and rate, 0 for as many as are answered."""


def _median(start: _Turns, sides: Sequence[str], rate: int, told: str) -> float:
    return median(getattr(turn, told) for side in sides for turn in start[side, rate])


async def _read_by_turns(size: Size, endpoint: str) -> _Turns:
    size = replace(size, seconds=size.seconds * _SHARE)
    turns: _Turns = {}
    async with _alive(endpoint) as fleet:
        await seeded(fleet)
        for rate in (0, _RATE):
            for side in _in_turn(_ROUNDS * size.repeats):
                _turn_to(side, fleet)
                read = load(serving(fleet), size, asked("GET", _VIEW), 200, rate=rate, lead=_LEAD)
                turns.setdefault((side, rate), []).append(read)
    return turns


def _in_turn(rounds: int) -> Iterator[str]:
    """Each side once a round: who is first changes, and so does the direction."""
    sides = (_ON, _OFF, _ALIKE)
    for number in range(rounds):
        first = number % len(sides)
        order = (*sides[first:], *sides[:first])
        yield from reversed(order) if number // len(sides) % 2 else order
