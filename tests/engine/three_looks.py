"""Pets of three looks, of which one may be rather like another: what users are asked of."""

import numpy as np

from tests.engine.corrected import FIRST, SECOND, THIRD
from tests.engine.pet import Pet, insight, job


def look(axis, towards=0, share=0.0, seed=0):
    """A photo of a look of its own, which has a share of another one."""
    vector = np.zeros(24)
    vector[axis] = 1.0
    vector[towards] += share
    return vector + 0.25 * np.random.default_rng(100 * axis + seed).normal(size=24) / np.sqrt(24)


def photos(axis, count, quality=None, **more):
    return [insight(f"g{axis}-{n}", look(axis, seed=n, **more), quality) for n in range(count)]


def album(*, quality=None, share=0.9):
    """Three clusters, of which the second is rather like the first."""
    pet = Pet()
    pet.apply(job(1, *photos(0, 6, quality), *photos(1, 7, quality, share=share), *photos(2, 6, quality)))
    assert [sorted(pet.members()[each]) for each in (FIRST, SECOND, THIRD)] == [
        [f"g{axis}-{n}" for n in range(count)] for axis, count in enumerate((6, 7, 6))
    ]
    return pet
