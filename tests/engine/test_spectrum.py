"""Axes and powers, held against a plain principal component analysis and against spectra that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine.spectrum import ENOUGH, LEAST_AXES, MOST_AXES, choose, effective, principal, scales
from tests.engine.fleets import vectors


def shifted(rows: np.ndarray) -> np.ndarray:
    return rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)


def plain_pca(rows: np.ndarray):
    """Variances and axes [d, d], by singular values, in double precision."""
    _, values, axes = np.linalg.svd(rows - rows.astype(np.float64).mean(axis=0))
    return values**2 / len(rows), axes


@given(st.integers(2, 60), st.integers(2, 40), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_axes_are_those_of_a_plain_pca(count, dimension, seed):
    rows = vectors(count, dimension, seed)

    found, axes = principal(shifted(rows))
    variances, expected = plain_pca(rows)

    assert found == pytest.approx(variances[: len(found)], rel=1e-2, abs=1e-6)
    gaps = np.abs(np.diff(variances, prepend=np.inf, append=0.0))
    for n in np.flatnonzero(np.minimum(gaps[:-1], gaps[1:]) > 0.01 * variances[0]):  # others may turn into each other
        assert abs(axes[n] @ expected[n]) == pytest.approx(1, abs=1e-3)


@given(st.integers(2, 60), st.integers(1, 40), st.integers(1, 40), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_axes_are_orthonormal_and_none_without_variance(count, dimension, rank, seed):
    rows = vectors(count, dimension, seed, rank) if dimension > 1 else np.sign(vectors(count, 2, seed)[:, 1:])

    variances, axes = principal(shifted(rows))

    spread = np.linalg.matrix_rank(rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64), tol=1e-3)
    assert spread <= len(axes) <= min(count - 1, dimension, rank + 1)
    assert axes @ axes.T == pytest.approx(np.eye(len(axes)), abs=1e-3)
    assert (np.diff(variances) <= 0).all()


@given(st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_it_does_not_matter_by_which_product_the_axes_are_found(seed):
    """Fewer images than values, and as many more as to turn the scale, from both sides of it."""
    rows = vectors(39, 40, seed)

    (few, few_axes), (many, many_axes) = principal(shifted(rows)), principal(shifted(np.vstack([rows, rows])))

    assert len(few) == len(many) == 38
    assert np.abs(np.einsum("ij,ij->i", few_axes, many_axes)) == pytest.approx(np.ones(38), abs=1e-3)
    assert few == pytest.approx(many, rel=1e-3)


@pytest.mark.parametrize("count", [30, 90])
def test_axes_are_orthonormal_also_of_images_that_hardly_differ(count):
    wide = vectors(count, 40)

    _, axes = principal(shifted((wide[:1] + 1e-4 * wide).astype(np.float32)))

    assert len(axes) >= 20
    assert axes @ axes.T == pytest.approx(np.eye(len(axes)), abs=1e-3)


@pytest.mark.parametrize("count", [300, 1000, 4000])
def test_the_effective_dimension_is_that_of_the_fleet_and_not_of_the_sample(count):
    rows = np.random.default_rng(0).normal(size=(count, 200)).astype(np.float32) * np.float32(200**-0.5)

    variances, _ = principal(shifted(rows))

    assert effective(np.ones(7)) == pytest.approx(7)
    assert effective(variances) < 0.96 * 200
    assert effective(variances, count) == pytest.approx(200, rel=0.03)


@given(st.floats(0.0, 1.5), st.integers(2, 1280))
@settings(max_examples=60, deadline=None)
def test_whitening_stops_at_enough_and_never_projects_a_flat_spectrum(steepness, dimension):
    variances = np.arange(1.0, dimension + 1) ** -steepness

    found = choose(variances, 10**6)

    if not found.power:
        assert found.effective >= min(ENOUGH, 0.65 * min(LEAST_AXES, dimension)) * 0.999
        assert found.left_out <= 0.02
        assert found.axes <= LEAST_AXES
        return
    assert min(LEAST_AXES, dimension) <= found.axes <= min(MOST_AXES, dimension)
    assert 0.0 < found.power <= 0.4
    kept = variances[: found.axes]
    assert found.scaled == pytest.approx(effective(kept * scales(kept, found.power) ** 2))
    assert found.scaled <= min(ENOUGH, 0.65 * found.axes) * 1.02


def test_steeper_spectra_are_whitened_further():
    powers = [choose(np.arange(1.0, 769) ** -steepness, 4000).power for steepness in (0.6, 0.8, 1.0, 1.2)]

    assert powers == sorted(powers)
    assert powers[0] < powers[-1]
