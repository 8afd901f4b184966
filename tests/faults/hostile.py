"""What one pet's producer can do with jobs that are all valid: ways to keep the others waiting."""

import base64
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from tests.faults.fleet import Fleet
from tests.faults.harm import GROUP
from tests.faults.load import STREAM, Ledger, When

PET = "hostile"
_IMAGES_A_JOB = 256
_ALBUM_DIMENSIONS = 256
_LATE = {"op": "rename", "cluster": f"{PET}-cluster-7", "label": "x"}


@dataclass
class Hostile:
    """Writes its jobs straight into the stream, as many as it likes, and keeps book of their images."""

    fleet: Fleet
    seed: int
    ledger: Ledger
    numbers: Iterator[int] = field(default_factory=itertools.count)
    last: bytes = b""
    """The id of its last entry."""

    async def add(self, images: int, dimensions: Sequence[int], *, jobs: int = 1, force: bool = False) -> None:
        """So many jobs of so many images, each with a vector of each of these lengths."""
        vectors = np.random.default_rng((self.seed, next(self.numbers)))
        for _ in range(jobs):
            insights = [self._insight(vectors, dimensions) for _ in range(images)]
            job = {"pet_id": PET, "force": force, "payload": {"images": insights}}
            await self.write(msgspec.json.encode(job))

    async def write(self, *payloads: bytes) -> None:
        async with self.fleet.redis.pipeline(transaction=False) as pipeline:
            for payload in payloads:
                pipeline.xadd(STREAM, {"payload": payload})
            self.last = (await pipeline.execute())[-1]

    async def done(self) -> bool:
        """Whether all that it wrote was read, and taken to an outcome."""
        (group,) = await self.fleet.redis.xinfo_groups(STREAM)
        if _place(group["last-delivered-id"]) < _place(self.last):
            return False
        return not await self.fleet.redis.xpending_range(STREAM, GROUP, "-", self.last, 1)

    def _insight(self, vectors: np.random.Generator, dimensions: Sequence[int]) -> dict[str, object]:
        image = f"hostile-{next(self.numbers)}"
        self.ledger.accepted.setdefault(PET, {})[image] = When(0.0, 0.0)
        kinds = zip(("embedding", "pose", "context"), dimensions, strict=False)
        packed = {kind: _packed(vectors.normal(size=length)) for kind, length in kinds}
        return {"image_id": image, **packed}


Way = Callable[[Hostile, int], Awaitable[None]]
"""Does it, so many times."""


async def large_jobs(hostile: Hostile, jobs: int) -> None:
    """A backfill: jobs as large as usual vectors make them."""
    await hostile.add(_IMAGES_A_JOB, [1280], jobs=jobs)


async def largest_jobs(hostile: Hostile, jobs: int) -> None:
    """Jobs that no limit lets be larger."""
    await hostile.add(_IMAGES_A_JOB, [4096, 4096, 2048], jobs=jobs)


async def fill_album(hostile: Hostile, images: int) -> None:
    """Beforehand, for `force` to go through."""
    await hostile.add(_IMAGES_A_JOB, [_ALBUM_DIMENSIONS], jobs=images // _IMAGES_A_JOB)
    await hostile.fleet.settled(timeout=300)


async def forced_jobs(hostile: Hostile, jobs: int) -> None:
    """Each clusters all of the album again."""
    await hostile.add(1, [_ALBUM_DIMENSIONS], jobs=jobs, force=True)


async def small_jobs(hostile: Hostile, jobs: int) -> None:
    """A flood, in the stream before the others' jobs."""
    await hostile.add(1, [_ALBUM_DIMENSIONS], jobs=jobs)


async def late_corrections(hostile: Hostile, jobs: int) -> None:
    """A flood of what has no effect: each becomes a dead letter."""
    job = msgspec.json.encode({"pet_id": PET, "payload": {"corrections": [_LATE]}})
    await hostile.write(*[job] * jobs)


def _place(entry: bytes) -> tuple[int, ...]:
    return tuple(map(int, entry.split(b"-")))


def _packed(vector: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, str]:
    return {"dtype": "f16", "data": base64.b64encode(vector.astype("<f2").tobytes()).decode()}
