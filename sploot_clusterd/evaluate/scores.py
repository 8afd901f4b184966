"""How good a clustering is against labels. An image in no cluster counts as a cluster of its own."""

from typing import NamedTuple

import numpy as np

from sploot_clusterd.engine.statistics import Doubles, Ints


class Scores(NamedTuple):
    """All but `k_ratio` lie in 0..1, the adjusted Rand index may be a little below; higher is better."""

    purity: float
    """Share of images that carry the commonest label of their cluster."""
    bcubed_precision: float
    bcubed_recall: float
    bcubed_f1: float
    """Harmonic mean of both: Bagga and Baldwin, "Entity-based cross-document coreferencing", 1998."""
    ari: float
    """Adjusted Rand index: Hubert and Arabie, "Comparing partitions", 1985."""
    k_ratio: float
    """Clusters found for each label there is."""


def contingency(labels: Ints, clusters: Ints) -> Doubles:
    """How many images have each label in each cluster, [labels, clusters]; both arguments are [n]."""
    rows, row = np.unique(labels, return_inverse=True)
    columns, column = np.unique(clusters, return_inverse=True)
    table = np.zeros((len(rows), len(columns)))
    np.add.at(table, (row, column), 1.0)
    return table


def scores(labels: Ints, clusters: Ints) -> Scores:
    """Scores of `clusters` [n] against `labels` [n]; which numbers are used does not matter.

    Raises ValueError if they are empty or differ in length.
    """
    if not len(labels) or len(labels) != len(clusters):
        raise ValueError("expected a label and a cluster for each of one or more images")
    table = contingency(labels, clusters)
    count = table.sum()
    precision = float((table**2 / table.sum(axis=0)).sum() / count)
    recall = float((table**2 / table.sum(axis=1, keepdims=True)).sum() / count)
    return Scores(
        purity=float(table.max(axis=0).sum() / count),
        bcubed_precision=precision,
        bcubed_recall=recall,
        bcubed_f1=2.0 * precision * recall / (precision + recall),
        ari=_adjusted_rand(table),
        k_ratio=table.shape[1] / table.shape[0],
    )


def _adjusted_rand(table: Doubles) -> float:
    """(index - expected) / (maximum - expected), of pairs that share a label, a cluster, both."""
    same_label, same_cluster = _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    all_pairs = float(table.sum() * (table.sum() - 1.0) / 2.0)
    if not all_pairs:
        return 1.0
    expected = same_label * same_cluster / all_pairs
    best = (same_label + same_cluster) / 2.0
    return 1.0 if best == expected else (_pairs(table) - expected) / (best - expected)


def _pairs(counts: Doubles) -> float:
    return float((counts * (counts - 1.0) / 2.0).sum())
