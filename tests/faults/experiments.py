"""The experiments: each runs real daemons under load, does harm, and returns what the checker counted."""

import asyncio
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.conftest import eventually
from tests.faults.checker import Load, Verdict, verdict
from tests.faults.fleet import RETRY_IDLE_MS, Daemon, Fleet

_PETS = 40


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    jobs: int
    rate: float
    harms: int


async def kill_storm(directory: Path, seed: int, size: Size, code: Path | None = None) -> Verdict:
    """Kill -9 of a daemon, now the one, now the other, spread over the load; it starts again at once."""
    async with Fleet(directory, **({"code": code} if code else {})) as fleet:
        load = Load(fleet, seed, pets=_PETS, jobs=size.jobs, rate=size.rate)
        load.start()
        for n in range(size.harms):
            share = (n + random.Random(seed + n).random()) / size.harms
            await load.reaches(share)
            victim = fleet.daemons[n % 2]
            victim.kill()
            await victim.start()
        ledger = await load.ended()
        await fleet.settled()
        return await verdict(fleet, ledger)


async def stopped_daemon(directory: Path, seed: int, size: Size) -> Verdict:
    """SIGSTOP of a daemon for twice the reclaim time while the other works on: it wakes up with work not its own."""
    async with Fleet(directory) as fleet:
        load = Load(fleet, seed, pets=_PETS, jobs=size.jobs, rate=size.rate)
        load.start()
        for n in range(size.harms):
            await load.reaches(n / size.harms)
            victim = fleet.daemons[n % 2]
            await eventually(lambda v=victim: _has_work(fleet, v), what="work in hand of the daemon to stop")
            victim.signal(signal.SIGSTOP)
            await asyncio.sleep(2 * RETRY_IDLE_MS / 1000)  # the harm itself
            victim.signal(signal.SIGCONT)
        ledger = await load.ended()
        await fleet.settled()
        return await verdict(fleet, ledger)


@dataclass
class Recovery:
    """What a restart of Redis showed. Times in seconds."""

    verdict: Verdict
    red: bool
    green_after: float
    survived: bool


async def redis_killed(directory: Path, seed: int, size: Size) -> Recovery:
    """Kill -9 of Redis under load, and its restart on the same file."""
    async with Fleet(directory, daemons=1) as fleet:
        (daemon,) = fleet.daemons
        load = Load(fleet, seed, pets=_PETS, jobs=size.jobs, rate=size.rate)
        load.start()
        slowest, was_red = 0.0, True
        for n in range(size.harms):
            await load.reaches(n / size.harms)
            fleet.kill_redis()
            was_red &= await _becomes(fleet, daemon, 503)
            fleet.server.start()  # returns when it answers
            began = time.monotonic()
            assert await _becomes(fleet, daemon, 200)
            slowest = max(slowest, time.monotonic() - began)
        ledger = await load.ended()
        await fleet.settled()
        return Recovery(await verdict(fleet, ledger), was_red, slowest, daemon.alive())


async def _becomes(fleet: Fleet, daemon: Daemon, status: int) -> bool:
    async def is_so() -> bool:
        return (await fleet.readiness(daemon))[0] == status

    await eventually(is_so, what=f"readiness {status}", timeout=20)
    return True


async def _has_work(fleet: Fleet, daemon: Daemon) -> bool:
    """True when one of its consumers holds entries: then a stop catches it between read and commit."""
    for consumer in await fleet.redis.xinfo_consumers("streams:media.cluster", "media-clustering-workers"):
        if f"-{daemon.instance}-" in consumer["name"].decode() and consumer["pending"]:
            return True
    return False


async def callers(fleet: Fleet, concurrent: int, requests: int) -> dict[int, int]:
    """`requests` GETs and POSTs by that many callers at once; how often each status came."""
    statuses: dict[int, int] = {}
    left = iter(range(requests))
    url = fleet.daemons[0].url

    async def caller(session: aiohttp.ClientSession) -> None:
        for n in left:
            body = {"pet_id": f"pet-{n % 50}", "payload": {"image_ids": [f"img-{n}"]}}
            request = (
                session.post(f"{url}/internal/cluster-jobs", json=body)
                if n % 2
                else session.get(f"{url}/internal/pets/pet-{n % 50}/clusters")
            )
            async with request as answer:
                await answer.read()
                statuses[answer.status] = statuses.get(answer.status, 0) + 1

    connector = aiohttp.TCPConnector(limit=concurrent)
    async with aiohttp.ClientSession(headers=fleet.http.headers, connector=connector) as session:
        await asyncio.gather(*(caller(session) for _ in range(concurrent)))
    return statuses
