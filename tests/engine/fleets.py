"""Fleets to learn profiles from: vectors of an encoder that prefers some directions, as samples and as profiles."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sploot_clusterd.engine import Profile, Profiles, Sampled, learn
from sploot_clusterd.engine.sample import Fresh

MODEL = "m@1"
DEEP = b"\x91" * 100_000 + b"\xc0"
"""MessagePack of lists in lists, deeper than a decoder may go."""


def vectors(count: int, dimension: int, seed: int = 0, rank: int | None = None) -> np.ndarray:
    """Of length 1, [count, dimension], around a common direction and with variances that fall along `rank` axes.

    The encoder, which is the same for all seeds, has no variance but along these axes.
    """
    encoder, rng = np.random.default_rng(dimension), np.random.default_rng((seed, 1))
    rank = min(rank or dimension - 1, dimension - 1)
    axes, _ = np.linalg.qr(encoder.normal(size=(dimension, rank + 1)))
    along = rng.normal(size=(count, rank)) * np.arange(1, rank + 1) ** -0.5
    found = axes[:, 0] * 1.5 + along @ axes[:, 1:].T
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def sampled(kinds: Mapping[str, np.ndarray]) -> list[Sampled]:
    """An image for each row of the kinds; a row of zeros: the image lacks the kind."""
    count = len(next(iter(kinds.values())))
    return [
        Fresh(f"img-{n}", MODEL, None, {kind: rows[n] for kind, rows in kinds.items() if rows[n].any()}).sampled()
        for n in range(count)
    ]


def profile(generation: int = 1, *, settled: bool = False, count: int = 400, seed: int = 0, **lengths: int) -> Profile:
    """Learned from `count` images; the kinds are named with their lengths."""
    learned = learn(MODEL, sampled({kind: vectors(count, length, seed) for kind, length in lengths.items()}))
    assert learned is not None
    return replace(learned, generation=generation, settled=settled)


def at_hand(*known: Profile, adopt: int | None = None) -> Profiles:
    """These profiles, of which albums adopt the generation that is named, or the last."""
    generation = known[-1].generation if adopt is None else adopt
    return Profiles({(each.model_version, each.generation): each for each in known}, {MODEL: generation})
