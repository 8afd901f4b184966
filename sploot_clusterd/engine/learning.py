"""Learning a profile from the fleet's sample: without labels, from vectors alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from sploot_clusterd.engine.axes import LEAST_SAMPLE, learn_kinds
from sploot_clusterd.engine.params import KindWeights
from sploot_clusterd.engine.profile import KindProfile, Profile
from sploot_clusterd.engine.sample import Sampled, matrix
from sploot_clusterd.engine.scale import LEAST_PETS
from sploot_clusterd.engine.spectrum import NO_VARIANCE
from sploot_clusterd.engine.statistics import TINY, Doubles, Ints
from sploot_clusterd.engine.trial import tried
from sploot_clusterd.engine.vectors import Floats
from sploot_clusterd.model import KINDS, SAMPLE_LIMIT

FIRST_SAMPLE: Final = 4 * LEAST_PETS
"""Images from which a first, small generation is learned: mean and scale, without axes."""
_GROWTH: Final = 1.5
_RETRY_GROWTH: Final = 1.1
_STABLE: Final = 0.01
"""A drift below this, of a sample that has grown by half, says that more images would change nothing ..."""
_STEADY: Final = 0.05
"""... if the scale changed by no larger part of it."""
_MOST_OTHERS: Final = 0.1
"""A sample with a larger share of images of other lengths than most is of two encoders: nothing final comes of it."""
_PAIRS: Final = 4000
_WEIGHTS: Final = KindWeights()


def worth_learning(sampled: int, previous: Profile | None, in_vain: int = 0) -> bool:
    """Whether a sample of that size can say more than the profile that is there.

    `in_vain` is the size of a sample that nothing could be learned from: one that has grown by a tenth is tried again.
    """
    if sampled < _RETRY_GROWTH * in_vain:
        return False
    if previous is None or not previous.kinds:
        return sampled >= FIRST_SAMPLE
    if previous.sampled < LEAST_SAMPLE:
        return not previous.settled and sampled >= LEAST_SAMPLE
    return not previous.settled and sampled >= min(_GROWTH * previous.sampled, SAMPLE_LIMIT) > previous.sampled


def learn(
    model_version: str,
    sample: Sequence[Sampled],
    previous: Profile | None = None,
    pets: Sequence[str] = (),
    weights: KindWeights = _WEIGHTS,
) -> Profile | None:
    """The next generation; None if nothing can be said yet. Seconds of computing for a full sample.

    `pets` names the pet of each image: without, no scale is measured. Of fewer than LEAST_SAMPLE images only mean and
    scale are learned, and nothing without a scale. Kinds that are the same in all images are left alone.

    It is settled when the sample is full, or when it sees the images as the generation before it did; never from a
    sample of two encoders, by the lengths of their vectors. Of these it is learned from the one that has more images,
    and anew when that one has grown.
    """
    chosen = of_one_encoder(sample)
    whole, sample = sample, [sample[at] for at in chosen]
    if previous is not None and len(sample) < len(whole) and not _has_grown(sample, previous):
        return None
    kinds = learn_kinds(sample, LEAST_SAMPLE if len(sample) >= LEAST_SAMPLE else LEAST_PETS)
    if not kinds:
        return None
    generation = previous.generation + 1 if previous is not None else 1
    profile = Profile(model_version, generation, len(sample), settled=False, drift=None, kinds=kinds)
    if len(pets) == len(whole):
        profile = tried(profile, [(pets[at], whole[at]) for at in chosen], weights)
    if profile.likeness is None and len(sample) < LEAST_SAMPLE:
        return None
    if previous is not None and previous.kinds.keys() == kinds.keys():
        drift = max(_drift(matrix(kind, sample), previous.kinds[kind], profile.kinds[kind]) for kind in kinds)
        profile = replace(profile, drift=drift)
    if other_lengths(profile, whole):
        return profile
    return replace(profile, settled=len(sample) >= SAMPLE_LIMIT or _is_stable(profile, previous))


def _is_stable(profile: Profile, previous: Profile | None) -> bool:
    """Whether it sees images as the one before did, which was of no small sample."""
    if previous is None or profile.drift is None or previous.sampled < LEAST_SAMPLE:
        return False
    steady = abs(profile.scale - previous.scale) <= _STEADY * previous.scale
    return profile.drift < _STABLE and steady


def of_one_encoder(sample: Sequence[Sampled]) -> Sequence[int]:
    """The places of those that go together: kind by kind the length that most have, and of those with another one none
    at all, for their other kinds are another encoder's, too.
    """
    chosen: Sequence[int] = range(len(sample))
    for kind in KINDS:
        lengths = {at: sample[at].lengths.get(kind, 0) for at in chosen}
        given = [length for length in lengths.values() if length]
        if len(set(given)) > 1:
            most = max(set(given), key=lambda each: (given.count(each), each))
            chosen = [at for at, length in lengths.items() if length in {0, most}]
    return chosen


def _has_grown(sample: Sequence[Sampled], previous: Profile) -> bool:
    """Whether a part of a sample says more than the profile that was learned from it, or is of another encoder."""
    enough = min(_GROWTH * previous.sampled, (1 - _MOST_OTHERS) * SAMPLE_LIMIT)
    return len(sample) >= enough or not all(previous.fits(image.lengths) for image in sample)


def other_lengths(profile: Profile, sample: Sequence[Sampled]) -> bool:
    """Whether many of the sample have vectors of other lengths than were learned: it is of two encoders."""
    others = sum(not profile.fits(image.lengths) for image in sample)
    return others > _MOST_OTHERS * len(sample)


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
    return float(np.clip(1.0 - (one @ other) / spread, 0.0, 1.0)) if spread > NO_VARIANCE * len(one) else 1.0


def _cosines(reduced: Floats, left: Ints, right: Ints) -> Doubles:
    units = reduced / np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), TINY)
    return np.asarray(np.einsum("ij,ij->i", units[left], units[right]), dtype=np.float64)
