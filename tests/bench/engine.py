"""One image into albums of growing size: beside a numpy product of the same shape, and beside the smallest album.

The engine waits for nothing, so what is taken is its thread's CPU time: other work on the machine hardly shows in it.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sploot_clusterd.engine import Album, Applied, Params, apply, decode_album, new_album, render
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import Insight, Job
from tests.bench.figure import Figure, Size

_DIMENSION = 512
_GROUPS = 20
_MEASURED = 40
_CHUNK = 50
_PARAMS = Params()


class Pass(NamedTuple):
    """One measurement of an album."""

    job_us: float
    """Apply, render and encoding of a job; rebuilds are spread over the jobs that they come after."""
    cold_us: float
    """The same of an album that is not in memory: its fields are decoded first."""
    rebuild_ms: float
    """The longest job that brought a rebuild."""
    product_us: float
    """The least that finding the nearest cell takes: the product of all cells' sums with a vector."""


class Grown(NamedTuple):
    """An album that has just been rebuilt, and what is stored of it."""

    album: Album
    stored: dict[bytes | str, bytes]
    """Fields of the album by their names, rows by their images."""
    photos: "_Photos"

    @property
    def fields(self) -> dict[bytes, bytes]:
        """What a job loads where the album is not in memory, apart from the rows of its own images."""
        return {name: value for name, value in self.stored.items() if isinstance(name, bytes)}


def albums(size: Size) -> list[Figure]:
    grown = [_grown(images) for images in size.albums]
    passes = list(zip(*([_pass(each) for each in grown] for _ in range(size.repeats)), strict=True))
    smallest = [taken.job_us for taken in passes[0]]
    figures = []
    for images, each, taken in zip(size.albums, grown, passes, strict=True):
        name = f"one image into {images:,} images"
        costs = [one.job_us for one in taken]
        figures.append(
            Figure(name, "us", costs, [one.product_us for one in taken], over="images in the album", at=images)
        )
        if images != size.albums[0]:
            figures.append(Figure(f"{name}, beside {size.albums[0]:,}", "us", costs, smallest))
            cold = [one.cold_us for one in taken]
            figures.append(Figure(f"{name}, not in memory, beside {size.albums[0]:,}", "us", cold, smallest))
            read, stored = _bytes(each.fields), _bytes(each.stored)
            figures.append(Figure(f"{name}, not in memory: read, of all that is stored", "bytes", [read], [stored]))
        figures.append(Figure(f"longest rebuild from {images:,} images on", "ms", [one.rebuild_ms for one in taken]))
    return figures


def _bytes(stored: Mapping[bytes, bytes] | Mapping[bytes | str, bytes]) -> float:
    return float(sum(len(name) + len(value) for name, value in stored.items()))


def _grown(images: int) -> Grown:
    """An album of so many images, and those few more until it has just been rebuilt."""
    photos = _Photos(images)
    album, stored = new_album("pet"), dict[bytes | str, bytes]()
    for first in range(0, images, _CHUNK):
        album = _kept(_applied(album, photos.job(min(_CHUNK, images - first))), stored)
    while True:
        applied = _applied(album, photos.job(1))
        album = _kept(applied, stored)
        if applied.changes.rebuilt:
            return Grown(album, stored, photos)


def _kept(applied: Applied, stored: dict[bytes | str, bytes]) -> Album:
    stored |= applied.writes | applied.rows
    for name in (*applied.deletes, *applied.dropped_rows):
        del stored[name]
    return applied.album


def _pass(grown: Grown) -> Pass:
    """From one rebuild to the next, always from the same album on, until enough jobs are measured."""
    seconds = longest = 0.0
    jobs = 0
    while jobs < _MEASURED:
        album, rebuilt = grown.album, 0
        while not rebuilt:
            job = grown.photos.job(1)
            began = time.thread_time()
            applied = _applied(album, job)
            took = time.thread_time() - began
            album, rebuilt = applied.album, applied.changes.rebuilt
            seconds, jobs = seconds + took, jobs + 1
        longest = max(longest, took)
    cold = sum(_cold(grown.fields, grown.photos.job(1)) for _ in range(_MEASURED)) / _MEASURED
    return Pass(seconds / jobs * 1e6, cold * 1e6, longest * 1e3, _product(grown.album))


def _cold(fields: Mapping[bytes, bytes], job: Job) -> float:
    """Seconds of a job, from what is loaded of its album on."""
    began = time.thread_time()
    _applied(decode_album("pet", fields), job)
    return time.thread_time() - began


class _Photos:
    """Of so many groups; no two are alike."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._centres = self._random.normal(size=(_GROUPS, _DIMENSION))
        self._count = 0

    def job(self, count: int) -> Job:
        first, self._count = self._count, self._count + count
        groups = self._random.integers(_GROUPS, size=count)
        vectors = self._centres[groups] + self._random.normal(size=(count, _DIMENSION))
        images = tuple(
            Insight(f"img-{first + number}", {"embedding": vector.astype(np.float32)}, 0.7, None, None)
            for number, vector in enumerate(vectors)
        )
        sequence = EntryId(1000 + first, 0)
        return Job("pet", job_id=f"job-{first}", sequence=sequence, model_version="m", images=images)


def _applied(album: Album, job: Job) -> Applied:
    applied = apply(album, [job], {}, _PARAMS, 1000)
    assert applied.changed
    render(applied.album, _PARAMS)
    return applied


def _product(album: Album) -> float:
    (space,) = album.spaces.values()
    vector = np.ones(_DIMENSION, dtype=np.float32)
    began = time.thread_time()
    for _ in range(_MEASURED):
        (space.sums @ vector).argmax()
    return (time.thread_time() - began) / _MEASURED * 1e6
