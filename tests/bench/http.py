"""The read path and the submit path beside a bare handler that answers the same bytes."""

import asyncio
import tempfile
import time
from pathlib import Path

from tests.bench.figure import Figure, Size
from tests.bench.jobs import STREAM
from tests.bench.load import ACCEPTED, ENV, JOBS, Load, a_job, a_submit, asked, bare_handler, load, serving
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

_VIEW = "/internal/pets/pet_1/clusters"
_LINES = 500
"""Of a batch."""


def reads(size: Size) -> list[Figure]:
    return asyncio.run(_reads(size))


def submits(size: Size) -> list[Figure]:
    return asyncio.run(_submits(size, consumers=0)) + asyncio.run(_submits(size, consumers=2))


async def _reads(size: Size) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env=ENV) as fleet:
            await fleet.ready()
            body, etag = await seeded(fleet)
            known = asked("GET", _VIEW, f"If-None-Match: {etag}\r\n")
            return [
                *_compare("GET a view", size, serving(fleet), asked("GET", _VIEW), (200, body)),
                *_compare("GET, 304", size, serving(fleet), known, (304, b"")),
            ]


async def seeded(fleet: Fleet) -> tuple[bytes, str]:
    """A view of twenty images, with its ETag."""
    url = fleet.daemons[0].url
    images = [f"img_{number}" for number in range(20)]
    job = {"pet_id": "pet_1", "job_id": "first", "payload": {"image_ids": images, "labels": ["a", "b"]}}
    async with fleet.http.post(url + JOBS, json=job) as answer:
        assert answer.status == 202, await answer.text()
    found: list[tuple[bytes, str]] = []

    async def there() -> bool:
        async with fleet.http.get(url + _VIEW) as answer:
            if answer.status == 200:
                found.append((await answer.read(), answer.headers["ETag"]))
        return bool(found)

    await eventually(there, what="the view")
    return found[0]


async def _submits(size: Size, consumers: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env={**ENV, "CLUSTER_CONSUMERS": str(consumers)}) as fleet:
            if consumers:
                return await _consuming(size, fleet)
            alone = _compare("POST without consumers", size, serving(fleet), a_submit(), ACCEPTED)
            return [*alone, _batches(size, serving(fleet))]


async def _consuming(size: Size, fleet: Fleet) -> list[Figure]:
    """Our rate beside the bare handler's; and what of that was applied in the same time, for what is only put off is
    no gain.
    """
    await fleet.ready()
    name = "POST while consuming"
    status, body = ACCEPTED
    ours, bare, taken, applied = [], [], [], []
    with bare_handler(status, body) as other:
        for _ in range(size.repeats):
            before, began = await fleet.redis.xinfo_stream(STREAM), time.perf_counter()
            ours.append(load(serving(fleet), size, a_submit(), status))
            after, took = await fleet.redis.xinfo_stream(STREAM), time.perf_counter() - began
            added = after["entries-added"] - before["entries-added"]
            taken.append(added / took)
            applied.append((added - after["length"]) / took)
            await fleet.settled(300)
            bare.append(load(other, size, a_submit(), status))
    return [
        Figure(name, "requests/s", [one.rate for one in ours], [one.rate for one in bare]),
        Figure(f"{name}, p99", "ms", [one.p99_ms for one in ours], [one.p99_ms for one in bare]),
        Figure(f"{name}, applied meanwhile, beside what came", "jobs/s", applied, taken),
    ]


def _batches(size: Size, server: tuple[int, int]) -> Figure:
    """Jobs a second in batches, beside a bare handler that takes them one by one."""
    lines = "\n".join(a_job(f"-{number}") for number in range(_LINES))
    batch = asked("POST", JOBS + "/batch", "Content-Type: application/x-ndjson\r\n", lines)
    status, body = ACCEPTED
    ours, bare = [], []
    with bare_handler(status, body) as other:
        for _ in range(size.repeats):
            ours.append(_LINES * load(server, size, batch, 200).rate)
            bare.append(load(other, size, a_submit(), status).rate)
    return Figure(f"POST in batches of {_LINES}", "jobs/s", ours, bare)


def _compare(name: str, size: Size, server: tuple[int, int], request: bytes, answer: tuple[int, bytes]) -> list[Figure]:
    """Our rate, 99th percentile and CPU time a request beside the bare handler's, in turns."""
    ours: list[Load] = []
    bare: list[Load] = []
    status, body = answer
    with bare_handler(status, body) as other:
        for _ in range(size.repeats):
            ours.append(load(server, size, request, status))
            bare.append(load(other, size, request, status))
    return [
        Figure(name, "requests/s", [one.rate for one in ours], [one.rate for one in bare]),
        Figure(f"{name}, p99", "ms", [one.p99_ms for one in ours], [one.p99_ms for one in bare]),
        Figure(f"{name}, CPU a request", "us", [one.cpu_us for one in ours], [one.cpu_us for one in bare]),
    ]
