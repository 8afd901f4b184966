"""The evidence for merging a handful of groups, in plain numbers: a step of numpy takes longer than so few of them."""

import math
from typing import Final

from sploot_clusterd.engine.params import Absorbing
from sploot_clusterd.engine.statistics import DIGITS, EQUAL

FEW: Final = 20
"""Groups up to which this is sooner done than `evidence` with arrays, which says the same and of what it follows."""
_UNIT: Final = 10.0**DIGITS
"""Scores are compared as whole numbers of its parts: so every kind of CPU sees the same ties."""


def evidence_of(square: float, weight: float, ratio: float) -> float:
    """`evidence.evidence` of one group."""
    scaled = ratio * weight + 1.0
    return ratio * (1.0 + ratio) * square / scaled - math.log(scaled)


def best_merge(
    last: int, squares: list[float], weights: list[float], products: list[float], ratio: float
) -> tuple[int, float]:
    """`evidence.best_for_last` of few groups, by their |sum|^2, weights and products with the last one's sum."""
    square, weight, factor = squares[last], weights[last], ratio * (1.0 + ratio)
    alone = evidence_of(square, weight, ratio)
    scores: list[float] = []
    for other in range(last):
        other_square, other_weight = squares[other], weights[other]
        both = weight + other_weight
        scaled = ratio * both + 1.0
        together = factor * (square + other_square + 2.0 * products[other]) / scaled - math.log(scaled)
        root = math.sqrt(weight * other_weight / both + 0.3)  # `evidence._size`
        scores.append((together - evidence_of(other_square, other_weight, ratio) - alone) / (root * math.sqrt(root)))
    least = max(scores) - EQUAL
    best = next(other for other, score in enumerate(scores) if score >= least)
    return best, scores[best]


def clearly_likest(likeness: dict[int, float], rule: Absorbing) -> int | None:
    """`evidence.clearly_like` of one cell: the group that it is clearly most like, of these."""
    known = {group: round(like * _UNIT) / _UNIT for group, like in likeness.items()}
    likest = max(known, key=known.__getitem__, default=None)
    if likest is None:
        return None
    most = known.pop(likest)
    return likest if most >= rule.likeness and most - max(known.values(), default=-math.inf) >= rule.lead else None
