"""What an image takes in Redis, beside the bytes of its vector alone."""

import asyncio
import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sploot_clusterd.store import Keys
from tests.bench.figure import Figure, Size
from tests.bench.jobs import STREAM, entry
from tests.engine import synthetic
from tests.faults.fleet import Fleet

_DIMENSION = 1280
_IMAGES = 100
_LABELS = 16
_A_JOB = 5
_KEYS = Keys("sploot.media.clusters", STREAM, "")


def memory(size: Size) -> list[Figure]:
    return asyncio.run(_memory(size))


async def _memory(size: Size) -> list[Figure]:
    """All that Redis keeps of an album of 100 images but its view, an image; a value for each album."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1) as fleet:
            for pet in range(size.pets):
                for payload in _payloads(pet):
                    await fleet.redis.xadd(STREAM, {"payload": payload})
            await fleet.settled()
            taken = [await _bytes(fleet, pet) / _IMAGES for pet in range(size.pets)]
    name = f"Redis memory an image, albums of {_IMAGES}, {_DIMENSION:,}-d"
    return [Figure(name, "bytes", taken, [2.0 * _DIMENSION] * len(taken))]


def _payloads(pet: int) -> Iterator[bytes]:
    album = synthetic.Fleet(_DIMENSION).album(pet, labels=_LABELS)
    assert len(album) >= _IMAGES
    for first in range(0, _IMAGES, _A_JOB):
        images = [
            {
                "image_id": f"img_{pet:04d}_{number:06d}",
                "embedding": {"dtype": "f16", "data": _packed(album.embedding[number])},
                "quality": float(album.quality[number]),
            }
            for number in range(first, first + _A_JOB)
        ]
        yield entry(f"pet_{pet}", f"job_{pet}_{first}", {"images": images, "model_version": "m@1"})


def _packed(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype(np.float16).tobytes()).decode()


async def _bytes(fleet: Fleet, pet: int) -> int:
    keys = _KEYS.pet(f"pet_{pet}")
    assert await fleet.redis.hlen(keys.images) == _IMAGES
    return sum([await fleet.redis.memory_usage(key, samples=0) for key in (keys.album, keys.images)])
