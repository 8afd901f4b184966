"""Cross-validation of profiles: each album is measured with one that was learned from labels it does not have.

docs/evaluation.md describes the arrays.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from sploot_clusterd.engine import LEAST_SAMPLE, Fresh, Profile, Sampled
from sploot_clusterd.engine.statistics import Ints
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.evaluate.albums import album_of, read_arrays, require
from sploot_clusterd.evaluate.fleet import lesson
from sploot_clusterd.evaluate.replay import MODEL_VERSION
from sploot_clusterd.model import SLOTS_A_PET

_FOLDS: Final = ("album_fold", "label_fold")


class Folds(NamedTuple):
    """Of the albums of a file."""

    of_album: Ints
    """[albums]"""
    profiles: Mapping[int, Profile]
    """For each fold that an album is of: settled, and learned from every image of the other folds' labels."""
    seconds: float
    """CPU time of learning them all."""


def learn_folds(file: Path, composition: Path | None) -> Folds:
    """From the arrays that `read_albums` has found fit. Labels only say which images are learned from.

    Raises ConfigError naming what is missing, does not fit or is too little to learn from.
    """
    images = read_arrays(file, ())
    composed, albums = (composition, read_arrays(composition, ())) if composition else (file, images)
    require(composed, albums, _FOLDS)
    label, of_album, of_label = images["label"], albums["album_fold"], albums["label_fold"]
    if of_album.shape != (len(albums["album_offset"]) - 1,):
        raise ConfigError(
            f"{composed}: album_fold: expected [{len(albums['album_offset']) - 1}], a fold for each album"
        )
    if not np.issubdtype(label.dtype, np.integer):
        raise ConfigError(f"{file}: label: expected whole numbers, each the place of its fold in label_fold")
    if of_label.ndim != 1 or label.min() < 0 or label.max() >= len(of_label):
        raise ConfigError(f"{composed}: label_fold: expected a fold for each label, those from 0 to {label.max()}")
    profiles: dict[int, Profile] = {}
    seconds = 0.0
    for fold in np.unique(of_album).tolist():
        rows = np.flatnonzero(of_label[label] != fold)
        pets = _pets(albums, np.flatnonzero(of_album != fold), rows)
        profile, took = lesson(_sample(images, rows), None, pets, settled=True)
        if profile is None:
            raise ConfigError(
                f"{composed}: label_fold: {len(rows)} images have labels of other folds than {fold}, and a profile "
                f"takes {LEAST_SAMPLE} that have vectors: use fewer folds or more images"
            )
        profiles[fold], seconds = profile, seconds + took
    return Folds(of_album, profiles, seconds)


def _pets(albums: Mapping[str, Any], numbers: Ints, rows: Ints) -> list[str]:
    """Whose each of the images `rows` is: of the first of these albums that has room for it in the fleet's sample.

    The others are of pets of their own, for what an album is learned from is a few images of each pet.
    """
    offsets, members = albums["album_offset"], albums["album_member"]
    owner: dict[int, str] = {}
    wanted = set(rows.tolist())
    for number in numbers.tolist():
        free = [
            row for row in members[offsets[number] : offsets[number + 1]].tolist() if row in wanted and row not in owner
        ]
        owner |= dict.fromkeys(free[:SLOTS_A_PET], f"album-{number}")
    return [owner.get(row, f"image-{row}") for row in rows.tolist()]


def _sample(images: Mapping[str, Any], rows: Ints) -> list[Sampled]:
    pool = album_of(images, 0, rows)
    insights = (pool.insight(at) for at in range(len(pool)))
    return [Fresh(each.image_id, MODEL_VERSION, each.quality, each.vectors).sampled() for each in insights]
