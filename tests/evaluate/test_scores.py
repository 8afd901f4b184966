"""The scores against their definitions, by counting pairs and images one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.evaluate.scores import scores

partitions = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 4), min_size=n, max_size=n) for _ in range(2)))
)


def by_hand(labels: list[int], clusters: list[int]) -> tuple[float, float, float, float]:
    """(purity, B-cubed precision, B-cubed recall, ARI) from their definitions."""
    images = range(len(labels))
    precision, recall, pure = [], [], 0
    for i in images:
        with_me = [j for j in images if clusters[j] == clusters[i]]
        like_me = [j for j in images if labels[j] == labels[i]]
        both = [j for j in with_me if j in like_me]
        precision.append(len(both) / len(with_me))
        recall.append(len(both) / len(like_me))
    for cluster in set(clusters):
        inside = [labels[j] for j in images if clusters[j] == cluster]
        pure += max(inside.count(label) for label in inside)
    pairs = list(itertools.combinations(images, 2))
    same_label = sum(labels[i] == labels[j] for i, j in pairs)
    same_cluster = sum(clusters[i] == clusters[j] for i, j in pairs)
    same_both = sum(labels[i] == labels[j] and clusters[i] == clusters[j] for i, j in pairs)
    expected = same_label * same_cluster / len(pairs) if pairs else 0.0
    best = (same_label + same_cluster) / 2
    ari = 1.0 if best == expected else (same_both - expected) / (best - expected)
    n = len(labels)
    return pure / n, sum(precision) / n, sum(recall) / n, ari


@given(partitions)
def test_scores_are_what_their_definitions_say(both):
    labels, clusters = both
    got = scores(np.array(labels), np.array(clusters))
    assert (got.purity, got.bcubed_precision, got.bcubed_recall, got.ari) == pytest.approx(by_hand(labels, clusters))
    assert got.bcubed_f1 == pytest.approx(2 / (1 / got.bcubed_precision + 1 / got.bcubed_recall))
    assert got.k_ratio == len(set(clusters)) / len(set(labels))


@given(partitions, st.permutations(range(5)))
def test_names_of_clusters_do_not_matter(both, names):
    labels, clusters = both
    renamed = [names[cluster] - 7 for cluster in clusters]
    assert scores(np.array(labels), np.array(renamed)) == pytest.approx(scores(np.array(labels), np.array(clusters)))


def test_a_perfect_clustering_gets_the_best_of_each():
    assert scores(np.array([3, 3, 1]), np.array([0, 0, 9])) == (1, 1, 1, 1, 1, 1)


@pytest.mark.parametrize(("labels", "clusters"), [([], []), ([1], [1, 2])])
def test_nothing_cannot_be_scored(labels, clusters):
    with pytest.raises(ValueError, match="one or more images"):
        scores(np.array(labels), np.array(clusters))
