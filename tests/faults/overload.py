"""More jobs, more connections and more albums than there is room for."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.checker import verdict
from tests.faults.fleet import Daemon, Fleet
from tests.faults.harm import PETS, Outcome, Size, harmed, stopped
from tests.faults.load import STREAM, Ledger, Load, When
from tests.support.waiting import eventually

_MAXLEN = 200
_REFUSALS = 50
_CACHE = 16 * 2**20
_SPARE = 48 * 2**20
"""Bytes of memory beside the cache: what the allocator and the batch under way take."""
_IDLE = 1000
_DIMENSIONS = 256
_PAGE = 500


async def full_backlog(directory: Path, seed: int, size: Size) -> Outcome:
    """Consumers stand still until the stream is full: submits are refused, and each job accepted is applied once."""
    longest = 0
    env = {"CLUSTER_STREAM_MAXLEN": str(_MAXLEN)}
    async with Fleet(directory, daemons=0) as fleet:
        consumer = fleet.add_daemon({**env, "HTTP_ENABLED": "false"})
        door = fleet.add_daemon({**env, "CLUSTER_CONSUMERS": "0"})
        await consumer.start()
        await door.start()
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, over_http=1.0, lanes=8, doors=[door])

        async def stand_still(fleet: Fleet, _: int) -> None:
            nonlocal longest
            enough = load.ledger.refused + _REFUSALS
            async with stopped(consumer.pid):
                await eventually(lambda: load.ledger.refused >= enough, what="refused submits", timeout=60)
                longest = max(longest, await fleet.redis.xlen(STREAM))

        await harmed(load, fleet, seed, size, stand_still)
        counts = await verdict(fleet, load.ledger)
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.figures |= {"submits refused": load.ledger.refused, "jobs waiting (room for 200)": longest}
    outcome.expect(longest == _MAXLEN, f"{longest} jobs in a stream for {_MAXLEN}")
    return outcome


async def many_albums(directory: Path, _seed: int, size: Size) -> Outcome:
    """As many albums as jobs, of which 16 MiB fit in memory, and as many idle connections as there may be."""
    env = {"CLUSTERD_ALBUMS_CACHE_BYTES": str(_CACHE), "CLUSTERD_HTTP_MAX_CONNECTIONS": str(_IDLE + 1)}
    env["CLUSTERD_HTTP_KEEPALIVE_S"] = "600"
    async with Fleet(directory, daemons=1, env=env) as fleet:
        await fleet.ready()
        (daemon,) = fleet.daemons
        before = memory(daemon)
        async with _idle_connections(daemon, _IDLE):
            ledger = await _submit_albums(fleet, size.jobs)
            await fleet.settled(timeout=300)
            statuses = [await _view(fleet, daemon, number) for number in range(0, size.jobs, size.jobs // 100)]
            over = await _one_too_many(daemon)
        cached = (await metrics(fleet, daemon))["media_cluster_album_cache_bytes"]
        grown = memory(daemon) - before
        counts = await verdict(fleet, ledger)
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.figures |= {"memory grown by, MiB": grown / 2**20, "albums in memory, MiB": cached / 2**20}
    outcome.expect(cached <= _CACHE, f"{cached} bytes of albums in memory")
    outcome.expect(grown < 2 * _CACHE + _SPARE, f"memory grew by {grown / 2**20:.0f} MiB")
    outcome.expect(set(statuses) == {200}, f"a caller beside idle connections got {set(statuses)}")
    outcome.expect(over.startswith(b"HTTP/1.1 200 "), f"one connection too many got {over!r}")
    return outcome


def memory(daemon: Daemon) -> int:
    """Resident bytes."""
    resident: int = psutil.Process(daemon.pid).memory_info().rss
    return resident


async def metrics(fleet: Fleet, daemon: Daemon) -> dict[str, float]:
    """Every series of the daemon by its name and labels."""
    async with fleet.http.get(daemon.ops_url + "/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    return {sample.name + str(sample.labels or ""): sample.value for family in families for sample in family.samples}


@asynccontextmanager
async def _idle_connections(daemon: Daemon, count: int) -> AsyncIterator[None]:
    """Open connections that asked once, and ask nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * count)), hard))
    writers = []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", daemon.ports["http"])
            writers.append(writer)
            await _ask(reader, writer)
        yield
    finally:
        for writer in writers:
            writer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _submit_albums(fleet: Fleet, count: int) -> Ledger:
    """A job for each of so many pets."""
    vectors, ledger = np.random.default_rng(1), Ledger()
    for first in range(0, count, _PAGE):
        async with fleet.redis.pipeline(transaction=False) as pipeline:
            for number in range(first, min(first + _PAGE, count)):
                image = {"image_id": f"img-{number}", "embedding": vectors.normal(size=_DIMENSIONS).tolist()}
                job = {"pet_id": f"pet-{number}", "payload": {"images": [image]}}
                pipeline.xadd(STREAM, {"payload": msgspec.json.encode(job)})
                ledger.accepted[f"pet-{number}"] = {f"img-{number}": When(0.0, 0.0)}
            await pipeline.execute()
    return ledger


async def _view(fleet: Fleet, daemon: Daemon, number: int) -> int:
    async with fleet.http.get(f"{daemon.url}/internal/pets/pet-{number}/clusters") as answer:
        return answer.status


async def _one_too_many(daemon: Daemon) -> bytes:
    """What another connection is told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.ports["http"])
    try:
        return await _ask(reader, writer)
    finally:
        writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The head of an answer."""
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
