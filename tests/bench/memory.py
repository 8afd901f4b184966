"""What an image takes in Redis, beside the bytes of its vector alone."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sploot_clusterd.engine import Fresh, encode_profile, learn
from sploot_clusterd.keys import Keys
from tests.bench.figure import Figure, Size
from tests.bench.jobs import STREAM, entry, packed
from tests.engine import synthetic
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

_DIMENSION = 1280
_IMAGES = 100
_LABELS = 16
_A_JOB = 5
_MODEL = "m@1"
_KEYS = Keys("sploot.media.clusters", STREAM, "")


def memory(size: Size) -> list[Figure]:
    return [asyncio.run(_memory(size, profiled=profiled)) for profiled in (False, True)]


async def _memory(size: Size, *, profiled: bool) -> Figure:
    """All that Redis keeps of an album of 100 images but its view, an image; a value for each album."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1) as fleet:
            if profiled:
                file = Path(path) / "profile"
                await asyncio.to_thread(file.write_bytes, _learned())
                await _import(fleet, file)
            for pet in range(size.pets):
                for payload in _payloads(pet):
                    await fleet.redis.xadd(STREAM, {"payload": payload})
            await fleet.settled()
            taken = [await _bytes(fleet, pet) / _IMAGES for pet in range(size.pets)]
    name = f"Redis memory an image, albums of {_IMAGES}, {_DIMENSION:,}-d" + (", profiled" if profiled else "")
    return Figure(name, "bytes", taken, [2.0 * _DIMENSION] * len(taken))


def _learned() -> bytes:
    """A profile of other pets, by the same encoder."""
    vectors = np.concatenate([synthetic.Fleet(_DIMENSION).album(1000 + pet).embedding for pet in range(20)])
    fresh = [Fresh(f"img_{n}", _MODEL, None, {"embedding": vector}) for n, vector in enumerate(vectors)]
    profile = learn(_MODEL, [each.sampled() for each in fresh])
    assert profile is not None
    return encode_profile(profile)


async def _import(fleet: Fleet, file: Path) -> None:
    """Settles the profile in the file for all albums to come."""
    environment = {**os.environ, "REDIS_URL": fleet.redis_url}
    command = (sys.executable, "-m", "sploot_clusterd", "profile", "import", str(file))
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0

    async def taken_over() -> bool:
        async with fleet.http.get(fleet.daemons[0].ops_url + "/metrics") as answer:
            return "media_cluster_profile_generation 1.0" in await answer.text()

    await eventually(taken_over, what="the daemon to use the profile")


def _payloads(pet: int) -> Iterator[bytes]:
    album = synthetic.Fleet(_DIMENSION).album(pet, labels=_LABELS)
    assert len(album) >= _IMAGES
    for first in range(0, _IMAGES, _A_JOB):
        images = [
            {
                "image_id": f"img_{pet:04d}_{number:06d}",
                "embedding": packed(album.embedding[number]),
                "quality": float(album.quality[number]),
            }
            for number in range(first, first + _A_JOB)
        ]
        yield entry(f"pet_{pet}", f"job_{pet}_{first}", {"images": images, "model_version": _MODEL})


async def _bytes(fleet: Fleet, pet: int) -> int:
    keys = _KEYS.pet(f"pet_{pet}")
    assert await fleet.redis.hlen(keys.images) == _IMAGES
    return sum([await fleet.redis.memory_usage(key, samples=0) for key in (keys.album, keys.images)])
