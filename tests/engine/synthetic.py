"""Albums made of a known mixture, with what makes real ones hard; no photo is needed to guard the quality.

A vector is a direction: a part that all images share, a centre for each label, noise. How much of each there is, and in
how many directions it spreads, is taken from real embeddings of pets: two images of a label have a mean cosine of .5 to
.72, two of different labels one of .25, with deviations of about .1. Labels have from 3 to 40 images, skewed. A fifth
of the images has a degraded twin, of lower quality and mostly far from its original. Up to a tenth are outliers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.model import FloatVector

WITHIN, BETWEEN = (0.5, 0.72), 0.25
DIRECTIONS = 96
TWINS = 0.2
HARMS = 4


class Encoder:
    """Gives vectors of `dimension` values. Its images spread in at most DIRECTIONS directions, unevenly, as real ones
    do, so that it hardly matters how many values they are written in.
    """

    def __init__(
        self,
        dimension: int,
        seed: int = 0,
        steepness: float = 0.15,
        within: tuple[float, float] = WITHIN,
        directions: int = DIRECTIONS,
    ) -> None:
        """Deviations fall along the directions to the power of `steepness`; `within` bounds a label's mean cosine."""
        rng = np.random.default_rng((dimension, seed))
        self._within = within
        spread = np.arange(1, min(directions, dimension - 1) + 1) ** -steepness
        axes, _ = np.linalg.qr(rng.normal(size=(dimension, len(spread) + 1)))
        self._common = axes[:, 0]
        self._axes = (spread / np.linalg.norm(spread))[:, None] * axes[:, 1:].T
        self._harms = self.directions(rng, HARMS)

    def directions(self, rng: np.random.Generator, count: int) -> FloatVector:
        """Random ones of mean square length 1, [count, dimension]."""
        return rng.normal(size=(count, len(self._axes))) @ self._axes

    def images(self, rng: np.random.Generator, label: np.ndarray) -> FloatVector:
        """A vector for each image of `label` [n]: [n, dimension]."""
        centres = self.directions(rng, label.max() + 1)[label]
        within = rng.uniform(*self._within, size=(label.max() + 1, 1))[label]
        noise = self.directions(rng, len(label))
        return unit(BETWEEN**0.5 * self._common + (within - BETWEEN) ** 0.5 * centres + (1 - within) ** 0.5 * noise)

    def degraded(self, rng: np.random.Generator, originals: np.ndarray, near: tuple[float, float]) -> FloatVector:
        """Twins at a cosine `near`; half of what is new in them is common to all that suffered the same harm."""
        kept = rng.uniform(*near, size=(len(originals), 1))
        harm = self._harms[rng.integers(HARMS, size=len(originals))]
        new = (harm + self.directions(rng, len(originals))) / 2**0.5
        return unit(kept * originals + (1 - kept**2) ** 0.5 * new)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Fleet:
    """Albums whose images come from the same encoders.

    `others` are the lengths of further kinds; `missing` is the share of images that lack a kind, by kind; `near` bounds
    the cosine of a degraded twin and its original.
    """

    def __init__(
        self,
        dimension: int,
        seed: int = 0,
        others: Mapping[str, int] | None = None,
        missing: Mapping[str, float] | None = None,
        near: tuple[float, float] = (0.2, 0.9),
        **encoder: Any,
    ) -> None:
        """`encoder` is what all encoders are further told."""
        self._seed = seed
        self._missing = missing or {}
        self._near = near
        lengths = {"embedding": dimension, **(others or {})}
        self._encoders = {kind: Encoder(length, seed, **encoder) for kind, length in lengths.items()}

    def album(self, number: int, labels: int | None = None) -> LabelledAlbum:
        """Always the same album for the same number; with 2 to 8 labels if it is not said how many."""
        rng = np.random.default_rng((self._seed, number))
        label = _labels(rng, labels or rng.integers(2, 9))
        twinned = np.flatnonzero(rng.random(len(label)) < TWINS)
        quality = np.clip(rng.normal(0.65, 0.08, size=len(label)), 0.45, 1.0)
        order = rng.permutation(len(label) + len(twinned))
        vectors = {}
        for kind, encoder in self._encoders.items():
            originals = encoder.images(rng, label)
            every = np.concatenate([originals, encoder.degraded(rng, originals[twinned], self._near)])
            every[rng.random(len(every)) < self._missing.get(kind, 0.0)] = 0.0
            vectors[kind] = every[order].astype(np.float32)
        return LabelledAlbum(
            number,
            vectors.pop("embedding"),
            np.concatenate([label, label[twinned]])[order],
            np.concatenate([quality, quality[twinned] * rng.uniform(0.5, 0.75, size=len(twinned))])[order],
            (order >= len(label)).astype(np.int64),
            vectors,
        )

    def albums(self, count: int) -> list[LabelledAlbum]:
        return [self.album(number) for number in range(count)]


def _labels(rng: np.random.Generator, count: int) -> np.ndarray:
    """The label of each image, one label after the other, and then of the outliers, each of a label of its own."""
    sizes = (3 + 37 * rng.beta(0.7, 1.8, size=count)).astype(np.int64)
    outliers = int(sizes.sum() * rng.uniform(0.0, 0.1))
    return np.concatenate([np.repeat(np.arange(count), sizes), count + np.arange(outliers)])
