"""Which images are served, and which one represents its cluster."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import HeroWeights, Params
from sploot_clusterd.engine.hero import choose_hero, score
from tests.engine.pet import START_MS, Pet, direction, insight, job, member, photos

DAY_MS = 86_400_000
WEIGHTS = HeroWeights()


def test_a_score_lies_in_the_unit_interval():
    best = score(member(quality=1.0), 1.0, START_MS, WEIGHTS)
    worst = score(member(quality=0.0, taken_ms=0), -1.0, START_MS, WEIGHTS)

    assert best == pytest.approx(1.0)
    assert worst == pytest.approx(0.0, abs=1e-6)


def test_sharp_typical_and_recent_photos_score_higher():
    plain = score(member(), 0.5, START_MS, WEIGHTS)

    assert score(member(quality=0.64), 0.5, START_MS, WEIGHTS) > plain
    assert score(member(), 0.6, START_MS, WEIGHTS) > plain
    assert score(member(taken_ms=START_MS - 200 * DAY_MS), 0.5, START_MS, WEIGHTS) < plain


def test_quality_beyond_enough_adds_nothing():
    assert score(member(quality=0.7), 0.5, 0, WEIGHTS) == score(member(quality=1.0), 0.5, 0, WEIGHTS)


def test_unknown_quality_counts_as_middling():
    assert score(member(quality=None), 0.5, 0, WEIGHTS) == score(member(quality=0.5), 0.5, 0, WEIGHTS)


@pytest.mark.parametrize(
    ("current", "lead", "expected"),
    [("old", 0.029, "old"), ("old", 0.031, "new"), ("gone", 0.0, "new"), (None, 0.0, "new")],
)
def test_a_hero_stays_until_another_is_clearly_better(current, lead, expected):
    served = [(0.5 + lead, member("new")), (0.5, member("old"))]

    assert choose_hero(current, served, 0.03) == expected


def hero(pet):
    (cluster,) = pet.clusters
    return cluster["hero_image_id"]


def test_the_sharp_photo_is_the_hero():
    pet = Pet()
    pet.apply(job(1, *photos([4], quality=0.3), insight("sharp", direction(0, 0.3, 9), 0.64)))

    assert hero(pet) == "sharp"


def test_a_slightly_better_photo_does_not_take_over_and_a_clearly_better_one_does():
    pet = Pet()
    pet.apply(
        job(1, insight("a", direction(0), 0.40), insight("b", direction(0), 0.39), insight("c", direction(0), 0.38))
    )
    assert hero(pet) == "a"

    changes = pet.apply(job(2, insight("d", direction(0), 0.42))).changes
    assert (hero(pet), changes.hero_changes) == ("a", 0)

    changes = pet.apply(job(3, insight("e", direction(0), 0.6))).changes
    assert (hero(pet), changes.hero_changes) == ("e", 1)


def test_a_removed_hero_is_replaced_by_the_best():
    pet = Pet()
    pet.apply(job(1, *(insight(f"q{n}", direction(0), n / 10) for n in range(1, 6))))
    assert hero(pet) == "q5"

    pet.apply(job(2, removed=["q5"]))

    assert hero(pet) == "q4"


def test_a_hero_is_always_served():
    pet = Pet(Params(max_cluster_size=2, hero=HeroWeights(margin=0.5)))
    pet.apply(job(1, insight("a", direction(0), 0.3), insight("b", direction(0), 0.2)))
    pet.apply(job(2, insight("c", direction(0), 0.35), insight("d", direction(0), 0.34)))

    assert pet.members()["pet_123-cluster-0"] == ["c", "d"]
    assert hero(pet) == "c"


def test_recency_is_of_the_time_taken_not_of_arrival():
    pet = Pet(Params(hero=HeroWeights(quality=0.0, closeness=0.0, recency=1.0, margin=0.0)))
    pet.apply(
        job(
            1,
            insight("old", direction(0), captured_ms=START_MS - 400 * DAY_MS),
            insight("new", direction(0), captured_ms=START_MS - DAY_MS),
            insight("older", direction(0), captured_ms=START_MS - 800 * DAY_MS),
        )
    )

    assert pet.members()["pet_123-cluster-0"] == ["new", "old", "older"]


@given(st.lists(st.none() | st.integers(-DAY_MS, 300_000 * DAY_MS), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_a_clock_that_runs_ahead_takes_recency_from_no_one(captured):
    weights = HeroWeights(quality=0.0, closeness=0.0, recency=1.0, margin=0.0)
    pet = Pet(Params(hero=weights, join_cosine=0.1, join_threshold=0.1))
    odd = [insight(f"odd-{n}", direction(0), captured_ms=at) for n, at in enumerate(captured)]

    pet.apply(job(1, insight("right", direction(0), captured_ms=START_MS), *odd))
    pet.apply(job(2, insight("later", direction(0))))

    (cluster,) = pet.clusters
    scores = {member["image_id"]: member["score"] for member in cluster["members"]}
    assert scores["later"] == 1.0
    assert scores["right"] > 0.999
    assert pet.album.newest_ms == START_MS + 2000


def test_what_happens_elsewhere_leaves_a_hero_alone():
    pet = Pet()
    pet.apply(job(1, *photos([4, 4], quality=0.5)))
    before = {c["id"]: c for c in pet.clusters}
    untouched = pet.cluster_of("g0-0")

    pet.apply(job(2, insight("new", direction(1, 0.3, 60), 0.9)))

    assert {c["id"]: c for c in pet.clusters}[untouched] == before[untouched]


def test_scores_are_of_the_moment_when_the_cluster_last_changed():
    pet = Pet()
    pet.apply(job(1, *photos([3, 3], captured_ms=START_MS - 100 * DAY_MS)))
    before = {c["id"]: c for c in pet.clusters}
    untouched, touched = pet.cluster_of("g0-0"), pet.cluster_of("g1-0")

    pet.apply(job(2, insight("new", direction(1, 0.3, 60))))

    after = {c["id"]: c for c in pet.clusters}
    assert after[untouched] == before[untouched]
    scores = [{m["image_id"]: m["score"] for m in each[touched]["members"]} for each in (before, after)]
    assert scores[1]["g1-0"] < scores[0]["g1-0"] - 0.01
