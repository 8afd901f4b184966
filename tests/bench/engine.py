"""One image into albums of growing size beside a numpy product of the same shape."""

import time

import numpy as np

from sploot_clusterd.engine import Album, Params, apply, new_album, render
from sploot_clusterd.model import EntryId, Insight, Job
from tests.bench.figure import Figure, Size

_DIMENSION = 512
_GROUPS = 20
_MEASURED = 40
_CHUNK = 50


def albums(size: Size) -> list[Figure]:
    return [_album(images, size) for images in size.albums]


def _album(initial: int, size: Size) -> Figure:
    """Microseconds of apply, render and encoding a job, rebuilds included; and of the cells' product with a vector."""
    random = np.random.default_rng(initial)
    centres = random.normal(size=(_GROUPS, _DIMENSION))
    album = new_album("pet")
    for first in range(0, initial, _CHUNK):
        album = _applied(album, _job(random, centres, first, min(_CHUNK, initial - first)))
    ours, bare, images = [], [], initial
    for _ in range(size.repeats):
        jobs = [_job(random, centres, images + number, 1) for number in range(_MEASURED)]
        began = time.perf_counter()
        for job in jobs:
            album = _applied(album, job)
        ours.append((time.perf_counter() - began) / _MEASURED * 1e6)
        bare.append(_product(album))
        images += _MEASURED
    return Figure(f"one image into {initial:,} images", "us", ours, bare)


def _job(random: np.random.Generator, centres: np.ndarray, first: int, count: int) -> Job:
    vectors = centres[random.integers(len(centres), size=count)] + random.normal(size=(count, _DIMENSION))
    images = tuple(
        Insight(f"img-{first + number}", {"embedding": vector.astype(np.float32)}, 0.7, None, None)
        for number, vector in enumerate(vectors)
    )
    return Job("pet", job_id=f"job-{first}", sequence=EntryId(1000 + first, 0), model_version="m", images=images)


def _applied(album: Album, job: Job) -> Album:
    params = Params()
    applied = apply(album, [job], {}, params, 1000)
    assert applied.changed
    render(applied.album, params)
    return applied.album


def _product(album: Album) -> float:
    """Microseconds of the least that finding the nearest cell takes."""
    (space,) = album.spaces.values()
    vector = np.ones(_DIMENSION, dtype=np.float32)
    began = time.perf_counter()
    for _ in range(_MEASURED):
        (space.sums @ vector).argmax()
    return (time.perf_counter() - began) / _MEASURED * 1e6
