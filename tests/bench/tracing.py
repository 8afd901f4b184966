"""What tracing costs at full sampling, beside tracing off: jobs a second and their CPU, reads and their p99."""

import asyncio
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.bench.figure import Figure, Size
from tests.bench.jobs import DIMENSION, payloads
from tests.bench.load import ENV, JOBS, Load, asked, bare_handler, load, metrics, serving
from tests.bench.process import cpu_seconds
from tests.bench.throughput import drained
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

_VIEW = "/internal/pets/pet_1/clusters"
_SPANS = re.compile(r'tracing_spans_total\{outcome="(\w+)"\} (\S+)')
_OFF: Mapping[str, str] = {}
_SENT_WITHIN = 3.0
"""Seconds after the last job, of which spans wait two for others."""
_RATE = 2000
"""Requests a second that leave the daemon room: what a reader waits for is not how busy it is."""
_TIMES_AS_MANY = 3
"""Pairs as of other things: from one to the next both figures change by more than tracing may cost."""


def tracing(size: Size) -> list[Figure]:
    """In pairs, the one after the other; a bare handler is the collector, which takes what it is sent."""
    size = replace(size, repeats=_TIMES_AS_MANY * size.repeats)
    with bare_handler(200, b"") as (_, port):
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        return [
            *_jobs("jobs with a 512-d vector", size, DIMENSION, on),
            *_jobs("jobs without vectors", size, 0, on),
            *_reads(size, on),
        ]


def _jobs(name: str, size: Size, dimension: int, on: Mapping[str, str]) -> list[Figure]:
    pairs = [
        (asyncio.run(_drained(size, dimension, on)), asyncio.run(_drained(size, dimension, _OFF)))
        for _ in range(size.repeats)
    ]
    return [
        Figure(f"{name}, traced", "jobs/s", [ours[0] for ours, _ in pairs], [off[0] for _, off in pairs]),
        Figure(f"CPU of a job, {name}, traced", "us", [ours[1] for ours, _ in pairs], [off[1] for _, off in pairs]),
        Figure(f"spans not sent of a job, {name}", "spans", [ours[2] for ours, _ in pairs]),
    ]


async def _drained(size: Size, dimension: int, env: Mapping[str, str]) -> tuple[float, float, float]:
    """Jobs a second; of each, microseconds of the daemon's CPU with what is sent after it, and spans that were not.

    The daemon is left alone until all is sent, and as long without tracing: what it does meanwhile is in both.
    """
    jobs = [*payloads(size.jobs, dimension)]
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env={**ENV, **env}) as fleet:
            await fleet.ready()
            spent = cpu_seconds(fleet.daemons[0].pid)
            done = await drained(fleet, fleet.redis, jobs, [])
            await asyncio.sleep(_SENT_WITHIN)
            spent = cpu_seconds(fleet.daemons[0].pid) - spent
            spans = await _told(fleet, 4 * size.jobs) if env else {}
            not_sent = spans.get("lost", 0.0) + spans.get("dropped", 0.0)
            return done.rate, 1e6 * spent / size.jobs, not_sent / size.jobs


async def _told(fleet: Fleet, least: int) -> dict[str, float]:
    """Spans by what became of them, when so many have an outcome."""
    spans: dict[str, float] = {}

    async def all_told() -> bool:
        spans.update((outcome, float(count)) for outcome, count in _SPANS.findall(await metrics(fleet)))
        return sum(spans.values()) >= least

    await eventually(all_told, what=f"{least} spans to be sent or not", timeout=60)
    return spans


def _reads(size: Size, on: Mapping[str, str]) -> list[Figure]:
    pairs = [(asyncio.run(_read(size, on)), asyncio.run(_read(size, _OFF))) for _ in range(size.repeats)]
    paced = [(asyncio.run(_read(size, on, _RATE)), asyncio.run(_read(size, _OFF, _RATE))) for _ in range(size.repeats)]
    return [
        Figure("GET a view, traced", "requests/s", [ours.rate for ours, _ in pairs], [off.rate for _, off in pairs]),
        Figure("GET a view, traced, p99", "ms", [ours.p99_ms for ours, _ in pairs], [off.p99_ms for _, off in pairs]),
        Figure("CPU of a GET, traced", "us", [ours.cpu_us for ours, _ in pairs], [off.cpu_us for _, off in pairs]),
        Figure(
            f"GET a view at {_RATE:,} requests a second, traced, p99",
            "ms",
            [ours.p99_ms for ours, _ in paced],
            [off.p99_ms for _, off in paced],
        ),
    ]


async def _read(size: Size, env: Mapping[str, str], rate: int = 0) -> Load:
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env={**ENV, **env}) as fleet:
            await fleet.ready()
            images = [f"img_{number}" for number in range(20)]
            job = {"pet_id": "pet_1", "payload": {"image_ids": images, "labels": ["a", "b"]}}
            async with fleet.http.post(fleet.daemons[0].url + JOBS, json=job) as answer:
                assert answer.status == 202, await answer.text()
            await fleet.settled()
            return load(serving(fleet), size, asked("GET", _VIEW), 200, rate=rate)
