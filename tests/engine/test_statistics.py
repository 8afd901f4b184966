"""The arithmetic of the mixture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine.statistics import (
    Cells,
    agglomerate,
    centred,
    cosines,
    cosines_to_sum,
    evidence,
    grouped,
    merge_scores,
)

RATIO = 0.15


def units(count, dimension=8, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def cells(vectors):
    return Cells(vectors, np.ones(len(vectors)))


def near_a_pole(count, cosine):
    """Images whose mean cosine is known: each has a common part and one that is at right angles to all others'."""
    return np.hstack([np.full((count, 1), cosine**0.5), (1 - cosine) ** 0.5 * np.eye(count)]).astype(np.float32)


@pytest.mark.parametrize(("cosine", "shrunk"), [(0.5, 10 / 20), (0.8, 10 / 12.5), (0.2, 10 / 50)])
def test_the_mean_is_shrunk_the_less_the_more_is_common(cosine, shrunk):
    vectors = near_a_pole(10, cosine)

    about = cells(vectors).about(10.0)

    assert about.mean == pytest.approx(vectors.mean(axis=0) * shrunk, abs=1e-4)
    assert about.square == pytest.approx(float(about.mean @ about.mean))


def test_copies_and_single_images_do_not_tell_what_is_common():
    copies = np.tile(units(1), (10, 1))

    assert cells(copies).about(10.0).mean == pytest.approx(copies[0] * 10 / (10 + 10 * 0.15 / 0.85), abs=1e-4)
    assert np.linalg.norm(cells(copies[:1]).about(10.0).mean) < 0.01


def test_cosines_agree_with_subtracting_the_mean():
    vectors = units(12)
    many = cells(vectors)
    about = many.about(5.0)

    expected = [
        np.dot(v - about.mean, vectors[3] - about.mean)
        / np.linalg.norm(v - about.mean)
        / np.linalg.norm(vectors[3] - about.mean)
        for v in vectors
    ]

    plain, both_centred = cosines(many, vectors[3], about)

    assert plain == pytest.approx(vectors @ vectors[3], abs=1e-5)
    assert both_centred == pytest.approx(expected, abs=1e-5)


def test_a_cell_of_one_image_has_length_one_once_centred():
    many = cells(units(9))

    assert np.linalg.norm(centred(many, many.about(5.0)), axis=1) == pytest.approx(np.ones(9), abs=1e-4)


def test_groups_are_sums_of_their_cells():
    many = cells(units(6))
    about = many.about(5.0)
    single = centred(many, about)

    sums, weights = grouped(many, about, np.array([0, 1, 0, 2, 1, 0]), 3)

    assert sums[0] == pytest.approx(single[0] + single[2] + single[5], abs=1e-5)
    assert weights.tolist() == [3, 2, 1]


def test_a_row_alone_is_its_own_sum():
    assert cosines_to_sum(units(1)) == pytest.approx([1.0], abs=1e-5)
    assert (cosines_to_sum(units(5)) <= 1.0).all()


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

    scores = merge_scores(np.ones(3), np.ones(3), 0, products[0], RATIO)

    assert scores[1] > 0
    assert scores[1] > scores[2]


@given(st.integers(1, 24), st.integers(0, 1000))
def test_groups_are_named_by_their_lowest_cell(count, seed):
    many = cells(units(count, seed=seed))

    groups = agglomerate(many, many.about(5.0), RATIO, 0.0)

    for group in set(groups.tolist()):
        assert np.flatnonzero(groups == group)[0] == group


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 1000))
def test_at_most_so_many_groups_are_left_where_a_number_is_given(count, at_most, seed):
    many = cells(units(count, seed=seed))

    groups = agglomerate(many, many.about(5.0), RATIO, 9.0, at_most=at_most)

    assert len(set(groups.tolist())) == min(count, at_most)
