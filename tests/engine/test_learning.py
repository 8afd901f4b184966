"""What is learned from a sample, held against a plain principal component analysis."""

from dataclasses import replace

import numpy as np
import pytest

from sploot_clusterd.engine import LEAST_SAMPLE, Sampled, encode_profile, learn, worth_learning
from sploot_clusterd.engine.axes import learn_kind
from sploot_clusterd.engine.learning import FIRST_SAMPLE
from sploot_clusterd.engine.spectrum import LEAST_AXES
from sploot_clusterd.model import SAMPLE_LIMIT
from tests.engine.fleets import MODEL, profile, sampled, vectors


def test_a_narrow_spectrum_is_whitened_on_axes_and_what_they_leave_out_is_told():
    rows = vectors(600, 400)

    known = learn_kind(rows)

    mean = rows.astype(np.float64).mean(axis=0)
    _, values, axes = np.linalg.svd(rows - mean, full_matrices=False)
    variances = values**2 / len(rows)
    assert known.mean == pytest.approx(mean, abs=1e-6)
    assert known.dimension == known.spectrum.axes == LEAST_AXES < 400
    assert known.rest == pytest.approx(variances[LEAST_AXES:].sum(), rel=1e-3)
    kept = variances[:LEAST_AXES]
    assert known.scales == pytest.approx((kept + 0.01 * kept.mean()) ** -known.spectrum.power, rel=1e-2)
    assert np.abs(np.einsum("ij,ij->i", known.axes, axes[:LEAST_AXES]))[:40] == pytest.approx(1, abs=1e-3)


def test_a_flat_spectrum_is_left_as_it_is_but_for_the_mean():
    rows = np.random.default_rng(0).normal(size=(600, 512)) + 1
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    known = learn_kind(rows)

    assert (known.dimension, known.spectrum.axes, len(known.axes)) == (512, 0, 0)
    assert known.reduce(rows[0]) == pytest.approx(rows[0] - known.mean)
    assert known.expand(known.reduce(rows[0]) * np.float32(0.3)) == pytest.approx(rows[0], abs=0.02)


def test_few_images_give_a_mean_and_no_axes():
    known = learn_kind(vectors(LEAST_SAMPLE - 1, 32))

    assert (known.dimension, len(known.axes), known.spectrum) == (32, 0, None)


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

    assert not worth_learning(FIRST_SAMPLE - 1, None)
    assert worth_learning(FIRST_SAMPLE, None)
    small = replace(first, sampled=FIRST_SAMPLE)
    assert not worth_learning(LEAST_SAMPLE - 1, small), "nothing but the mean would change"
    assert worth_learning(LEAST_SAMPLE, small)
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

    assert (learned.sampled, learned.kinds["embedding"].length) == (400, 16)
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


def test_of_two_encoders_under_one_name_one_is_learned_and_never_a_mixture():
    """Most embeddings are of one of them and most poses of the other: a profile of both would fit neither."""
    one = [Sampled(None, {"embedding": half(vectors(400, 12, 1)[n])}) for n in range(400)]
    other = [
        Sampled(None, {"embedding": half(vectors(350, 8, 2)[n]), "pose": half(vectors(350, 6, 3)[n])})
        for n in range(350)
    ]
    pose = [Sampled(None, {"embedding": image.vectors["embedding"], "pose": half(np.ones(5))}) for image in one[:310]]

    learned = learn(MODEL, [*other, *pose, *one[310:]])

    assert learned is not None
    assert {kind: known.length for kind, known in learned.kinds.items()} == {"embedding": 12}
    assert (learned.sampled, learned.settled) == (400, False)


def test_a_part_of_a_sample_goes_on_to_be_learned_from_when_it_has_grown():
    rows, others = vectors(1500, 12, 1), [Sampled(None, {"embedding": half(np.ones(8) * n)}) for n in range(1, 401)]
    every = [Sampled(None, {"embedding": half(row)}) for row in rows]
    first = learn(MODEL, [*every[:500], *others])
    assert first is not None
    assert learn(MODEL, [*every[:700], *others], first) is None
    second = learn(MODEL, [*every[:750], *others], first)
    assert second is not None
    assert (second.generation, second.sampled) == (2, 750)


def test_another_encoder_takes_over_where_it_has_more_images():
    few = [Sampled(None, {"embedding": half(row)}) for row in vectors(310, 8, 1)]
    many = [Sampled(None, {"embedding": half(row)}) for row in vectors(350, 12, 2)]
    first = learn(MODEL, few)
    second = learn(MODEL, [*few, *many], first)
    assert first is not None
    assert second is not None
    assert second.kinds["embedding"].length == 12


def half(row) -> bytes:
    return (row / np.linalg.norm(row)).astype("<f2").tobytes()
