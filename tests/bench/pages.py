"""What open pages cost: half of them show the pipeline, by server-sent events, the others a pet's clusters, which they
ask for every five seconds.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.figure import Figure, Size
from tests.bench.http import seeded
from tests.bench.load import Load, asked, load, serving
from tests.bench.process import USUAL, cpu_seconds
from tests.faults.fleet import Fleet

_VIEW = "/internal/pets/pet_1/clusters"
_EVERY_S = 5.0
"""As `watch.js` has it."""


def pages(size: Size) -> list[Figure]:
    return asyncio.run(_pages(size))


async def _pages(size: Size) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env=USUAL) as fleet:
            await fleet.ready()
            await seeded(fleet)
            alone: list[float] = []
            watched: list[float] = []
            without: list[Load] = []
            beside: list[Load] = []
            for _ in range(size.repeats):
                alone.append(await _cpu(fleet, size))
                without.append(await _read(fleet, size))
                async with _open(fleet, size.pages):
                    watched.append(await _cpu(fleet, size))
                    beside.append(await _read(fleet, size))
    name = f"{size.pages} pages open"
    return [
        Figure("no page open, CPU", "% of a core", alone),
        Figure(f"{name}, CPU", "% of a core", watched),
        Figure(f"GET a view, {name}, p99", "ms", [one.p99_ms for one in beside], [one.p99_ms for one in without]),
    ]


async def _cpu(fleet: Fleet, size: Size) -> float:
    pid = fleet.daemons[0].pid
    before = cpu_seconds(pid)
    await asyncio.sleep(size.idle_seconds)
    return 100 * (cpu_seconds(pid) - before) / size.idle_seconds


async def _read(fleet: Fleet, size: Size) -> Load:
    return await asyncio.to_thread(load, serving(fleet), size, asked("GET", _VIEW), 200)


@asynccontextmanager
async def _open(fleet: Fleet, count: int) -> AsyncIterator[None]:
    """So many pages, which have all been answered once."""
    closing, answered = asyncio.Event(), asyncio.Semaphore(0)
    shown = [_follow if n % 2 else _watch for n in range(count)]
    open_pages = [asyncio.create_task(show(fleet, answered, closing)) for show in shown]
    for _ in open_pages:
        await answered.acquire()
    yield
    closing.set()
    await asyncio.gather(*open_pages)


async def _follow(fleet: Fleet, answered: asyncio.Semaphore, closing: asyncio.Event) -> None:
    async with fleet.http.get(f"{fleet.daemons[0].url}/internal/fleet") as stream:
        assert stream.status == 200
        await stream.content.readline()
        answered.release()
        ended = asyncio.create_task(closing.wait())
        while not ended.done():
            line = asyncio.create_task(stream.content.readline())
            await asyncio.wait((line, ended), return_when=asyncio.FIRST_COMPLETED)
        line.cancel()


async def _watch(fleet: Fleet, answered: asyncio.Semaphore, closing: asyncio.Event) -> None:
    known: dict[str, str] = {}
    while not closing.is_set():
        async with fleet.http.get(fleet.daemons[0].url + _VIEW, headers=known) as answer:
            assert answer.status in (200, 304)
            await answer.read()
        if not known:
            answered.release()
        known = {"If-None-Match": answer.headers["ETag"]}
        try:
            await asyncio.wait_for(closing.wait(), _EVERY_S)
        except TimeoutError:
            continue
