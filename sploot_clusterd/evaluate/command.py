"""`clusterd eval`: a table of how well the engine clusters labelled albums, an algorithm a column."""

# ruff: noqa: T201 - a command prints

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from sploot_clusterd.engine import Params
from sploot_clusterd.evaluate.albums import LabelledAlbum, read_albums
from sploot_clusterd.evaluate.replay import Result, replay

_TICK: Final = 0.2


class Asked(NamedTuple):
    """What to measure: `albums` of the file (None: all), in jobs of 1 to `most` images."""

    file: Path
    composition: Path | None
    algorithms: Sequence[str]
    albums: slice
    most: int
    seed: int


def evaluate(asked: Asked, params: Params, json_file: Path | None) -> int:
    """Prints the table, and writes it to `json_file` if that is given. Raises ConfigError for a file it cannot use."""
    albums = read_albums(asked.file, asked.composition)[asked.albums]
    columns = {}
    for algorithm in asked.algorithms:
        chosen = dataclasses.replace(params, algorithm=algorithm)
        columns[algorithm] = figures(_run(albums, chosen, asked, algorithm))
    print(f"{len(albums)} albums, {sum(map(len, albums))} images, jobs of 1 to {asked.most} images\n")
    print(table(columns))
    if json_file:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(columns)))
    return 0


def figures(results: Sequence[Result]) -> dict[str, float | None]:
    """Means over the albums; heroes are counted over all clusters, time over all images."""
    clusters = sum(result.heroes.clusters for result in results)
    images = sum(result.images for result in results)
    means = {name: _mean([getattr(result.scores, name) for result in results]) for name in results[0].scores._fields}
    return {
        **means,
        "hero_precision": sum(r.heroes.right for r in results) / clusters if clusters else None,
        "hero_undegraded": sum(r.heroes.undegraded for r in results) / clusters if clusters else None,
        "churn": _mean([result.churn.overall for result in results]),
        "churn_from_30_images": _mean([result.churn.settled for result in results]),
        "microseconds_an_image": sum(r.microseconds * r.images for r in results) / images,
    }


def table(columns: dict[str, dict[str, float | None]]) -> str:
    """The figures as Markdown: a row each, an algorithm a column."""
    names = list(columns)
    lines = [f"| figure | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for figure in next(iter(columns.values())):
        cells = [_shown(figure, columns[name][figure]) for name in names]
        lines.append(f"| {figure.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _run(albums: Sequence[LabelledAlbum], params: Params, asked: Asked, algorithm: str) -> list[Result]:
    results, told = [], 0.0
    for number, album in enumerate(albums, start=1):
        results.append(replay(album, params, asked.most, asked.seed + number))
        if sys.stderr.isatty() and time.monotonic() - told > _TICK:
            told = time.monotonic()
            print(f"\r{algorithm}: {number} of {len(albums)} albums", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return results


def _mean(values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return float(np.mean(given)) if given else None


def _shown(figure: str, value: float | None) -> str:
    if value is None:
        return "-"
    if figure.startswith("churn"):
        return f"{value:.1%}"
    return f"{value:.0f}" if figure.startswith("microseconds") else f"{value:.3f}"
