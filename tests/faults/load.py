"""Submits jobs to a fleet, and keeps book of what was accepted."""

import asyncio
import itertools
import random
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import aiohttp
import msgspec
import numpy as np
from redis.exceptions import RedisError

from tests.faults.fleet import Daemon, Fleet
from tests.support.waiting import eventually

STREAM = "streams:media.cluster"
_DIMENSIONS = 16
_FORCED = 400
"""One job in so many has its album clustered anew: every row is read while another process may commit."""
_PATIENCE = aiohttp.ClientTimeout(total=12)


class When(NamedTuple):
    """Monotonic seconds."""

    sent: float
    answered: float


@dataclass
class Ledger:
    """What was accepted, by pet and image; each job brings one image. In `unsure` are those whose answer got lost: they
    may or may not be there, but not twice.
    """

    accepted: dict[str, dict[str, When]] = field(default_factory=dict)
    unsure: dict[str, set[str]] = field(default_factory=dict)
    refused: int = 0
    """Answered 503."""
    slowest_refusal: float = 0.0
    numbered: bool = False
    """Whether each image came by the job that has its number, and by no other."""

    def total(self) -> int:
        return sum(map(len, self.accepted.values()))

    def under_way(self, images: Collection[str], spans: Collection[tuple[float, float]]) -> int:
        """How many of these accepted images' jobs were sent or answered within one of these spans of time."""
        times = {image: when for accepted in self.accepted.values() for image, when in accepted.items()}
        return sum(any(a < times[image].answered and times[image].sent < b for a, b in spans) for image in images)

    def doubt(self, *, sent_before: float) -> set[str]:
        """What was sent before that moment may have been deleted by the harm, and need not be there: these images."""
        doubted = set()
        for pet, images in self.accepted.items():
            gone = {image for image, when in images.items() if when.sent <= sent_before}
            self.unsure.setdefault(pet, set()).update(gone)
            doubted |= gone
            for image in gone:
                del images[image]
        return doubted


class Load:
    """Submits one-image jobs for `pets` pets, `rate` a second, until `jobs` were accepted; longer while it is `held`.

    `over_http` is the share of them that is posted; the others are a producer's own stream entries. `marks` gives the
    share of jobs whose id begins with that mark. `lanes` submits are under way at a time, to `doors` (all daemons).
    """

    def __init__(
        self,
        fleet: Fleet,
        seed: int,
        *,
        pets: int,
        jobs: int,
        rate: float,
        over_http: float = 0.5,
        marks: Mapping[str, float] | None = None,
        lanes: int = 1,
        prefix: str = "",
        doors: Sequence[Daemon] | None = None,
    ) -> None:
        self.ledger = Ledger(numbered=True)
        self.held = False
        self._accepted = 0
        self._fleet = fleet
        self._doors = fleet.daemons if doors is None else doors
        self._random = random.Random(f"{seed}{prefix}")
        self._vectors = np.random.default_rng(seed)
        self._pets = pets
        self._jobs = jobs
        self._rate = rate
        self._over_http = over_http
        self._marks = marks or {}
        self._lanes = lanes
        self._prefix = prefix
        self._numbers = itertools.count()

    def start(self) -> None:
        """Begins to submit."""
        self._began = time.monotonic()
        self._running = asyncio.gather(*(self._run() for _ in range(self._lanes)))

    async def reaches(self, share: float) -> None:
        """Waits until that share of the jobs was accepted."""
        await eventually(
            lambda: self._running.done() or self._accepted >= share * self._jobs,
            what=f"{share:.0%} of the jobs to be accepted",
            timeout=300,
        )

    async def ended(self) -> Ledger:
        """What was accepted, once all of it was."""
        self.held = False
        await self._running
        return self.ledger

    async def cancel(self) -> None:
        """Submits no more, when the experiment has failed."""
        self._jobs, self.held = 0, False  # for a cancellation may be swallowed by the client of Redis
        self._running.cancel()
        await asyncio.wait({self._running})

    async def _run(self) -> None:
        while self._accepted < self._jobs or self.held:
            number = next(self._numbers)
            ahead = self._began + number / self._rate - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)  # the rate, not a wait for anything
            await self._submit(number)

    async def _submit(self, number: int) -> None:
        pet, image, job = self._job(number)
        sent = time.monotonic()
        try:
            await (self._post(job) if self._random.random() < self._over_http else self._add(job))
        except (aiohttp.ClientError, OSError, TimeoutError, RedisError):
            self.ledger.unsure.setdefault(pet, set()).add(image)
        else:
            self._accepted += 1
            self.ledger.accepted.setdefault(pet, {})[image] = When(sent, time.monotonic())

    def _job(self, number: int) -> tuple[str, str, object]:
        """Pet, image and body of the job of that number."""
        pet = f"{self._prefix}pet-{self._random.randrange(self._pets)}"
        image = f"{self._prefix}img-{number}"
        insight = {"image_id": image, "embedding": self._vectors.normal(size=_DIMENSIONS).tolist()}
        job = {
            "pet_id": pet,
            "job_id": f"{self._mark()}{self._prefix}job-{number}",
            "force": number % _FORCED == 0 and self._pets > 1,  # one album of thousands would be at nothing else
            "payload": {"images": [insight]},
        }
        return pet, image, job

    def _mark(self) -> str:
        point = self._random.random()
        for mark, share in self._marks.items():
            point -= share
            if point < 0:
                return f"{mark}-"
        return ""

    async def _post(self, job: object) -> None:
        daemon = self._random.choice(self._doors)
        began = time.monotonic()
        async with self._fleet.http.post(f"{daemon.url}/internal/cluster-jobs", json=job, timeout=_PATIENCE) as answer:
            if answer.status == 503:
                assert "Retry-After" in answer.headers
                self.ledger.refused += 1
                self.ledger.slowest_refusal = max(self.ledger.slowest_refusal, time.monotonic() - began)
                raise TimeoutError  # it says of itself that the job may have been accepted
            assert answer.status == 202, (answer.status, await answer.text())

    async def _add(self, job: object) -> None:
        await self._fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(job)})


class Removals(Load):
    """Removes the images that another load has placed, one a job and in any order; again while it is `held`."""

    def __init__(self, fleet: Fleet, seed: int, placed: Mapping[str, Iterable[str]], *, rate: float) -> None:
        self._placed = [(pet, image) for pet, images in placed.items() for image in images]
        super().__init__(fleet, seed, pets=len(placed), jobs=len(self._placed), rate=rate)
        self._random.shuffle(self._placed)

    def _job(self, number: int) -> tuple[str, str, object]:
        pet, image = self._placed[number % len(self._placed)]
        return pet, image, {"pet_id": pet, "job_id": f"removal-{number}", "payload": {"removed_image_ids": [image]}}
