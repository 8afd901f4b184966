"""A profile on trial: what it makes of images that it was not learned from, told by which of them are of one pet.

On the images that axes were learned from, whitening makes cosines smaller than on others, and pets better told apart.
So the pets are parted in two halves, and each half is compared by axes of the other.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sploot_clusterd.engine.axes import LEAST_SAMPLE, learn_kinds
from sploot_clusterd.engine.params import KindWeights
from sploot_clusterd.engine.profile import KindProfile, Profile
from sploot_clusterd.engine.sample import STORED, Sampled
from sploot_clusterd.engine.scale import LEAST_PETS, Likeness, measure
from sploot_clusterd.engine.vector_format import VectorFormat

Owned = Sequence[tuple[str, Sampled]]
"""Images with their pets."""


def tried(profile: Profile, images: Owned, weights: KindWeights) -> Profile:
    """The profile with the likeness that it finds; without axes, if these tell pets apart no better than none.

    Without pets to tell by, it is left as it is.
    """
    if not any(len(known.axes) for known in profile.kinds.values()):
        return replace(profile, likeness=_likeness(profile, images, weights, LEAST_PETS))
    plain = replace(profile, kinds={kind: _without_axes(known) for kind, known in profile.kinds.items()})
    without, held_out = _likeness(plain, images, weights, LEAST_PETS), _held_out(profile, images, weights)
    if without is None or held_out is None or held_out.contrast > without.contrast:
        return replace(profile, likeness=held_out)
    return replace(plain, likeness=without)


def _without_axes(known: KindProfile) -> KindProfile:
    spectrum = known.spectrum and known.spectrum._replace(axes=0, power=0.0, scaled=known.spectrum.effective)
    return KindProfile.in_full(known.mean, spectrum)


def _held_out(profile: Profile, images: Owned, weights: KindWeights) -> Likeness | None:
    """Of each half of the pets by axes of the other; None if either cannot be measured."""
    found = []
    halves = _halves(images)
    for half, other in (halves, halves[::-1]):
        kinds = learn_kinds([image for _, image in other], 2, LEAST_SAMPLE // 4)
        found.append(_likeness(replace(profile, kinds=kinds), half, weights, LEAST_PETS // 2))
    one, two = found
    if one is None or two is None:
        return None
    within, between = np.hypot(one.within, two.within) / 2**0.5, np.hypot(one.between, two.between) / 2**0.5
    return Likeness(one.pets + two.pets, float(within), (one.above + two.above) / 2, float(between))


def _halves(images: Owned) -> tuple[Owned, Owned]:
    """Each pet's images are in one of the two."""
    sides = {pet: number % 2 for number, pet in enumerate(dict.fromkeys(pet for pet, _ in images))}
    return [each for each in images if sides[each[0]]], [each for each in images if not sides[each[0]]]


def _likeness(profile: Profile, images: Owned, weights: KindWeights, least: int) -> Likeness | None:
    """How alike images are that are compared by the profile, as albums compare them; None if it cannot be measured."""
    layout = tuple((kind, known.length) for kind, known in profile.kinds.items())
    whole, vectors, pets = VectorFormat(layout, replace(profile, settled=False)), [], []
    for pet, image in images:
        known = {kind: np.frombuffer(raw, STORED).astype(np.float32) for kind, raw in image.vectors.items()}
        known = {kind: vector for kind, vector in known.items() if profile.of_kind(kind, len(vector))}
        if any(vector.any() for vector in known.values()):
            vectors.append(whole.compared(whole.pack(known, weights)))
            pets.append(pet)
    return measure(np.array(vectors), pets, least) if vectors else None
