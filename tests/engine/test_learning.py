"""What is learned from a sample, held against a plain principal component analysis."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import LEAST_SAMPLE, Sampled, encode_profile, learn, worth_learning
from sploot_clusterd.engine.learning import MOST_AXES, learn_kind
from sploot_clusterd.model import SAMPLE_LIMIT
from tests.engine.fleets import MODEL, profile, sampled, vectors


def plain_pca(rows):
    """Mean, variances and axes [d, d], by singular values, in double precision."""
    mean = rows.astype(np.float64).mean(axis=0)
    _, values, axes = np.linalg.svd(rows - mean)
    return mean, values**2 / len(rows), axes


@given(st.integers(2, 60), st.integers(2, 40), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_mean_and_axes_are_those_of_a_plain_pca(count, dimension, seed):
    rows = vectors(count, dimension, seed)

    known = learn_kind(rows)
    mean, variances, axes = plain_pca(rows)

    assert known.mean == pytest.approx(mean, abs=1e-6)
    variances = variances[: known.dimension]
    assert known.scales == pytest.approx((variances + 0.01 * variances.mean()) ** -0.25, rel=1e-2)
    gaps = np.abs(np.diff(variances, prepend=np.inf, append=0.0))
    for n in np.flatnonzero(np.minimum(gaps[:-1], gaps[1:]) > 0.01 * variances[0]):  # others may turn into each other
        assert abs(known.axes[n] @ axes[n]) == pytest.approx(1, abs=1e-3)


@given(st.integers(2, 60), st.integers(1, 40), st.integers(1, 40), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_axes_are_orthonormal_and_none_without_variance(count, dimension, rank, seed):
    rows = vectors(count, dimension, seed, rank) if dimension > 1 else np.sign(vectors(count, 2, seed)[:, 1:])

    known = learn_kind(rows)

    spread = np.linalg.matrix_rank(rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64), tol=1e-3)
    assert spread <= known.dimension <= min(count - 1, dimension, rank + 1)
    assert known.axes @ known.axes.T == pytest.approx(np.eye(known.dimension), abs=1e-3)
    assert np.isfinite(known.scales).all()
    assert known.rest == pytest.approx(0, abs=1e-5)


@given(st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_it_does_not_matter_by_which_product_the_axes_are_found(seed):
    """Fewer images than values, and as many more as to turn the scale, from both sides of it."""
    rows = vectors(39, 40, seed)
    longer = np.vstack([rows, rows])

    few, many = learn_kind(rows), learn_kind(longer)

    assert few.dimension == many.dimension == 38
    assert np.abs(np.einsum("ij,ij->i", few.axes, many.axes)) == pytest.approx(np.ones(38), abs=1e-3)
    assert few.scales == pytest.approx(many.scales, rel=1e-3)
    assert few.mean == pytest.approx(many.mean, abs=1e-6)


@pytest.mark.parametrize("count", [30, 90])
def test_axes_are_orthonormal_also_of_images_that_hardly_differ(count):
    wide = vectors(count, 40)
    rows = (wide[:1] + 1e-4 * wide).astype(np.float32)

    known = learn_kind(rows)

    assert known.dimension >= 20
    assert known.axes @ known.axes.T == pytest.approx(np.eye(known.dimension), abs=1e-3)


def test_no_more_axes_are_kept_than_are_worth_it_and_the_rest_is_told():
    rows = vectors(600, 400)

    known = learn_kind(rows)

    _, variances, _ = plain_pca(rows)
    assert known.dimension == MOST_AXES < 400
    assert known.rest == pytest.approx(variances[MOST_AXES:].sum(), rel=1e-3)


def test_the_same_sample_gives_the_same_bytes():
    images = sampled({"embedding": vectors(400, 32)})

    one, again = learn(MODEL, images), learn(MODEL, images)

    assert encode_profile(one) == encode_profile(again)


def test_a_first_profile_is_learned_of_least_sample_images_at_least():
    images = sampled({"embedding": vectors(LEAST_SAMPLE, 16)})

    assert learn(MODEL, images[1:]) is None
    assert learn(MODEL, []) is None
    first = learn(MODEL, images)
    assert (first.model_version, first.generation, first.sampled) == (MODEL, 1, LEAST_SAMPLE)
    assert (first.settled, first.drift) == (False, None)


def test_a_next_one_is_worth_it_from_half_as_many_images_again():
    first = replace(profile(embedding=8), sampled=1000)

    assert not worth_learning(LEAST_SAMPLE - 1, None)
    assert worth_learning(LEAST_SAMPLE, None)
    assert not worth_learning(1499, first)
    assert worth_learning(1500, first)
    assert not worth_learning(4000, replace(first, settled=True))
    assert worth_learning(SAMPLE_LIMIT, replace(first, sampled=3000)), "no more will come"
    assert not worth_learning(SAMPLE_LIMIT, replace(first, sampled=SAMPLE_LIMIT))


def test_a_profile_settles_when_its_sample_is_full():
    images = sampled({"embedding": vectors(SAMPLE_LIMIT, 8)})

    assert not learn(MODEL, images[1:]).settled
    assert learn(MODEL, images).settled


def test_a_profile_settles_when_it_sees_images_as_the_one_before_did():
    short, long = (sampled({"embedding": vectors(450, length)}) for length in (16, 192))

    stable = learn(MODEL, short, learn(MODEL, short[:300]))
    moving = learn(MODEL, long, learn(MODEL, long[:300]))

    assert stable.generation == moving.generation == 2
    assert stable.settled
    assert 0 <= stable.drift < 0.01 < moving.drift < 0.1
    assert not moving.settled


def test_a_fleet_that_turned_into_another_drifts():
    before = profile(embedding=16)
    turned = vectors(600, 16, seed=2)[:, ::-1]

    after = learn(MODEL, sampled({"embedding": turned}), before)

    assert after.drift > 0.2
    assert not after.settled


def test_drift_is_a_number_also_where_a_profile_tells_nothing_apart():
    one_way = replace(profile(embedding=2).kinds["embedding"], axes=np.ones((1, 2), np.float32), scales=np.ones(1))
    before = replace(profile(embedding=2), kinds={"embedding": replace(one_way, mean=np.full(2, -9, np.float32))})

    after = learn(MODEL, sampled({"embedding": vectors(400, 2)}), before)

    assert (after.drift, after.settled) == (1.0, False)


def test_another_length_or_other_kinds_do_not_settle_a_profile():
    longer = learn(MODEL, sampled({"embedding": vectors(600, 16)}), profile(embedding=8))
    more = learn(MODEL, sampled({"embedding": vectors(600, 8), "pose": vectors(600, 4)}), profile(embedding=8))

    assert (longer.drift, longer.settled) == (1.0, False)
    assert (more.drift, more.settled) == (None, False)


@pytest.mark.parametrize("odd", [149, 1])
def test_images_of_another_length_than_most_are_left_out(odd):
    images = sampled({"embedding": vectors(400, 16)})
    strangers = sampled({"embedding": vectors(odd, 24)})

    learned = learn(MODEL, [*strangers, *images])

    assert (learned.sampled, learned.kinds["embedding"].length) == (400 + odd, 16)
    assert learned.kinds["embedding"].axes.tobytes() == learn(MODEL, images).kinds["embedding"].axes.tobytes()


def test_kinds_are_learned_apart_each_from_the_images_that_have_it():
    embedding, pose, context = vectors(700, 16), vectors(700, 6, seed=1), vectors(700, 4, seed=2)
    pose[:300] = context[:401] = 0

    learned = learn(MODEL, sampled({"embedding": embedding, "pose": pose, "context": context}))

    assert list(learned.kinds) == ["embedding", "pose"], "299 images have a context"
    stored = pose[300:].astype(np.float16).astype(np.float32)
    assert learned.kinds["pose"].mean == pytest.approx(stored.mean(axis=0), abs=1e-3)
    assert learn(MODEL, sampled({"pose": pose[300:]})).kinds["pose"].mean == pytest.approx(
        learned.kinds["pose"].mean, abs=1e-6
    )


def test_a_kind_that_is_the_same_in_all_images_is_left_alone():
    same = np.repeat(vectors(1, 6), 400, axis=0)
    images = sampled({"embedding": vectors(400, 16), "context": same})

    assert list(learn(MODEL, images).kinds) == ["embedding"]
    assert learn(MODEL, sampled({"context": same})) is None


def test_vectors_are_taken_at_length_one_though_they_were_rounded():
    rounded = [Sampled(None, {"embedding": (2 * row).astype("<f2").tobytes()}) for row in vectors(400, 16)]

    mean = learn(MODEL, rounded).kinds["embedding"].mean

    assert mean == pytest.approx(vectors(400, 16).mean(axis=0), abs=1e-3)
