"""How far to whiten an encoder's vectors, and on how many axes to project them: chosen from the sample's spectrum.

The *effective dimension* of variances v is their participation ratio, (sum v)^2 / sum v^2: of so many equal ones the
cosines of unrelated images would spread as far. Dividing coordinates by a power of the variance raises it.
"""

from typing import Final, NamedTuple

import numpy as np

from sploot_clusterd.engine.statistics import TINY, Doubles, Floats

ENOUGH: Final = 125.0
"""Effective dimension from which more whitening takes away more than it gives ..."""
_SHARE: Final = 0.65
"""... or this share of the axes, where there are fewer."""
LEAST_AXES: Final = 192
MOST_AXES: Final = 384
_MUCH: Final = 0.2
"""More axes than LEAST_AXES are taken where these would leave out more of the variance than this share."""
_LITTLE: Final = 0.02
"""An even spectrum is projected only on axes that leave out no more than this."""
_MOST_POWER: Final = 0.4
"""Whitening in full is power 1/2: it takes away what tells a narrow fleet's animals apart."""
_STEPS: Final = 8
FLOOR: Final = 0.01
"""Of the mean variance, added to each: an axis on which hardly anything varies is noise, not signal."""


NO_VARIANCE: Final = 1e-7


class Spectrum(NamedTuple):
    """What was found of one kind of vector, and chosen."""

    effective: float
    """Effective dimension of the vectors less their mean."""
    scaled: float
    """The same of the coordinates that are compared."""
    power: float
    """Coordinates are divided by the variance to this power."""
    axes: int
    """0: vectors are compared in full, less the mean."""
    left_out: float
    """Share of the variance that the axes leave out."""


def effective(variances: Doubles, count: int | None = None) -> float:
    """The effective dimension. Of the variances of a sample of `count` images: that of the fleet, for a sample of n
    has 1 / n more of sum v^2 / (sum v)^2 than what it is drawn from.
    """
    inverse = float((variances**2).sum()) / max(float(variances.sum()) ** 2, TINY**2)
    if count is not None:
        inverse -= 1.0 / count
    return 1.0 / max(inverse, 1.0 / len(variances))


def choose(variances: Doubles, count: int) -> Spectrum:
    """From all variances [min(n, d)], falling, of n = `count` images."""
    found = effective(variances, count)
    left_out = np.maximum(1.0 - np.cumsum(variances) / max(float(variances.sum()), TINY), 0.0)
    axes = min(max(_leaving_out(_MUCH, left_out), LEAST_AXES), MOST_AXES, len(variances))
    wanted = min(ENOUGH, _SHARE * axes)
    if found < wanted:
        kept = variances[:axes]
        power = _power(kept, wanted)
        return Spectrum(found, effective(kept * scales(kept, power) ** 2), power, axes, float(left_out[axes - 1]))
    axes = _leaving_out(_LITTLE, left_out)
    if axes > LEAST_AXES:
        return Spectrum(found, found, 0.0, 0, 0.0)
    return Spectrum(found, effective(variances[:axes]), 0.0, axes, float(left_out[axes - 1]))


def _leaving_out(share: float, left_out: Doubles) -> int:
    """The fewest axes that leave out no more than this share of the variance."""
    return int((left_out > share).sum()) + 1


def scales(variances: Doubles, power: float) -> Doubles:
    """What coordinates are multiplied by, [D]."""
    return np.asarray((variances + FLOOR * variances.mean()) ** -power)


def _power(variances: Doubles, wanted: float) -> float:
    """The power, to within 1/500, that brings the effective dimension to what is wanted."""
    low, high = 0.0, _MOST_POWER
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if effective(variances * scales(variances, middle) ** 2) < wanted:
            low = middle
        else:
            high = middle
    return round(high, 4)


def principal(shifted: Floats) -> tuple[Doubles, Doubles]:
    """Variances [m], falling, and principal axes [m, d] of vectors [n, d] less their mean.

    At most as many as the sample can tell (n - 1), and none without variance. numpy computes all of them: scipy's
    `eigh` could leave some out, but keeps the interpreter's lock meanwhile.
    """
    count, length = shifted.shape
    if count < length:  # the same axes from the smaller of the two products
        wide = shifted.astype(np.float64)  # an axis of little variance is a small difference here
        variances, sides = _falling(wide @ wide.T / count)
        axes = sides.T @ wide
        axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), NO_VARIANCE)
    else:
        variances, columns = _falling(shifted.T @ shifted / count)
        axes = columns.T
    kept = np.flatnonzero(variances > NO_VARIANCE * max(float(variances[0]), NO_VARIANCE))[: count - 1]
    return variances[kept], axes[kept]


def _falling(matrix: Floats | Doubles) -> tuple[Doubles, Doubles]:
    """The eigenvalues of a symmetric matrix, falling, and their vectors as columns."""
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]
