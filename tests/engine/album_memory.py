"""What albums of a kind really take: `python -m tests.engine.album_memory KIND` prints it, and what the engine
estimates: of albums that were read from what is stored by the process's resident memory, and of such as jobs have just
made by what was allocated.

It is a process of its own, for what others have freed in one hides what is taken.
"""

# ruff: noqa: T201 - a command prints

import gc
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import psutil

from sploot_clusterd.engine import Album, Params, album_nbytes, decode_album
from sploot_clusterd.model import Insight, Job, Rename
from tests.engine.pet import Pet, insight, job

_ENOUGH = 24 * 2**20
"""Bytes, beside which what else a process takes meanwhile is small."""


def long_names(kind: str, count: int, length: int = 120) -> list[str]:
    return [f"{kind}-{n}".ljust(length, "x") for n in range(count)]


def looks(names: list[str], dimension: int = 32) -> list[Insight]:
    """Images of which no two look alike."""
    vectors = np.random.default_rng(1).normal(size=(len(names), dimension))
    return [insight(name, vector, n / 999) for n, (name, vector) in enumerate(zip(names, vectors, strict=True))]


def labels() -> list[Job]:
    return [job(1, labels=long_names("label", 256), image_ids=["img"])]


def coverage() -> list[Job]:
    wanted = {name: n / 256 for n, name in enumerate(long_names("label", 256))}
    return [job(1, labels=list(wanted), coverage=wanted, image_ids=["img"])]


def wide_labels() -> list[Job]:
    return [job(1, labels=[f"{name}\N{DOG FACE}" for name in long_names("label", 256)], image_ids=["img"])]


def votes() -> list[Job]:
    named = long_names("label", 100)
    return [job(n, insight(f"img-{n}", [1.0, 0.5], 0.5, named[n])) for n in range(100)]


def one_image() -> list[Job]:
    return [job(1, *looks(["img"], 512))]


def many_looks() -> list[Job]:
    return [job(n, *looks([f"img-{n}-{m}" for m in range(20)], 16)) for n in range(1, 6)]


def long_vectors() -> list[Job]:
    return [job(n, *looks([f"img-{n}"], 2048)) for n in range(20)]


def near_copies() -> list[Job]:
    return [job(1, *[insight(name, [1.0, n / 1e4], n / 1e3) for n, name in enumerate(long_names("img", 100))])]


def provisional() -> list[Job]:
    return [job(1, image_ids=long_names("img", 500)), job(2, image_ids=["img"], quality_score=0.7)]


def job_memory() -> list[Job]:
    return [job(n, job_id=name) for n, name in enumerate(long_names("job", 256))]


def anchors() -> list[Job]:
    pairs = [insight(f"img-{n}-{m}", np.eye(40)[n]) for n in range(40) for m in range(2)]
    renames = [Rename(f"pet_123-cluster-{n}", name) for n, name in enumerate(long_names("label", 40))]
    return [job(1, *pairs), job(2, corrections=renames)]


def heirs() -> list[Job]:
    return [job(n, *looks([f"img-{n}-{m}" for m in range(50)], 8)) for n in range(1, 20)]


KINDS = {
    kind.__name__: kind
    for kind in (
        one_image,
        labels,
        coverage,
        wide_labels,
        votes,
        many_looks,
        long_vectors,
        near_copies,
        provisional,
        job_memory,
        anchors,
        heirs,
    )
}


def made(kind: Callable[[], list[Job]]) -> Pet:
    pet = Pet(Params(max_cells=12) if kind is heirs else Params())
    for each in kind():
        pet.apply(each)
    return pet


def resident(make: Callable[[], Album]) -> tuple[int, int]:
    """Bytes that many such albums take, and that are estimated."""
    count = _ENOUGH // album_nbytes(make()) + 1
    gc.collect()
    before = psutil.Process().memory_info().rss
    albums = [make() for _ in range(count)]
    gc.collect()
    return psutil.Process().memory_info().rss - before, sum(map(album_nbytes, albums))


def allocated(make: Callable[[], Album]) -> tuple[int, int]:
    """The same of one album, by what was asked of the allocator."""
    make()
    tracemalloc.start()
    album = make()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    return taken, album_nbytes(album)


if __name__ == "__main__":
    kind = KINDS[sys.argv[1]]
    stored = made(kind).tables()
    print(*resident(lambda: decode_album("pet_123", stored)), *allocated(lambda: made(kind).album))
