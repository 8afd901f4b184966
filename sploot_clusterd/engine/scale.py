"""How alike an encoder finds the photos of one pet, and of different pets: without labels, from vectors alone.

Encoders differ in how large their cosines are: what one gives photos of the same animal, another gives any two. The
evidence's constants are measured in one unit, the encoder's *scale*, so that none of them differs by encoder.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from sploot_clusterd.engine.statistics import TINY, Doubles, Floats, Ints

LEAST_PETS: Final = 24
"""Pets of two images or more from which a scale is measured: on real albums to within a tenth of it."""
USUAL_DEVIATION: Final = 0.235
"""Standard deviation of the cosines of one pet's images at which the scale is 1: the unit of the constants."""
_LEAST_SCALE: Final = 0.05
"""An encoder of less tells nothing apart: the numbers are rounded to more."""
_LEAST_CONTRAST: Final = 1.15
"""By chance alone, 24 pets of 8 images have less: the deviation of their 670 pairs is known to about 5 %."""
_PAIRS: Final = 5000


class Likeness(NamedTuple):
    """What the cosines of a sample say, once the fleet's mean is subtracted."""

    pets: int
    """Those with two images or more, from whose pairs it was measured."""
    within: float
    """Standard deviation of the cosines of two images of one pet."""
    above: float
    """Their mean, less that of two images of different pets."""
    between: float
    """Standard deviation of the cosines of two images of different pets: what chance alone gives."""

    @property
    def scale(self) -> float:
        """At most 1: where cosines are larger, the constants stay what they are.

        A pet's pairs are a mixture: some show the same look, with cosines of mean a and some spread, the others not,
        with cosines about 0. If an encoder's cosines are k times as large, so is the deviation of the mixture; and it
        hardly depends on the share p of the pairs of one look: p (1 - p) a^2 falls where p s^2 rises.
        """
        return min(max(self.within / USUAL_DEVIATION, _LEAST_SCALE), 1.0)

    @property
    def contrast(self) -> float:
        """Root mean square of a pet's cosines over that of different pets': 1 if images of one pet are no more alike
        than any others.
        """
        return float(np.hypot(self.within, self.above)) / max(self.between, TINY)

    @property
    def tells_apart(self) -> bool:
        """Whether images of one pet are clearly more alike than any others: else clusters say nothing."""
        return self.contrast >= _LEAST_CONTRAST


def measure(vectors: Floats, pets: Sequence[str], least: int = LEAST_PETS) -> Likeness | None:
    """`vectors` [n, d], each of the pet in the same place. None if fewer than `least` pets have two images or more."""
    shifted = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.linalg.norm(shifted, axis=1)
    there = np.flatnonzero(lengths > TINY)  # where all images are the same, none has a direction
    units = shifted[there] / lengths[there, None]
    numbers = _numbered([pets[at] for at in there.tolist()])
    found = _within(units, numbers, least)
    if found is None:
        return None
    count, same = found
    different = _between(units, numbers)
    return Likeness(count, float(same.std()), float(same.mean() - different.mean()), float(different.std()))


def _numbered(pets: Sequence[str]) -> Ints:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(pet, len(numbers)) for pet in pets], dtype=np.int64)


def _within(units: Floats, numbers: Ints, least: int) -> tuple[int, Doubles] | None:
    """How many pets have pairs, and the cosines of all of these."""
    rows = defaultdict[int, list[int]](list)
    for at, number in enumerate(numbers.tolist()):
        rows[number].append(at)
    several = [units[each] for each in rows.values() if len(each) > 1]
    if len(several) < least:
        return None
    cosines = [(each @ each.T)[np.triu_indices(len(each), 1)] for each in several]
    return len(several), np.concatenate(cosines).astype(np.float64)


def _between(units: Floats, numbers: Ints) -> Doubles:
    """The cosines of pairs of different pets, drawn at random."""
    draw = np.random.default_rng(len(units))
    left, right = draw.integers(0, len(units), (2, _PAIRS))
    apart = numbers[left] != numbers[right]
    return np.asarray(np.einsum("ij,ij->i", units[left[apart]], units[right[apart]]), dtype=np.float64)
