"""The evidence for merging a handful of groups, in plain numbers: a step of numpy takes longer than so few of them."""

import math
from collections.abc import Collection
from typing import Final

from sploot_clusterd.engine.statistics import DIGITS, EQUAL

FEW: Final = 24
"""Groups up to which this is sooner done than `evidence` with arrays, which says the same and of what it follows."""
_UNIT: Final = 10.0**DIGITS


def evidence_of(square: float, weight: float, ratio: float) -> float:
    """`evidence.evidence` of one group."""
    scaled = ratio * weight + 1.0
    return ratio * (1.0 + ratio) * square / scaled - math.log(scaled)


def best_merge(
    last: int, squares: list[float], weights: list[float], products: list[float], ratio: float
) -> tuple[int, float]:
    """`evidence.best_for_last` of few groups, by their |sum|^2, weights and products with the last one's sum."""
    alone = [evidence_of(square, weight, ratio) for square, weight in zip(squares, weights, strict=True)]
    scores = _scores(last, range(last), squares, weights, alone, products, ratio)
    least = max(scores) - EQUAL
    best = next(other for other, score in enumerate(scores) if score >= least)
    return best, scores[best]


def agglomerated(products: list[list[float]], weights: list[float], ratio: float, threshold: float) -> list[int]:
    """`agglomerate` of few cells, by all products of their sums; both lists are used up."""
    count = len(weights)
    found = list(range(count))
    squares = [products[at][at] for at in found]
    alone = [evidence_of(square, weight, ratio) for square, weight in zip(squares, weights, strict=True)]
    scores: dict[tuple[int, int], int] = {}  # in the order in which pairs of the same score are merged
    for one in found:
        others = range(one + 1, count)
        found_scores = _scores(one, others, squares, weights, alone, products[one], ratio)
        scores.update(((one, other), _rounded(score)) for other, score in zip(others, found_scores, strict=True))
    while scores:
        pair = max(scores, key=scores.__getitem__)
        if scores[pair] / _UNIT <= threshold:
            break
        into, gone = pair
        found = [into if group == gone else group for group in found]
        row = products[into] = [one + other for one, other in zip(products[into], products[gone], strict=True)]
        row[into] += row[gone]
        squares[into] = row[into]
        weights[into] += weights[gone]
        alone[into] = evidence_of(squares[into], weights[into], ratio)
        scores = {at: score for at, score in scores.items() if gone not in at}
        left = {*found} - {into}
        for other, score in zip(left, _scores(into, left, squares, weights, alone, row, ratio), strict=True):
            products[other][into] = row[other]
            scores[min(into, other), max(into, other)] = _rounded(score)
    return found


def _scores(  # noqa: PLR0917 - what is known of the groups
    one: int,
    others: Collection[int],
    squares: list[float],
    weights: list[float],
    alone: list[float],
    products: list[float],
    ratio: float,
) -> list[float]:
    """`Groups.merge_scores` of these others, by the products of all sums with that of `one`."""
    square, weight, apart, factor = squares[one], weights[one], alone[one], ratio * (1.0 + ratio)
    scores = []
    for other in others:
        both = weight + weights[other]
        scaled = ratio * both + 1.0
        joint = factor * (square + squares[other] + 2.0 * products[other]) / scaled - math.log(scaled)
        root = math.sqrt(weight * weights[other] / both + 0.3)  # `evidence._size`
        scores.append((joint - alone[other] - apart) / (root * math.sqrt(root)))
    return scores


def _rounded(score: float) -> int:
    """In millionths: every kind of CPU sees the same ties."""
    return round(score * _UNIT)
