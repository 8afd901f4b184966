"""The mean and the axes of each kind of vector, from a sample's images."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from sploot_clusterd.engine.profile import KindProfile
from sploot_clusterd.engine.sample import Sampled, matrix
from sploot_clusterd.engine.spectrum import NO_VARIANCE, choose, principal, scales
from sploot_clusterd.engine.vectors import Floats
from sploot_clusterd.model import KINDS

LEAST_SAMPLE: Final = 300
"""Images from which axes are learned: on real albums those of 150 were no better than none."""


def learn_kinds(sample: Sequence[Sampled], least: int, least_for_axes: int = LEAST_SAMPLE) -> dict[str, KindProfile]:
    """Of each kind that `least` images have. Kinds that are the same in all images are left out."""
    matrices = {kind: matrix(kind, sample) for kind in KINDS}
    found = {kind: learn_kind(each, least_for_axes) for kind, each in matrices.items() if len(each) >= least}
    return {kind: each for kind, each in found.items() if each is not None}


def learn_kind(vectors: Floats, least: int = LEAST_SAMPLE) -> KindProfile | None:
    """Mean, and the principal axes and scales that the spectrum asks for, of vectors [n, d] of length 1.

    None if all are the same. At most as many axes as the sample can tell (n - 1), none without variance, and none at
    all of fewer than `least` images.
    """
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    shifted = vectors - mean
    count = len(shifted)
    total = float(np.einsum("ij,ij->", shifted, shifted)) / count
    if total <= NO_VARIANCE:
        return None
    if count < least:
        return KindProfile.in_full(mean)
    variances, axes = principal(shifted)
    spectrum = choose(variances, count)
    if not spectrum.axes:
        return KindProfile.in_full(mean, spectrum)
    variances, axes = variances[: spectrum.axes], axes[: spectrum.axes]
    by = scales(variances, spectrum.power).astype(np.float32)
    return KindProfile(mean, axes.astype(np.float32), by, max(total - float(variances.sum()), 0.0), spectrum)
