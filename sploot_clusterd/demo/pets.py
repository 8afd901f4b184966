"""Sample pets: photos of a few looks, with vectors that lie as those of real photos do. Always the same ones.

A vector has a part that all photos share, a part of its look, and noise. Two photos of a look have a mean cosine of
.65, two of different looks one of .25.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

MODEL: Final = "demo@1"
DIMENSION: Final = 128
_SHARED: Final = 0.25
_WITHIN: Final = 0.65
_LATE: Final = 4
"""Photos that are in no list yet, for who tries the demo: they come with a job."""

_LOOKS: Final[Mapping[str, Mapping[str, int]]] = {
    "luna": {"Portraits": 9, "Action Shots": 7, "Asleep": 6, "At the beach": 8},
    "rex": {"Portraits": 6, "In the snow": 5, "With a ball": 9},
}
"""Pet -> look -> photos."""


@dataclass(frozen=True)
class Photo:
    image_id: str
    look: str
    vector: list[float]
    quality: float


@dataclass(frozen=True)
class Pet:
    """`photos` in the order in which they were taken; the last few are not in its list yet."""

    pet_id: str
    photos: list[Photo]

    @property
    def listed(self) -> list[str]:
        return [photo.image_id for photo in self.photos[:-_LATE]]

    @property
    def late(self) -> list[str]:
        return [photo.image_id for photo in self.photos[-_LATE:]]

    @property
    def coverage(self) -> dict[str, float]:
        """What share of its photos each look has."""
        looks = [photo.look for photo in self.photos]
        return {look: round(looks.count(look) / len(looks), 2) for look in dict.fromkeys(looks)}


def sample_pets() -> list[Pet]:
    rng = np.random.default_rng(20_251_030)
    shared = _direction(rng)
    return [_pet(rng, shared, pet_id, looks) for pet_id, looks in _LOOKS.items()]


def _pet(rng: np.random.Generator, shared: np.ndarray, pet_id: str, looks: Mapping[str, int]) -> Pet:
    names = [look for look, count in looks.items() for _ in range(count)]
    centres = {look: _direction(rng) for look in looks}
    photos = [
        Photo(f"{pet_id}_{number:02}", names[at], _vector(rng, shared, centres[names[at]]), _quality(rng))
        for number, at in enumerate(rng.permutation(len(names)), 1)
    ]
    return Pet(pet_id, photos)


def _vector(rng: np.random.Generator, shared: np.ndarray, centre: np.ndarray) -> list[float]:
    parts = _SHARED**0.5 * shared + (_WITHIN - _SHARED) ** 0.5 * centre + (1 - _WITHIN) ** 0.5 * _direction(rng)
    numbers: list[float] = np.round(parts / np.linalg.norm(parts), 4).tolist()
    return numbers


def _direction(rng: np.random.Generator) -> np.ndarray:
    drawn = rng.normal(size=DIMENSION)
    unit: np.ndarray = drawn / np.linalg.norm(drawn)
    return unit


def _quality(rng: np.random.Generator) -> float:
    return round(float(np.clip(rng.normal(0.65, 0.12), 0.2, 0.98)), 2)
