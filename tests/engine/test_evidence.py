"""Evidence and what follows from it: merging by the best pair, and which weak groups strong ones take in."""

import itertools
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine.evidence import Groups, absorb, agglomerate, best_for_last, clearly_like, evidence
from sploot_clusterd.engine.handful import clearly_likest
from sploot_clusterd.engine.params import Absorbing

RATIO = 0.15
RULE = Absorbing(weight=3.0, likeness=0.2, lead=0.1)


def units(count, dimension=8, seed=1):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_evidence_is_the_marginal_likelihood_of_gaussians():
    """Against the density itself: n values of one dimension whose covariance is v (1 + ratio * ones)."""
    values = np.array([0.3, -0.2, 0.5])
    variance = 1 / (1 + RATIO)
    covariance = variance * (np.eye(3) + RATIO * np.ones((3, 3)))
    together = -0.5 * (np.log(np.linalg.det(covariance)) + values @ np.linalg.inv(covariance) @ values)
    apart = -0.5 * (3 * np.log(variance) + values @ values / variance)

    assert evidence(np.array([values.sum() ** 2]), np.array([3.0]), RATIO)[0] == pytest.approx(2 * (together - apart))


def test_merging_likes_is_worth_more_than_merging_strangers():
    vectors = units(3)
    vectors[1] = vectors[0]
    products = (vectors @ vectors.T).astype(float)

    scores = Groups.of(vectors, np.ones(3), RATIO).merge_scores(0, products[0])

    assert scores[1] > 0
    assert scores[1] > scores[2]


def plainly(sums, weights, ratio, threshold):
    """`agglomerate` as its description says, with nothing kept from one merge to the next."""
    groups = {n: [n] for n in range(len(sums))}
    while len(groups) > 1:
        names = sorted(groups)
        total = np.array([sums[groups[name]].astype(float).sum(axis=0) for name in names])
        weight = np.array([weights[groups[name]].sum() for name in names])
        scored = [
            (Groups.of(total, weight, ratio).merge_scores(a, total @ total[a])[b], a, b)
            for a, b in itertools.combinations(range(len(names)), 2)
        ]
        score, a, b = max(scored, key=lambda item: item[0])
        if score <= threshold:
            break
        groups[names[a]] += groups.pop(names[b])
    return sorted(map(sorted, groups.values()))


@pytest.mark.parametrize("few", [0, 256])
@given(st.integers(1, 14), st.integers(0, 1000), st.sampled_from([0.0, 0.05, 0.2]))
def test_the_best_pair_is_merged_until_none_is_worth_it(few, count, seed, threshold):
    sums, weights = units(count, seed=seed), np.random.default_rng(seed).uniform(0.2, 1.0, count)
    sums = sums * weights[:, None].astype(np.float32)

    with mock.patch("sploot_clusterd.engine.evidence._FEW", few):
        groups = agglomerate(sums, weights, RATIO, threshold)

    found = [sorted(np.flatnonzero(groups == group).tolist()) for group in set(groups.tolist())]
    assert sorted(found) == plainly(sums, weights, RATIO, threshold)
    assert all(groups[members[0]] == members[0] for members in found)


@given(st.integers(0, 24), st.integers(1, 24), st.integers(0, 1000))
def test_at_most_so_many_groups_are_left_where_a_number_is_given(count, at_most, seed):
    groups = agglomerate(units(count, seed=seed), np.ones(count), RATIO, 9.0, at_most=at_most)

    assert len(set(groups.tolist())) == min(count, at_most)


@given(st.integers(2, 30), st.integers(0, 1000))
def test_the_best_of_a_handful_is_the_best_of_many(count, seed):
    sums, weights = units(count, seed=seed), np.random.default_rng(seed).uniform(0.2, 3.0, count)
    sums *= weights[:, None].astype(np.float32)
    products = sums.dot(sums[-1]).astype(float)
    found = []
    for few in (0, count):
        with mock.patch("sploot_clusterd.engine.evidence.FEW", few):
            found.append(best_for_last(sums, weights, products, RATIO))

    (best, score), (plain_best, plain_score) = found
    assert plain_best == best
    assert plain_score == pytest.approx(score, abs=1e-12)


@given(st.lists(st.sampled_from([-0.1, 0.2, 0.2000001, 0.29, 0.3, 0.31, 0.4]), max_size=5))
def test_an_image_alone_is_like_what_it_is_like_among_others(likeness):
    likest = clearly_likest(dict(enumerate(likeness)), RULE)

    assert likest == (None if not likeness or (at := int(clearly_like(np.array([likeness]), RULE)[0])) < 0 else at)


def test_an_image_is_like_a_group_only_if_it_is_clearly_so():
    east, between, west = [1.0, 0.0], [0.7, 0.7], [-1.0, 0.0]

    assert clearly_like(np.array([east, between, west]), RULE).tolist() == [0, -1, -1]
    assert clearly_like(np.array([[1.0], [0.1]]), RULE).tolist() == [0, -1]


def test_where_no_group_is_strong_none_is_dissolved():
    assert absorb(units(2), np.ones(2), np.array([0, 1]), RULE).tolist() == [0, 1]


def test_weak_groups_are_dissolved_into_strong_ones_that_their_cells_are_like():
    sums = np.array([[4.0, 0.0], [0.0, 3.0], [0.9, 0.1], [-1.0, -1.0]], dtype=np.float32)
    weights = np.array([4.0, 3.0, 1.0, 1.5])

    assert absorb(sums, weights, np.array([0, 1, 2, 2]), RULE).tolist() == [0, 1, 0, 2]


@given(st.integers(0, 30), st.integers(0, 1000))
def test_strong_groups_keep_all_they_have(count, seed):
    draw = np.random.default_rng(seed)
    weights, groups = draw.uniform(0.2, 2.0, count), draw.integers(0, 6, count)
    sums = units(count, dimension=3, seed=seed) * weights[:, None].astype(np.float32)

    after = absorb(sums, weights, groups, RULE)

    for group in set(groups.tolist()):
        held = groups == group
        if weights[held].sum() >= RULE.weight:
            assert (after[held] == group).all()
    assert set(after.tolist()) <= set(groups.tolist())
