"""What clusters of images with vectors are called."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from sploot_clusterd.engine.label import assign
from tests.engine.pet import Pet, direction, insight, job, photos

LABELS = ("Portraits", "Action Shots")


def labels(pet):
    return {c["id"].removeprefix("pet_123-cluster-"): c["label"] for c in pet.clusters}


def test_the_images_own_labels_decide_by_vote():
    pet = Pet()
    pet.apply(
        job(1, *photos([3], label="Sleep"), insight("odd", direction(0, 0.3, 9), label="Play"), labels=("Portraits",))
    )

    assert labels(pet) == {"0": "Sleep"}


def test_a_vote_follows_the_images():
    pet = Pet()
    pet.apply(job(1, *photos([3], label="Sleep")))
    pet.apply(job(2, *photos([3], label="Nap")))
    assert labels(pet) == {"0": "Nap"}

    pet.apply(job(3, *photos([2], label=None)))
    assert labels(pet) == {"0": "Nap"}
    pet.apply(job(4, *photos([3], label=None)))
    assert labels(pet) == {"0": "Group 1"}


def test_without_votes_the_jobs_labels_are_matched_by_coverage():
    pet = Pet()
    pet.apply(job(1, *photos([3, 9]), labels=LABELS, coverage={"portrait": 0.75, "action": 0.25}))

    by_size = {c["size"]: c["label"] for c in pet.clusters}

    assert by_size == {3: "Action Shots", 9: "Portraits"}


def test_a_matched_label_stays_while_the_newest_job_has_it():
    pet = Pet()
    pet.apply(job(1, *photos([3, 9]), labels=LABELS, coverage={"portrait": 0.75, "action": 0.25}))
    before = labels(pet)

    pet.apply(job(2, labels=LABELS, coverage={"portrait": 0.25, "action": 0.75}))
    assert labels(pet) == before

    pet.apply(job(3, labels=("Portraits", "Sleep")))
    assert sorted(labels(pet).values()) == ["Portraits", "Sleep"]
    assert [key for key, label in labels(pet).items() if label == "Portraits"] == [
        key for key, label in before.items() if label == "Portraits"
    ]


def test_a_label_in_use_is_not_matched_again():
    pet = Pet()
    pet.apply(job(1, *photos({0: 3}, label="Portraits"), *photos({1: 3}), labels=("Portraits",)))

    assert sorted(labels(pet).values()) == ["Group 1", "Portraits"]


def test_groups_are_numbered_once_and_for_all():
    pet = Pet()
    pet.apply(job(1, *photos([3, 3])))
    assert sorted(labels(pet).values()) == ["Group 1", "Group 2"]

    pet.apply(job(2, removed=["g0-0", "g0-1", "g0-2"]))
    pet.apply(job(3, *photos({2: 3})))

    assert sorted(labels(pet).values()) == ["Group 2", "Group 3"]


def test_without_a_given_coverage_the_view_tells_the_shares_of_the_labels():
    pet = Pet()
    pet.apply(job(1, *photos({0: 3}, label="Sleep", quality=0.9), *photos({1: 9}, label="Play", quality=0.5)))

    metrics = pet.view["metrics"]

    assert metrics["coverage"] == {"Sleep": 0.25, "Play": 0.75}
    assert metrics["quality_score"] == 0.6


def test_the_newest_job_that_gave_one_sets_quality_coverage_and_model():
    pet = Pet()
    pet.apply(job(5, coverage={"a": 0.5}, quality_score=0.7, model_version="m@2"))
    pet.apply(job(4, coverage={"a": 0.1}, quality_score=0.1, model_version="m@1"))
    pet.apply(job(6, model_version=None, image_ids=["x"]))

    view = pet.view

    assert view["metrics"]["coverage"] == {"a": 0.5}
    assert view["metrics"]["quality_score"] == 0.7
    assert view["model_version"] == "m@2"


SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=9).map(lambda values: sorted(values, reverse=True))


@given(SHARES, SHARES)
def test_no_assignment_of_labels_is_better_and_none_crosses(one, other):
    few, many = sorted((one, other), key=len)
    costs = np.abs(np.array(few)[:, None] - np.array(many))

    places = assign(few, many)

    assert places == sorted(set(places))
    assert len(places) == len(few)
    assert costs[range(len(few)), places].sum() == pytest.approx(costs[linear_sum_assignment(costs)].sum())
