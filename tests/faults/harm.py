"""What all experiments share: harm done at random moments of a load, and what came of it."""

import asyncio
import itertools
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import aiohttp

from tests.faults.checker import Verdict, verdict
from tests.faults.fleet import Daemon, Fleet
from tests.faults.load import Load
from tests.support.waiting import eventually

PETS = 40
GROUP = "media-clustering-workers"
SOON = 2.0
"""Seconds after Redis' return within which all works again."""
_LAST_HARM = 0.8
"""Share of the load before which every harm begins, so that there is work left for it to hit."""
_PATIENCE = aiohttp.ClientTimeout(total=12)
_PROBES = itertools.count()


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    jobs: int
    rate: float
    harms: int
    every: float = 0.0
    """Seconds between two harms, where they do not depend on the load."""


class Lasted(NamedTuple):
    """What took so many seconds, and has to take less than `within`."""

    what: str
    seconds: float
    within: float


@dataclass
class Outcome:
    """What a run showed. `figures` are worst cases, named with their unit; a breach, or what is too slow, fails it."""

    verdict: Verdict
    harms: int
    breaches: list[str]
    figures: dict[str, float] = field(default_factory=dict)
    lasted: list[Lasted] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """One more rule."""
        if not holds:
            self.breaches.append(what)

    def expect_soon(self, what: str, seconds: float, within: float) -> None:
        """One more rule of time, which a machine that has other things to do cannot keep."""
        self.lasted.append(Lasted(what, seconds, within))

    def recovers(self, slowest: float, within: float = SOON) -> None:
        """The rule of outages: `slowest` seconds after its end all works again."""
        self.figures["works again after, s"] = slowest
        self.expect_soon("until all works again", slowest, within)

    def too_slow(self, room: float = 1.0) -> list[str]:
        """What took longer than `room` times as long as it may."""
        return [f"{what}: {seconds:.2f} s" for what, seconds, within in self.lasted if seconds >= room * within]


Harm = Callable[[Fleet, int], Awaitable[None]]
Experiment = Callable[[Path, int, Size], Awaitable[Outcome]]


async def harmed(
    load: Load,
    fleet: Fleet,
    seed: int,
    size: Size,
    harm: Harm,
    *,
    done: Callable[[], Awaitable[bool]] | None = None,
    patience: float = 60.0,
) -> None:
    """Does `harm` (it is told which time this is) at random moments spread over the load, until all is settled, or
    `done`: that may take `patience` seconds after the load.
    """
    load.held = True  # no harm is done to idle daemons
    load.start()
    try:
        for n in range(size.harms):
            await load.reaches(_LAST_HARM * (n + random.Random(seed + n).random()) / size.harms)
            await harm(fleet, n)
    except BaseException:
        await load.cancel()
        raise
    await load.ended()
    await (eventually(done, what="the load to be done", timeout=patience) if done else fleet.settled(patience))


async def applied_once(fleet: Fleet, seed: int, size: Size, harm: Harm, *, pets: int = PETS) -> Outcome:
    """The usual run: under harm, each accepted job has its effect once, and none becomes a dead letter."""
    load = Load(fleet, seed, pets=pets, jobs=size.jobs, rate=size.rate)
    await harmed(load, fleet, seed, size, harm)
    counts = await verdict(fleet, load.ledger)
    return Outcome(counts, size.harms, counts.breaches())


async def kill(fleet: Fleet, n: int) -> None:
    """Kill -9, now of the one, now of the other; it starts again at once."""
    victim = fleet.daemons[n % 2]
    victim.kill()
    await victim.start()


@asynccontextmanager
async def stopped(pid: int) -> AsyncIterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def becomes(fleet: Fleet, daemon: Daemon, status: int) -> None:
    """Waits until /readyz answers so."""

    async def is_so() -> bool:
        return (await fleet.readiness(daemon))[0] == status

    await eventually(is_so, what=f"readiness {status}", timeout=20)


async def recovered(fleet: Fleet, timeout: float = 30.0) -> float:
    """Waits until each daemon is ready, accepts a job and the job is applied; seconds that it took."""
    began = time.monotonic()
    await asyncio.gather(*(_works(fleet, daemon, timeout) for daemon in fleet.daemons))
    return time.monotonic() - began


async def _works(fleet: Fleet, daemon: Daemon, timeout: float) -> None:
    pet = f"probe-{next(_PROBES)}"
    job = {"pet_id": pet, "payload": {"image_ids": ["probe"]}}
    views = f"{daemon.url}/internal/pets/{pet}/clusters"

    async def answers(method: str, url: str, status: int, **more: object) -> bool:
        try:
            async with fleet.http.request(method, url, timeout=_PATIENCE, **more) as answer:
                return answer.status == status
        except (aiohttp.ClientError, TimeoutError):
            return False

    submit = f"{daemon.url}/internal/cluster-jobs"
    await eventually(lambda: answers("POST", submit, 202, json=job), what="a submit", timeout=timeout)
    await eventually(lambda: answers("GET", views, 200), what="the submitted job's effect", timeout=timeout)
    await eventually(lambda: answers("GET", f"{daemon.ops_url}/readyz", 200), what="readiness", timeout=timeout)


async def work_in_hand(fleet: Fleet, daemon: Daemon) -> bool:
    """True when one of its consumers holds entries: then a harm catches it between read and commit."""
    for keys in fleet.layout.partitions:
        for consumer in await fleet.redis.xinfo_consumers(keys.stream, GROUP):
            if f"-{daemon.instance}-" in consumer["name"].decode() and consumer["pending"]:
                return True
    return False


async def wait_for_harm(seconds: float) -> None:
    """The harm itself lasts so long."""
    await asyncio.sleep(seconds)
