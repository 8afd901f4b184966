"""How good the clusters are of jobs that only name images: a real daemon, a storage service, labelled albums.

    python -m tests.insights.quality pets-dev.npz

Each album comes as jobs of 1 to 8 bare image ids, those of all albums mixed. When nothing is out any more, the clusters
are held against the labels, as `clusterd eval` does it, and each image has to be there once.
"""

# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from sploot_clusterd.engine import Params, decode_album
from sploot_clusterd.engine.assignment import assignment
from sploot_clusterd.evaluate.albums import LabelledAlbum, read_albums
from sploot_clusterd.evaluate.scores import Scores, scores
from tests.faults.checker import LETTERS, NAMESPACE
from tests.faults.fleet import Fleet
from tests.faults.load import STREAM
from tests.insights.service_process import ServiceProcess
from tests.support.waiting import eventually

_MOST = 8


def jobs(albums: Sequence[LabelledAlbum], seed: int) -> Iterator[dict[str, object]]:
    """Bare jobs of all albums in turn, at random; each album's in order of arrival."""
    draw = random.Random(seed)
    left = {album.number: 0 for album in albums}
    lengths = {album.number: len(album) for album in albums}
    while left:
        number = draw.choice(list(left))
        at = left[number]
        left[number] = min(at + draw.randint(1, _MOST), lengths[number])
        yield {"pet_id": f"pet-{number}", "payload": {"image_ids": names(number, range(at, left[number]))}}
        if left[number] == lengths[number]:
            del left[number]


def names(number: int, places: range) -> list[str]:
    """Ids of the images of an album, as the storage service has them."""
    return [f"pet-{number}_{at}" for at in places]


async def measure(file: Path, pets: int, rate: float, seed: int) -> bool:
    """Whether each image was there once and none was set aside; prints the figures."""
    albums = read_albums(file)[:pets]
    with tempfile.TemporaryDirectory(prefix="quality-") as directory:
        async with (
            ServiceProcess(Path(directory), file, pets) as service,
            Fleet(Path(directory), daemons=1, env=service.env(rate=0)) as fleet,
        ):
            began = time.monotonic()
            sent = await _send(fleet, albums, rate, seed)
            await eventually(lambda: _is_done(fleet, albums), what="all insights to be fetched", timeout=900)
            took = time.monotonic() - began
            found = [await _scores(fleet, album) for album in albums]
            letters = await fleet.redis.xlen(LETTERS)
    images = sum(map(len, albums))
    wrong = [album.number for album, (_, there) in zip(albums, found, strict=True) if there != len(album)]
    means = {name: np.mean([getattr(each, name) for each, _ in found]) for name in ("bcubed_f1", "purity", "ari")}
    print(f"{len(albums)} albums, {images} images, {sent} jobs in {took:.1f} s; dead letters: {letters}")
    print("  ".join(f"{name} {value:.3f}" for name, value in means.items()))
    print(f"albums without each image once: {wrong or 'none'}")
    return not wrong and not letters


async def _send(fleet: Fleet, albums: Sequence[LabelledAlbum], rate: float, seed: int) -> int:
    began, sent = time.monotonic(), 0
    for job in jobs(albums, seed):
        await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(job)})
        sent += 1
        await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()))
    return sent


async def _is_done(fleet: Fleet, albums: Sequence[LabelledAlbum]) -> bool:
    await asyncio.sleep(0.2)
    if await fleet.redis.xlen(STREAM):
        return False
    raw = await fleet.redis.mget([f"{NAMESPACE}:state:pet-{album.number}" for album in albums])
    return all(view and not msgspec.json.decode(view)["metrics"]["insights_wanted"] for view in raw)


async def _scores(fleet: Fleet, album: LabelledAlbum) -> tuple[Scores, int]:
    """And how many images its statistics hold."""
    pet = f"pet-{album.number}"
    fields = await fleet.redis.hgetall(f"{NAMESPACE}:album:{pet}")
    fields.pop(b"token")
    rows = {name.decode(): row for name, row in (await fleet.redis.hgetall(f"{NAMESPACE}:images:{pet}")).items()}
    stored = decode_album(pet, fields)
    shown = assignment(stored, rows, Params())
    places = names(album.number, range(len(album)))
    clusters = [shown.get(name) for name in places]
    numbers = np.array([-1 - n if number is None else number for n, number in enumerate(clusters)], dtype=np.int64)
    return scores(album.label, numbers), sum(cell.count for cell in stored.cells.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="labelled albums, as `clusterd eval` reads them")
    parser.add_argument("--pets", type=int, default=200, help="the first so many albums (default: 200)")
    parser.add_argument("--rate", type=float, default=50.0, help="jobs a second (default: 50)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    return 0 if asyncio.run(measure(asked.file, asked.pets, asked.rate, asked.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
