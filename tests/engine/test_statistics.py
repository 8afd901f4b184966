"""The arithmetic of the mixture."""

import numpy as np
import pytest

from sploot_clusterd.engine.statistics import (
    Cells,
    centred_part,
    closeness,
    cosines,
    cosines_to_sum,
    grouped,
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

    assert cosines(many, vectors[3]) == pytest.approx(vectors @ vectors[3], abs=1e-5)
    assert [closeness(many, at, vectors[3], about) for at in range(12)] == pytest.approx(expected, abs=1e-5)


def test_a_cell_of_one_image_has_length_one_once_centred():
    many = cells(units(9))

    assert np.linalg.norm(many.centred(many.about(5.0)), axis=1) == pytest.approx(np.ones(9), abs=1e-4)


def test_some_cells_are_centred_as_all_are():
    many = cells(units(9))
    about = many.about(5.0)

    assert centred_part(many, about, [2, 7]) == pytest.approx(many.centred(about)[[2, 7]], abs=1e-6)


def test_groups_are_sums_of_their_cells():
    many = cells(units(6))
    about = many.about(5.0)
    single = many.centred(about)

    sums, weights = grouped(many, about, np.array([0, 1, 0, 2, 1, 0]), 3)

    assert sums[0] == pytest.approx(single[0] + single[2] + single[5], abs=1e-5)
    assert weights.tolist() == [3, 2, 1]


def test_a_row_alone_is_its_own_sum():
    assert cosines_to_sum(units(1)) == pytest.approx([1.0], abs=1e-5)
    assert (cosines_to_sum(units(5)) <= 1.0).all()
