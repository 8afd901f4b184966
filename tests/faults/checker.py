"""Knows every job that was accepted, and counts the effect that each had: once, twice, never, or a dead letter."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import msgspec
import numpy as np
from redis.exceptions import RedisError

from sploot_clusterd.engine import decode_album
from sploot_clusterd.engine.rows import decode_row
from tests.conftest import eventually
from tests.faults.fleet import Fleet

_NAMESPACE = "sploot.media.clusters"
_DIMENSIONS = 16


@dataclass
class Ledger:
    """What was accepted, by pet. Half of it comes over HTTP, half as a producer's own stream entry."""

    accepted: dict[str, list[str]] = field(default_factory=dict)
    unsure: dict[str, list[str]] = field(default_factory=dict)
    """Submitted, and the answer got lost: may or may not be there, but not twice."""

    def total(self) -> int:
        return sum(map(len, self.accepted.values()))


@dataclass
class Verdict:
    """Counts of effects over all pets."""

    once: int = 0
    never: int = 0
    twice: int = 0
    uninvited: int = 0
    dead_letters: int = 0
    details: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.never or self.twice or self.uninvited or self.dead_letters)


class Load:
    """Submits one-image jobs for `pets` pets, at `rate` a second, until `jobs` were accepted."""

    def __init__(self, fleet: Fleet, seed: int, *, pets: int, jobs: int, rate: float) -> None:
        self.ledger = Ledger()
        self._fleet = fleet
        self._random = random.Random(seed)
        self._vectors = np.random.default_rng(seed)
        self._pets = pets
        self._jobs = jobs
        self._rate = rate

    def start(self) -> None:
        """Begins to submit."""
        self._running = asyncio.ensure_future(self._run())

    async def reaches(self, share: float) -> None:
        """Waits until that share of the jobs was accepted."""
        await eventually(
            lambda: self._running.done() or self.ledger.total() >= share * self._jobs,
            what=f"{share:.0%} of the jobs to be accepted",
            timeout=300,
        )

    async def ended(self) -> Ledger:
        """What was accepted, once all of it was."""
        return await self._running

    async def _run(self) -> Ledger:
        began, sent = asyncio.get_running_loop().time(), 0
        while self.ledger.total() < self._jobs:
            await self._submit(sent)
            sent += 1
            ahead = began + sent / self._rate - asyncio.get_running_loop().time()
            if ahead > 0:
                await asyncio.sleep(ahead)  # the rate, not a wait for anything
        return self.ledger

    async def _submit(self, number: int) -> None:
        pet, image = f"pet-{self._random.randrange(self._pets)}", f"img-{number}"
        job = {
            "pet_id": pet,
            "job_id": f"job-{number}",
            "payload": {"images": [{"image_id": image, "embedding": self._vectors.normal(size=_DIMENSIONS).tolist()}]},
        }
        try:
            accepted = await (self._post(job) if number % 2 else self._add(job))
        except (aiohttp.ClientError, OSError, TimeoutError):
            self.ledger.unsure.setdefault(pet, []).append(image)
            return
        if accepted:
            self.ledger.accepted.setdefault(pet, []).append(image)

    async def _post(self, job: object) -> bool:
        daemon = self._random.choice(self._fleet.daemons)
        timeout = aiohttp.ClientTimeout(total=5)
        async with self._fleet.http.post(f"{daemon.url}/internal/cluster-jobs", json=job, timeout=timeout) as answer:
            if answer.status == 503:
                raise TimeoutError  # it says of itself that the job may have been accepted
            assert answer.status == 202, (answer.status, await answer.text())
            return True

    async def _add(self, job: object) -> bool:
        try:
            await self._fleet.redis.xadd("streams:media.cluster", {"payload": msgspec.json.encode(job)})
        except RedisError as error:
            raise TimeoutError from error
        return True


async def verdict(fleet: Fleet, ledger: Ledger) -> Verdict:
    """The effect of each job: a row for its image, and a place in the additive statistics, both exactly once.

    Besides, no entry may have been committed by two runs; the daemons' logs tell that.
    """
    result = Verdict(dead_letters=await fleet.redis.xlen("streams:media.cluster.deadletter"))
    result.twice += sum(times > 1 for times in _commits(fleet).values())
    for pet in sorted({*ledger.accepted, *ledger.unsure}):
        fields = await fleet.redis.hgetall(f"{_NAMESPACE}:album:{pet}")
        fields.pop(b"token", None)
        rows = await fleet.redis.hgetall(f"{_NAMESPACE}:images:{pet}")
        present = {image.decode() for image, row in rows.items() if decode_row(row).exists}
        accepted, unsure = set(ledger.accepted.get(pet, ())), set(ledger.unsure.get(pet, ()))
        album = decode_album(pet, fields) if fields else None
        counted = Counter() if album is None else Counter({n: cell.count for n, cell in album.cells.items()})
        extra = counted.total() - len(present)
        result.once += len(accepted & present) - max(0, -extra)
        result.never += len(accepted - present) + max(0, -extra)
        result.twice += max(0, extra)
        result.uninvited += len(present - accepted - unsure)
        if extra or accepted - present:
            result.details.append(f"{pet}: {len(accepted)} accepted, {len(present)} rows, {counted.total()} counted")
    return result


def _commits(fleet: Fleet) -> Counter[object]:
    """How many runs of each entry ended in a commit."""
    lines = (line for daemon in fleet.daemons for line in daemon.log())
    return Counter(line["entry_id"] for line in lines if line["message"] == "job done")
