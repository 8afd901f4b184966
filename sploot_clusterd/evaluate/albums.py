"""Reads labelled albums from an .npz file. docs/evaluation.md describes the layout."""

import random
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from sploot_clusterd.engine.statistics import Doubles, Floats, Ints
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.model import Insight

_IMAGES: Final = ("embedding", "label")
_COMPOSITION: Final = ("album_offset", "album_member")
_OTHER_KINDS: Final = ("pose", "context")


@dataclass(frozen=True)
class LabelledAlbum:
    """One pet's images in order of arrival; the arrays have one row an image."""

    number: int
    """Its place in the file, from 0."""
    embedding: Floats
    """float32 [n, d]; a row of zeros: the image has none."""
    label: Ints
    quality: Doubles | None = None
    """0..1, if the file has it."""
    degraded: Ints | None = None
    """1 for an image that must not become a hero, if the file says so."""
    others: Mapping[str, Floats] = field(default_factory=dict)
    """Of the kinds `pose` and `context` those that the file has, as `embedding`."""

    def __len__(self) -> int:
        return len(self.label)

    @property
    def name(self) -> str:
        return f"album-{self.number}"

    @property
    def labels(self) -> int:
        """How many there are, those that occur once included."""
        return len(np.unique(self.label))

    def insight(self, at: int) -> Insight:
        """What a job would carry of the image that came as number `at`."""
        kinds = {"embedding": self.embedding, **self.others}
        vectors = {kind: rows[at] for kind, rows in kinds.items() if rows[at].any()}
        quality = None if self.quality is None else float(self.quality[at])
        return Insight(image_id(at), vectors, quality, None, None)

    def shuffled(self, seed: int) -> "LabelledAlbum":
        """The same images in another order of arrival."""
        order = list(range(len(self)))
        random.Random(f"{seed} {self.number}").shuffle(order)  # noqa: S311 - guards no secret
        return LabelledAlbum(
            self.number,
            self.embedding[order],
            self.label[order],
            None if self.quality is None else self.quality[order],
            None if self.degraded is None else self.degraded[order],
            {kind: rows[order] for kind, rows in self.others.items()},
        )


def image_id(at: int) -> str:
    """The id under which the engine gets the image that came as number `at`."""
    return f"img-{at}"


def place_of(image_id: str) -> int:
    """The number at which the image came."""
    return int(image_id.removeprefix("img-"))


def read_albums(file: Path, composition: Path | None = None) -> list[LabelledAlbum]:
    """The albums of `file`; which images each has is read from `composition`, if that is given.

    Raises ConfigError naming what is missing or does not fit.
    """
    images = read_arrays(file, _IMAGES)
    composed, albums = (composition, read_arrays(composition, ())) if composition else (file, images)
    require(composed, albums, _COMPOSITION)
    count = len(images["label"])
    for kind in ("embedding", *_OTHER_KINDS):
        if kind in images and (images[kind].ndim != 2 or len(images[kind]) != count):  # noqa: PLR2004 - a matrix
            raise ConfigError(f"{file}: {kind}: expected [{count}, d], a row for each label")
    members, offsets = albums["album_member"], albums["album_offset"]
    if len(offsets) < 2 or offsets[-1] > len(members) or (np.diff(offsets) < 1).any():  # noqa: PLR2004 - one album
        raise ConfigError(f"{composed}: album_offset: expected [albums + 1], rising, up to the length of album_member")
    if members.min() < 0 or members.max() >= count:
        raise ConfigError(f"{composed}: album_member: expected rows of embedding, 0 to {count - 1}")
    return [album_of(images, number, members[begin:end]) for number, (begin, end) in enumerate(pairwise(offsets))]


def album_of(images: Mapping[str, Any], number: int, rows: Ints) -> LabelledAlbum:
    """The album of these rows of the arrays, in this order of arrival."""
    return LabelledAlbum(
        number,
        images["embedding"][rows].astype(np.float32),
        images["label"][rows],
        images["quality"][rows].astype(np.float64) if "quality" in images else None,
        images["degraded"][rows] if "degraded" in images else None,
        {kind: images[kind][rows].astype(np.float32) for kind in _OTHER_KINDS if kind in images},
    )


def read_arrays(file: Path, wanted: tuple[str, ...]) -> dict[str, Any]:
    """All arrays of the file, by name. Raises ConfigError if it is no .npz file or lacks one of those `wanted`."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:  # TypeError: a single array
        raise ConfigError(f"{file}: expected an .npz file: {error}") from None
    require(file, arrays, wanted)
    return arrays


def require(file: Path, arrays: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    """Raises ConfigError naming those of `wanted` that are not among the file's arrays."""
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise ConfigError(f"{file}: lacks {', '.join(missing)}; it has {', '.join(sorted(arrays)) or 'nothing'}")
