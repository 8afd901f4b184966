"""Learning a profile from the fleet's sample: without labels, from vectors alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from sploot_clusterd.engine.profile import KindProfile, Profile
from sploot_clusterd.engine.sample import Sampled
from sploot_clusterd.engine.statistics import Doubles, Ints
from sploot_clusterd.engine.vectors import Floats
from sploot_clusterd.model import KINDS, SAMPLE_LIMIT

LEAST_SAMPLE: Final = 300
"""Below this an album's own mean tells as much: on real albums profiles of 150 images were no better than none."""
MOST_AXES: Final = 192
_GROWTH: Final = 1.5
_RETRY_GROWTH: Final = 1.1
_POWER: Final = 0.25
_FLOOR: Final = 0.01
"""Of the mean variance, added to each: an axis on which hardly anything varies is noise, not signal."""
_NO_VARIANCE: Final = 1e-7
_STABLE: Final = 0.01
"""A drift below this, of a sample that has grown by half, says that more images would change nothing."""
_MOST_OTHERS: Final = 0.1
"""A sample with a larger share of images of other lengths than most is of two encoders: nothing final comes of it."""
_PAIRS: Final = 4000
_STORED: Final = np.dtype("<f2")


def worth_learning(sampled: int, previous: Profile | None, tried: int = 0) -> bool:
    """Whether a sample of that size can say more than the profile that is there.

    `tried` is the size of a sample that nothing could be learned from: it is tried again when it has grown by a tenth.
    """
    if sampled < _RETRY_GROWTH * tried:
        return False
    if previous is None or not previous.kinds:
        return sampled >= LEAST_SAMPLE
    return not previous.settled and sampled >= min(_GROWTH * previous.sampled, SAMPLE_LIMIT) > previous.sampled


def learn(model_version: str, sample: Sequence[Sampled], previous: Profile | None = None) -> Profile | None:
    """The next generation; None if no kind has LEAST_SAMPLE images that differ. Seconds of computing for a full sample.

    It is settled when the sample is full, or when it sees the images as the generation before it did; never from a
    sample of two encoders, by the lengths of their vectors. Of these it is learned from the one that has more images,
    and anew when that one has grown.
    """
    whole, sample = sample, of_one_encoder(sample)
    if previous is not None and len(sample) < len(whole) and not _has_grown(sample, previous):
        return None
    matrices = {kind: _matrix(kind, sample) for kind in KINDS}
    known = {kind: learn_kind(vectors) for kind, vectors in matrices.items() if len(vectors) >= LEAST_SAMPLE}
    kinds = {kind: each for kind, each in known.items() if each.dimension}
    if not kinds:
        return None
    drift = None
    if previous is not None and previous.kinds.keys() == kinds.keys():
        drift = max(_drift(matrices[kind], previous.kinds[kind], kinds[kind]) for kind in kinds)
    stable = drift is not None and drift < _STABLE
    profile = Profile(
        model_version,
        generation=previous.generation + 1 if previous is not None else 1,
        sampled=len(sample),
        settled=stable or len(sample) >= SAMPLE_LIMIT,
        drift=drift,
        kinds=kinds,
    )
    return replace(profile, settled=False) if other_lengths(profile, whole) else profile


def of_one_encoder(sample: Sequence[Sampled]) -> Sequence[Sampled]:
    """Those that go together: kind by kind the length that most have, and of those with another one none at all, for
    their other kinds are another encoder's, too.
    """
    for kind in KINDS:
        lengths = [image.lengths.get(kind, 0) for image in sample]
        given = [length for length in lengths if length]
        if len(set(given)) > 1:
            most = max(set(given), key=lambda each: (given.count(each), each))
            sample = [image for image, length in zip(sample, lengths, strict=True) if length in {0, most}]
    return sample


def _has_grown(sample: Sequence[Sampled], previous: Profile) -> bool:
    """Whether a part of a sample says more than the profile that was learned from it, or is of another encoder."""
    enough = min(_GROWTH * previous.sampled, (1 - _MOST_OTHERS) * SAMPLE_LIMIT)
    return len(sample) >= enough or not all(previous.fits(image.lengths) for image in sample)


def other_lengths(profile: Profile, sample: Sequence[Sampled]) -> bool:
    """Whether many of the sample have vectors of other lengths than were learned: it is of two encoders."""
    others = sum(not profile.fits(image.lengths) for image in sample)
    return others > _MOST_OTHERS * len(sample)


def learn_kind(vectors: Floats) -> KindProfile:
    """Mean, leading principal axes and their scales, of vectors [n, d] of length 1.

    At most as many axes as the sample can tell (n - 1), and none without variance. Scales are variance^(-1/4).
    """
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    shifted = vectors - mean
    count, length = shifted.shape
    most = min(MOST_AXES, length, count - 1)
    if count < length:  # the same axes from the smaller of the two products
        wide = shifted.astype(np.float64)  # an axis of little variance is a small difference here
        variances, sides = _leading(wide @ wide.T / count, most)
        axes = sides.T @ wide
        axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), _NO_VARIANCE)
    else:
        variances, columns = _leading(shifted.T @ shifted / count, most)
        axes = columns.T
    kept = variances > _NO_VARIANCE * max(float(variances[0]), _NO_VARIANCE)
    variances, axes = variances[kept], axes[kept]
    scales = (variances + _FLOOR * variances.sum() / max(len(variances), 1)) ** -_POWER
    rest = float(np.einsum("ij,ij->", shifted, shifted)) / count - float(variances.sum())
    return KindProfile(mean, axes.astype(np.float32), scales.astype(np.float32), max(rest, 0.0))


def _leading(matrix: Floats | Doubles, most: int) -> tuple[Doubles, Doubles]:
    """The `most` largest eigenvalues of a symmetric matrix, falling, and their vectors as columns.

    All are computed, by numpy: scipy's `eigh` could leave the others out, but keeps the interpreter's lock meanwhile.
    """
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return np.maximum(values[::-1][:most], 0.0), vectors[:, ::-1][:, :most]


def _drift(vectors: Floats, before: KindProfile, after: KindProfile) -> float:
    """1 - the correlation of the cosines that both give the same pairs of images; 1 where the length changed
    or either sees no difference between pairs.
    """
    if before.length != after.length:
        return 1.0
    draw = np.random.default_rng(len(vectors))
    left, right = draw.integers(0, len(vectors), (2, _PAIRS))
    apart = left != right
    one, other = (_cosines(known.reduce(vectors), left[apart], right[apart]) for known in (before, after))
    one, other = one - one.mean(), other - other.mean()
    spread = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.clip(1.0 - (one @ other) / spread, 0.0, 1.0)) if spread > _NO_VARIANCE * len(one) else 1.0


def _cosines(reduced: Floats, left: Ints, right: Ints) -> Doubles:
    units = reduced / np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), _FLOOR * 1e-6)
    return np.asarray(np.einsum("ij,ij->i", units[left], units[right]), dtype=np.float64)


def _matrix(kind: str, sample: Sequence[Sampled]) -> Floats:
    """The sample's vectors of one kind, [n, d] at length 1."""
    rows = [np.frombuffer(image.vectors[kind], dtype=_STORED) for image in sample if kind in image.vectors]
    if not rows:
        return np.zeros((0, 0), dtype=np.float32)
    matrix = np.array(rows, dtype=np.float32)
    return np.asarray(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-6))
