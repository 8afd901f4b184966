"""The figures of one algorithm or several: as numbers, as a table, and for the file that `--json` names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.gains import Gains
from sploot_clusterd.evaluate.modes import Learning
from sploot_clusterd.evaluate.replay import Result

Figures = Mapping[str, float | None]

USERS: Final = ("corrections", "questions", "random pairs")
"""What simulated users say."""

MEANINGS: Final = {
    "purity": "share of images that carry the commonest label of their cluster",
    "bcubed_precision": "for each image, how much of its cluster is like it",
    "bcubed_recall": "for each image, how much of what is like it is in its cluster",
    "bcubed_f1": "the harmonic mean of these two",
    "ari": "adjusted Rand index: agreement over pairs of images, 0 by chance",
    "k_ratio": "clusters for each label; images in no cluster count as clusters",
    "hero_precision": "share of heroes that are undegraded and of their cluster's commonest label",
    "hero_undegraded": "share of heroes that are undegraded",
    "churn": "share of earlier images, a job, that left their cluster",
    "churn_from_30_images": "the same for jobs into albums of 30 images or more",
    "microseconds_an_image": "the engine's CPU time, rendering included",
}
"""Every figure, in the order in which they are shown."""


class Measured(NamedTuple):
    """What one algorithm made of the albums."""

    algorithm: str
    results: Sequence[Result]
    """One for each album."""
    shuffled: Sequence[float]
    """B-cubed F1, mean over the albums, in each of the shuffled orders of arrival."""
    learning: Learning | None = None
    """In the order of arrival that the results are of."""
    gains: Mapping[str, Gains] = {}
    """Of simulated users, by what they say."""


def figures(results: Sequence[Result]) -> Figures:
    """Means over the albums; heroes are counted over all clusters, time over all images. None: nothing to count."""
    clusters = sum(result.heroes.clusters for result in results)
    means = {name: mean([getattr(result.scores, name) for result in results]) for name in results[0].scores._fields}
    return {
        **means,
        "hero_precision": sum(result.heroes.right for result in results) / clusters if clusters else None,
        "hero_undegraded": sum(result.heroes.undegraded for result in results) / clusters if clusters else None,
        "churn": mean([result.churn.overall for result in results]),
        "churn_from_30_images": mean([result.churn.settled for result in results]),
        "microseconds_an_image": sum(r.microseconds for r in results) / sum(len(r.clusters) for r in results),
    }


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are there; None if none is."""
    given = [value for value in values if value is not None]
    return float(np.mean(given)) if given else None


def shown(figure: str, value: float | None) -> str:
    """A figure as people read it."""
    if value is None:
        return "-"
    if figure.startswith("churn"):
        return f"{value:.1%}"
    return f"{value:.0f}" if figure.startswith("microseconds") else f"{value:.3f}"


def table(columns: Sequence[Measured]) -> str:
    """The figures as Markdown: a row each, an algorithm a column."""
    lines = [
        f"| figure | {' | '.join(column.algorithm for column in columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    found = [figures(column.results) for column in columns]
    for figure in MEANINGS:
        cells = [shown(figure, values[figure]) for values in found]
        lines.append(f"| {figure.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def gains_tables(columns: Sequence[Measured]) -> Iterator[str]:
    """What each user gained, as `table` has it."""
    for what in columns[0].gains:
        told = [column.gains[what].told() for column in columns]
        lines = [
            f"| with {what} | {' | '.join(column.algorithm for column in columns)} |",
            "|---|" + "---|" * len(columns),
        ]
        yield "\n".join(lines + [f"| {figure} | {' | '.join(each[figure] for each in told)} |" for figure in told[0]])


def spread(column: Measured) -> str:
    """How much the order of arrival matters, in a sentence; `shuffled` holds a value at least."""
    low, high = min(column.shuffled), max(column.shuffled)
    orders = f"{len(column.shuffled)} shuffled orders of arrival"
    return f"{column.algorithm}: B-cubed F1 {low:.4f} to {high:.4f} in {orders}, a spread of {high - low:.4f}"


def notes(column: Measured) -> list[str]:
    """What there is to say besides the table: of the profile, and of the shuffled orders."""
    learned = [f"{column.algorithm}: {column.learning.told}"] if column.learning else []
    return learned + ([spread(column)] if column.shuffled else [])


def as_json(albums: Sequence[LabelledAlbum], columns: Sequence[Measured]) -> dict[str, Any]:
    """By algorithm: the figures, those of each album, F1 in shuffled orders, what users gained, and the profiles."""
    return {
        column.algorithm: {
            "figures": figures(column.results),
            "shuffled_bcubed_f1": column.shuffled,
            "profiles": _profiles(column.learning),
            "seconds_of_learning": column.learning.seconds if column.learning else 0.0,
            **{what.replace(" ", "_"): _gained(column.gains.get(what)) for what in USERS},
            "albums": [_album(album, result) for album, result in zip(albums, column.results, strict=True)],
        }
        for column in columns
    }


def _gained(gains: Gains | None) -> dict[str, Any] | None:
    return gains and gains._asdict()


def _profiles(learning: Learning | None) -> dict[str, Any]:
    profiles = learning.profiles if learning else {}
    return {
        name: {"sampled": profile.sampled, "settled": profile.settled, "drift": profile.drift}
        for name, profile in profiles.items()
    }


def _album(album: LabelledAlbum, result: Result) -> dict[str, Any]:
    about = {"name": album.name, "images": len(album), "labels": album.labels, "profile_generation": result.generation}
    return {**about, **figures([result])}
