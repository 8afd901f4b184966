"""Reads labelled albums from an .npz file. docs/evaluation.md describes the layout."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from sploot_clusterd.engine.statistics import Doubles, Floats, Ints
from sploot_clusterd.errors import ConfigError

_IMAGES: Final = ("embedding", "label")
_COMPOSITION: Final = ("album_offset", "album_member")


@dataclass(frozen=True)
class LabelledAlbum:
    """One pet's images in order of arrival; the arrays have one row an image."""

    name: str
    embedding: Floats
    """float32 [n, d]"""
    label: Ints
    quality: Doubles | None
    """0..1, if the file has it."""
    degraded: Ints | None
    """1 for an image that must not become a hero, if the file says so."""

    def __len__(self) -> int:
        return len(self.label)


def read_albums(file: Path, composition: Path | None = None) -> list[LabelledAlbum]:
    """The albums of `file`; which images each has is read from `composition`, if that is given.

    Raises ConfigError naming what is missing or does not fit.
    """
    images = _arrays(file, _IMAGES)
    albums = _arrays(composition, _COMPOSITION) if composition else images
    _has(file if composition is None else composition, albums, _COMPOSITION)
    count = len(images["label"])
    if images["embedding"].ndim != 2 or len(images["embedding"]) != count:  # noqa: PLR2004 - a matrix
        raise ConfigError(f"{file}: embedding: expected [{count}, d], a row for each label")
    members, offsets = albums["album_member"], albums["album_offset"]
    if len(offsets) < 2 or offsets[-1] > len(members) or (np.diff(offsets) < 1).any():  # noqa: PLR2004 - one album
        raise ConfigError(f"{file}: album_offset: expected [albums + 1], rising, up to the length of album_member")
    if members.min() < 0 or members.max() >= count:
        raise ConfigError(f"{file}: album_member: expected rows of embedding, 0 to {count - 1}")
    return list(_albums(images, members, offsets))


def _albums(images: Mapping[str, Any], members: Ints, offsets: Ints) -> Iterator[LabelledAlbum]:
    for number, (begin, end) in enumerate(pairwise(offsets)):
        rows = members[begin:end]
        yield LabelledAlbum(
            f"album-{number}",
            images["embedding"][rows].astype(np.float32),
            images["label"][rows],
            images["quality"][rows].astype(np.float64) if "quality" in images else None,
            images["degraded"][rows] if "degraded" in images else None,
        )


def _arrays(file: Path, wanted: tuple[str, ...]) -> dict[str, Any]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise ConfigError(f"{file}: expected an .npz file: {error}") from None
    _has(file, arrays, wanted)
    return arrays


def _has(file: Path, arrays: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise ConfigError(f"{file}: lacks {', '.join(missing)}; it has {', '.join(sorted(arrays)) or 'nothing'}")
