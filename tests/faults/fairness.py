"""Many pets with small jobs, and one that keeps the daemon busy as well as it can: how long the others wait."""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from tests.faults import hostile
from tests.faults.checker import letters_by_reason, verdict
from tests.faults.fleet import Daemon, Fleet
from tests.faults.harm import Outcome, Size
from tests.faults.hostile import Hostile, Way
from tests.faults.load import Ledger, When
from tests.faults.overload import metrics
from tests.support.waiting import eventually

_NEIGHBOURS = 199
_DIMENSIONS = 16
_FAIR = 1.0
"""Seconds from 202 to the view within which 99 of 100 of the others' jobs have to be seen."""
_IMAGES_A_NEIGHBOUR = 75
_LOOK_EVERY = 0.02
_LOOK_AFTER_SHARE = 0.1
"""Of the time it was waited for: those who look are not to be what keeps the daemon busy."""
_ENV = {"CLUSTER_RETRY_IDLE_MS": "60000"}
"""The default: the largest jobs take longer than the other experiments' limit for a run that hangs."""
_LOST_AFTER = 120.0


@dataclass
class Neighbours:
    """One-image jobs of many pets over HTTP, so many a second; each is looked for in its pet's view."""

    daemon: Daemon
    http: aiohttp.ClientSession
    seed: int
    rate: float
    ledger: Ledger
    waits: list[float] = field(default_factory=list)
    """Seconds from 202 to the first answer with the image in it."""
    reads: list[float] = field(default_factory=list)
    """Seconds that each read took."""

    async def run(self, jobs: int, busy: asyncio.Task[None]) -> None:
        """As many jobs, and as long as the hostile pet is at it."""
        chance, vectors = random.Random(self.seed), np.random.default_rng(self.seed)
        began, running = time.monotonic(), set[asyncio.Task[None]]()
        for number in itertools.count():
            if number >= jobs and busy.done():
                break
            await asyncio.sleep(max(0.0, began + number / self.rate - time.monotonic()))  # the rate
            vector = vectors.normal(size=_DIMENSIONS).tolist()
            job = self._submit(f"pet-{chance.randrange(_NEIGHBOURS)}", f"img-{number}", vector)
            running.add(asyncio.create_task(job))
        await asyncio.gather(*running)

    async def _submit(self, pet: str, image: str, vector: Sequence[float]) -> None:
        body = {"pet_id": pet, "payload": {"images": [{"image_id": image, "embedding": vector}]}}
        sent = time.monotonic()
        async with self.http.post(f"{self.daemon.url}/internal/cluster-jobs", json=body) as answer:
            assert answer.status == 202, (answer.status, await answer.text())
        accepted = time.monotonic()
        self.ledger.accepted.setdefault(pet, {})[image] = When(sent, accepted)
        name = f'"{image}"'.encode()
        while name not in await self._view(pet):
            assert time.monotonic() - accepted < _LOST_AFTER, f"{image} is in no view"
            await asyncio.sleep(max(_LOOK_EVERY, _LOOK_AFTER_SHARE * (time.monotonic() - accepted)))
        self.waits.append(time.monotonic() - accepted)

    async def _view(self, pet: str) -> bytes:
        began = time.monotonic()
        async with self.http.get(f"{self.daemon.url}/internal/pets/{pet}/clusters") as answer:
            body = await answer.read()
        self.reads.append(time.monotonic() - began)
        return body


async def _fairness(directory: Path, seed: int, size: Size, way: Way, *, album: int = 0, letters: str = "") -> Outcome:
    """`way` is done `size.harms` times at once, beside neighbours. `album` images are there before; each job of the
    hostile pet becomes a dead letter of the reason `letters`, if it is one.
    """
    ledger = Ledger()
    async with Fleet(directory, daemons=1, env=_ENV) as fleet:
        await fleet.ready()
        enemy = Hostile(fleet, seed, ledger)
        if album:
            await hostile.fill_album(enemy, album)
        neighbours = Neighbours(fleet.daemons[0], fleet.http, seed, size.rate, ledger)
        began = time.monotonic()
        await way(enemy, size.harms)
        busy = asyncio.create_task(eventually(enemy.done, what="the hostile pet's jobs to be done", timeout=300))
        await neighbours.run(size.jobs, busy)
        await busy
        late = await _late_wakings(fleet)
        counts = await verdict(fleet, ledger)
        reasons = await letters_by_reason(fleet)
    outcome = Outcome(counts, size.harms, counts.breaches(dead_letters=size.harms if letters else 0))
    _judge(outcome, neighbours, reasons, letters)
    outcome.figures["all done after, s"] = time.monotonic() - began
    outcome.figures["loop late by 0.1 s, times"] = late
    return outcome


async def _late_wakings(fleet: Fleet) -> int:
    """How often the loop woke a sleeper a tenth of a second late, or more."""
    lag = {name: value for name, value in (await metrics(fleet, fleet.daemons[0])).items() if "loop_lag" in name}
    return int(lag["media_cluster_loop_lag_seconds_count"] - lag["media_cluster_loop_lag_seconds_bucket{'le': '0.1'}"])


def _judge(outcome: Outcome, neighbours: Neighbours, reasons: dict[str, int], letters: str) -> None:
    waits = np.quantile(neighbours.waits, (0.5, 0.99, 1.0)).tolist()
    p50, p99, slowest = waits
    outcome.figures |= {"p50, s": p50, "p99, s": p99, "slowest, s": slowest}
    outcome.figures["GET p99, s"] = float(np.quantile(neighbours.reads, 0.99))
    outcome.expect_soon("others' p99 from 202 to view", p99, _FAIR)
    outcome.expect(set(reasons) <= {letters}, f"reasons: {reasons}")


async def backfill(directory: Path, seed: int, size: Size) -> Outcome:
    return await _fairness(directory, seed, size, hostile.large_jobs)


async def at_the_limits(directory: Path, seed: int, size: Size) -> Outcome:
    return await _fairness(directory, seed, size, hostile.largest_jobs)


async def forced(directory: Path, seed: int, size: Size) -> Outcome:
    """On an album of 75 images for each job that the neighbours send at least."""
    return await _fairness(directory, seed, size, hostile.forced_jobs, album=_IMAGES_A_NEIGHBOUR * size.jobs)


async def flood(directory: Path, seed: int, size: Size) -> Outcome:
    return await _fairness(directory, seed, size, hostile.small_jobs)


async def late(directory: Path, seed: int, size: Size) -> Outcome:
    return await _fairness(directory, seed, size, hostile.late_corrections, letters="stale_correction")
