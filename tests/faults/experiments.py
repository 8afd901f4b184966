"""The experiments: each runs real daemons under load, does harm, and returns what the checker counted."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.conftest import eventually
from tests.faults.checker import Load, Verdict, verdict
from tests.faults.fleet import RETRY_IDLE_MS, Daemon, Fleet
from tests.faults.proxy import LossyProxy

_PETS = 40
_LAST_HARM = 0.8
"""Share of the load before which every harm begins, so that there is work left for it to hit."""
_STREAM, _GROUP = "streams:media.cluster", "media-clustering-workers"


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    jobs: int
    rate: float
    harms: int


Harm = Callable[[Fleet, int], Awaitable[None]]


async def _harmed(fleet: Fleet, seed: int, size: Size, harm: Harm, *, pets: int = _PETS) -> Verdict:
    """Does `harm` (it is told which time this is) at random moments spread over the load, and counts the effects."""
    load = Load(fleet, seed, pets=pets, jobs=size.jobs, rate=size.rate)
    load.start()
    for n in range(size.harms):
        await load.reaches(_LAST_HARM * (n + random.Random(seed + n).random()) / size.harms)
        await harm(fleet, n)
    ledger = await load.ended()
    await fleet.settled()
    return await verdict(fleet, ledger)


async def _kill(fleet: Fleet, n: int) -> None:
    """Now the one, now the other; it starts again at once."""
    victim = fleet.daemons[n % 2]
    victim.kill()
    await victim.start()


async def kill_storm(directory: Path, seed: int, size: Size, code: Path | None = None) -> Verdict:
    """Kill -9 of a daemon, again and again."""
    async with Fleet(directory, **({"code": code} if code else {})) as fleet:
        return await _harmed(fleet, seed, size, _kill)


async def hot_pet(directory: Path, seed: int, size: Size) -> Verdict:
    """Two daemons and one pet: every commit is contended, and each is killed now and then."""
    async with Fleet(directory) as fleet:
        return await _harmed(fleet, seed, size, _kill, pets=1)


async def restarts(directory: Path, seed: int, size: Size) -> Verdict:
    """SIGTERM of a daemon at a random time, as a deploy does it. It has to end with 0."""

    async def restart(fleet: Fleet, n: int) -> None:
        victim = fleet.daemons[n % 2]
        code = await asyncio.to_thread(victim.stop)
        assert code == 0, f"ended with {code}"
        await victim.start()

    async with Fleet(directory) as fleet:
        return await _harmed(fleet, seed, size, restart)


async def stopped_daemon(directory: Path, seed: int, size: Size) -> Verdict:
    """SIGSTOP of a daemon for twice the reclaim time while the other works on: it wakes up with work not its own."""

    async def stop(fleet: Fleet, n: int) -> None:
        victim = fleet.daemons[n % 2]
        await eventually(lambda: _has_work(fleet, victim), what="work in hand of the daemon to stop")
        async with _stopped(victim.pid):
            await asyncio.sleep(2 * RETRY_IDLE_MS / 1000)  # the harm itself

    async with Fleet(directory) as fleet:
        return await _harmed(fleet, seed, size, stop)


async def stopped_redis(directory: Path, seed: int, size: Size) -> Verdict:
    """SIGSTOP of Redis for one second, then six: longer than a command may take."""

    async def stop(fleet: Fleet, n: int) -> None:
        assert fleet.server.pid is not None
        async with _stopped(fleet.server.pid):
            await asyncio.sleep((1.0, 6.0)[n % 2])  # the harm itself

    async with Fleet(directory) as fleet:
        return await _harmed(fleet, seed, size, stop)


async def lost_replies(directory: Path, seed: int, size: Size) -> Verdict:
    """One reply in `harms` never arrives: what was asked has happened, and the daemon cannot know it."""
    async with Fleet(directory, daemons=0) as fleet:
        proxy = LossyProxy(directory / "proxy.sock", fleet.server.socket, size.harms, seed)
        async with proxy:
            for _ in range(2):
                await fleet.add_daemon({"REDIS_URL": f"unix://{proxy.path}"}).start()
            result = await _harmed(fleet, seed, Size(size.jobs, size.rate, harms=0), _no_harm)
        assert proxy.lost > 0, "no reply was lost"
        return result


async def full_memory(directory: Path, seed: int, size: Size) -> Verdict:
    """Redis reaches maxmemory for a second and is then given more: it refuses writes and answers reads meanwhile."""

    async def fill(fleet: Fleet, _: int) -> None:
        await fleet.redis.config_set("maxmemory", 1)
        await asyncio.sleep(1.0)  # the harm itself
        await fleet.redis.config_set("maxmemory", 0)

    async with Fleet(directory) as fleet:
        return await _harmed(fleet, seed, size, fill)


@dataclass
class Recovery:
    """What a restart of Redis showed. Times in seconds."""

    verdict: Verdict
    red: bool
    green_after: float
    survived: bool


async def redis_killed(directory: Path, seed: int, size: Size) -> Recovery:
    """Kill -9 of Redis under load, and its restart on the same file."""
    slowest, was_red = 0.0, True

    async def kill(fleet: Fleet, _: int) -> None:
        nonlocal slowest, was_red
        fleet.kill_redis()
        was_red &= await _becomes(fleet, fleet.daemons[0], 503)
        fleet.server.start()  # returns when it answers
        began = time.monotonic()
        assert await _becomes(fleet, fleet.daemons[0], 200)
        slowest = max(slowest, time.monotonic() - began)

    async with Fleet(directory, daemons=1) as fleet:
        result = await _harmed(fleet, seed, size, kill)
        return Recovery(result, was_red, slowest, fleet.daemons[0].alive())


async def _no_harm(_fleet: Fleet, _n: int) -> None:
    """For experiments whose harm goes on all the time."""


@asynccontextmanager
async def _stopped(pid: int) -> AsyncIterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def _becomes(fleet: Fleet, daemon: Daemon, status: int) -> bool:
    async def is_so() -> bool:
        return (await fleet.readiness(daemon))[0] == status

    await eventually(is_so, what=f"readiness {status}", timeout=20)
    return True


async def _has_work(fleet: Fleet, daemon: Daemon) -> bool:
    """True when one of its consumers holds entries: then a stop catches it between read and commit."""
    for consumer in await fleet.redis.xinfo_consumers(_STREAM, _GROUP):
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
