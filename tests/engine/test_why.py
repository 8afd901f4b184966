"""Why an image is where it is: the figures against those worked out from the photos' vectors, and each case."""

import math

import numpy as np
import pytest

from sploot_clusterd.engine import Params
from sploot_clusterd.engine.vectors import image_weight
from sploot_clusterd.engine.why import why
from sploot_clusterd.engine.words import MOST_WORDS
from sploot_clusterd.model import Hide, Merge, Move, NotHere, Rename, SetHero, Stay, Undo, cluster_id
from tests.engine.corrected import FIRST, SECOND, THIRD, album, corrected
from tests.engine.pet import START_MS, Pet, direction, insight, job, photos
from tests.engine.said import cells

FIGURES = {"abs": 5e-4}
"""They are rounded to four places, and vectors are kept in half precision."""
DAY_MS = 86_400_000


def asked(pet, image_id):
    return why(pet.reload(), image_id, pet.rows({image_id}).get(image_id), pet.params)


class Directly:
    """The formulas of docs/clustering.md, from images in double precision."""

    def __init__(self, pet, images):
        """`images`: of all in the pet's one space by name, the vector and the quality."""
        self.homes = cells(pet)
        self.clusters = {cell: c.number for c in pet.album.clusters.values() for cell in c.cells}
        units = {name: np.float64(vector) / np.linalg.norm(vector) for name, (vector, _) in images.items()}
        weights = {name: image_weight(quality) for name, (_, quality) in images.items()}
        names = {cell: [n for n, at in self.homes.items() if at == cell] for cell in self.clusters}
        self.weights = {cell: sum(weights[n] for n in names[cell]) for cell in names}
        sums = {cell: sum(weights[n] * units[n] for n in names[cell]) for cell in names}
        self.weight, total = sum(self.weights.values()), sum(sums.values())
        common = min(max((total @ total - self.weight) / (self.weight**2 - self.weight), 0.02), 0.85)
        mean = total / (self.weight + pet.params.mean_prior * (1 - common) / common)
        self.sums = {}
        for cell, weight in self.weights.items():
            squares = 1 - 2 * mean @ sums[cell] / weight + mean @ mean
            self.sums[cell] = (sums[cell] - weight * mean) / math.sqrt(squares)
        self.ratio = pet.params.prior_ratio

    def evidence(self, square, weight):
        return self.ratio * (1 + self.ratio) * square / (1 + self.ratio * weight) - math.log(1 + self.ratio * weight)

    def of(self, image_id):
        """Score and likeness of each cluster, without the image's cell, by its number."""
        own = self.homes[image_id]
        found = {}
        for number in set(self.clusters.values()):
            rest = [cell for cell, home in self.clusters.items() if home == number and cell != own]
            if not rest:
                continue
            s, w = sum(self.sums[cell] for cell in rest), sum(self.weights[cell] for cell in rest)
            a, v = self.sums[own], self.weights[own]
            gain = self.evidence((s + a) @ (s + a), w + v) - self.evidence(s @ s, w) - self.evidence(a @ a, v)
            found[number] = gain / (w * v / (w + v) + 0.3) ** 0.75, s @ a / (w * v)
        return found


@pytest.fixture(scope="module")
def four() -> tuple[Pet, dict]:
    """Four clusters, photos of any quality, and one near copy."""
    pet = Pet()
    images = {
        f"g{group}-{n}": (direction(group, 0.3, n), (None, 0.9, 0.4, 0.1, 0.7)[n])
        for group, count in enumerate((5, 4, 4, 3))
        for n in range(count)
    }
    images["copy"] = direction(0, 0.31, 0), 0.8
    pet.apply(job(1, *(insight(name, vector, quality) for name, (vector, quality) in images.items())))
    assert pet.view["metrics"]["num_clusters"] == 4
    return pet, images


def test_evidence_is_what_the_formulas_give(four):
    pet, images = four
    directly = Directly(pet, images)
    for name in images:
        own, expected = directly.clusters[directly.homes[name]], directly.of(name)
        others = sorted(expected.keys() - {own}, key=lambda number: -expected[number][0])[:2]
        found = asked(pet, name).evidence
        assert [each.cluster for each in found] == [cluster_id("pet_123", number) for number in (own, *others)], name
        assert [each.own for each in found] == [True, False, False]
        for each, number in zip(found, (own, *others), strict=True):
            assert (each.score, each.likeness) == pytest.approx(expected[number], **FIGURES)
        assert {each.threshold for each in found} == {0.06}


def test_the_threshold_rises_with_what_the_images_weigh():
    pet = Pet(Params(usual_weight=4.0))
    pet.apply(job(1, *photos([5, 4, 3])))
    assert asked(pet, "g0-0").evidence[0].threshold == pytest.approx(0.06 * math.cbrt(12 / 4), **FIGURES)


def test_the_cell_is_told_with_those_that_go_wherever_it_goes(four):
    pet, _ = four
    assert (asked(pet, "g0-0").cell.size, asked(pet, "g0-0").cell.others) == (2, ["copy"])
    assert (asked(pet, "g1-0").cell.size, asked(pet, "g1-0").cell.others) == (1, [])


def test_of_a_cluster_that_is_its_cell_alone_nothing_speaks():
    pet = Pet(Params(min_cluster_size=1))
    pet.apply(job(1, *photos([4]), insight("alone", direction(6))))
    found = asked(pet, "alone")
    assert found.cluster == pet.cluster_of("alone")
    assert [(each.cluster, each.own) for each in found.evidence] == [(FIRST, False)]


def test_what_users_said_that_holds_moved_or_chose_it():
    pet = album()
    assert asked(pet, "g0-0").said == []
    corrected(pet, 2, Move(["g0-0"], SECOND))
    corrected(pet, 3, SetHero(FIRST, "g0-1"))
    corrected(pet, 4, NotHere(THIRD, ["g2-0"]))
    corrected(pet, 5, Rename(THIRD, "x"))

    def told(name):
        return [(each.job_id, each.op) for each in asked(pet, name).said]

    assert told("g0-0") == told("g1-0") == [("job-2", "move")]
    assert told("g0-1") == [("job-2", "move"), ("job-3", "set_hero")]
    assert told("g2-0") == [("job-4", "not_here")]
    assert ("job-5", "rename") in told("g2-1")
    corrected(pet, 6, Undo("job-2"))
    assert told("g0-0") == told("g1-0") == []


@pytest.mark.parametrize("said", [Merge([SECOND, THIRD]), SetHero(SECOND, "g1-0"), NotHere(SECOND, ["g1-0"])])
def test_of_what_is_final_it_is_told_that_it_was_said(said):
    pet = album()
    corrected(pet, 2, said)
    for number in range(MOST_WORDS):
        corrected(pet, 3 + number, Stay(FIRST, ["g0-0"]))
    assert [(each.job_id, each.op) for each in asked(pet, "g1-0").said] == [(None, None)]
    assert asked(pet, "g2-0").said == asked(pet, "g1-0").said * isinstance(said, Merge)


def test_the_heros_score_is_the_sum_of_its_parts():
    """Of a cluster of two cells, which are as close to it as each to the sum of both."""
    pet = Pet()
    captured = START_MS - 90 * DAY_MS
    images = {"one": (direction(0, 0.3, 0), 0.5), "two": (direction(0, 0.3, 1), 1.0)}
    pet.apply(
        job(
            1,
            insight("one", *images["one"], captured_ms=captured),
            insight("two", *images["two"]),
            *photos({1: 3}),
        )
    )
    assert pet.cluster_of("one") == pet.cluster_of("two")
    directly = Directly(pet, images | {f"g1-{n}": (direction(1, 0.3, n), None) for n in range(3)})
    total = sum(directly.sums[directly.homes[name]] for name in images)
    for name, quality, age in (("one", 0.5 / 0.65, 90), ("two", 1.0, 0)):
        own = directly.sums[directly.homes[name]]
        near = own @ total / np.linalg.norm(own) / np.linalg.norm(total)
        hero = asked(pet, name).hero
        assert (hero.quality, hero.closeness, hero.recency) == pytest.approx(
            (0.55 * quality, 0.42 * near, 0.03 * 2 ** (-age / 90)), **FIGURES
        )
        assert hero.score == pytest.approx(hero.quality + hero.closeness + hero.recency, **FIGURES)
        assert (hero.is_hero, hero.chosen) == (name == "two", False)
        (member,) = [each for each in pet.clusters[0]["members"] if each["image_id"] == name]
        assert hero.score == member["score"]

    corrected(pet, 3, SetHero(FIRST, "one"))
    assert [(hero.is_hero, hero.chosen) for hero in (asked(pet, "one").hero, asked(pet, "two").hero)] == [
        (True, True),
        (False, False),
    ]


def test_what_is_not_among_its_cells_best_has_no_score():
    pet = Pet(Params(max_cluster_size=1))
    copies = [insight(f"copy-{n}", direction(0, 0.01, n), n / 60) for n in range(60)]
    pet.apply(job(1, *copies))
    worst = asked(pet, "copy-0")
    assert (worst.hero, worst.cell.size, worst.quality_score) == (None, 60, 0.0)
    assert asked(pet, pet.clusters[0]["hero_image_id"]).hero.is_hero


def test_an_unclustered_image_is_told_of_its_own_as_none():
    pet = Pet(Params(min_cluster_size=3))
    pet.apply(job(1, *photos([4, 2])))
    found = asked(pet, "g1-0")
    assert "g1-0" in pet.view["unclustered"]
    assert (found.cluster, found.hero, found.cell.size) == (None, None, 1)
    assert [(each.cluster, each.own) for each in found.evidence] == [(None, True), (FIRST, False)]


def test_only_clusters_of_its_own_encoder_are_compared():
    pet = album()
    pet.apply(job(2, *(insight(f"other-{n}", direction(0, 0.3, n)) for n in range(3)), model_version="m@2"))
    other = pet.cluster_of("other-0")
    assert {each.cluster for each in asked(pet, "other-0").evidence} == {other}
    assert {each.cluster for each in asked(pet, "g0-0").evidence} == {FIRST, SECOND, THIRD}


def test_an_image_without_vectors_or_hidden_is_in_no_cell():
    pet = album()
    pet.apply(job(2, image_ids=["bare", "away"], quality_score=0.3))
    corrected(pet, 3, Hide(image_ids=["g0-0", "away"]))
    for name, is_hidden, quality in (("bare", False, 0.3), ("away", True, 0.3), ("g0-0", True, None)):
        found = asked(pet, name)
        assert (found.cluster, found.cell, found.hero, found.evidence, found.said) == (None, None, None, [], [])
        assert (found.hidden, found.quality_score, found.version) == (is_hidden, quality, pet.album.version)


def test_one_of_a_hidden_cluster_is_told_of_as_others_and_that_it_is_hidden():
    pet = album()
    corrected(pet, 2, Hide(FIRST))
    found = asked(pet, "g0-0")
    assert (found.cluster, found.hidden, found.evidence[0].own) == (FIRST, True, True)
    assert [(each.job_id, each.op) for each in found.said] == [("job-2", "hide")]


def test_of_an_image_that_is_not_there_nothing_is_told():
    pet = album()
    pet.apply(job(2, removed=["g0-0"]))
    assert asked(pet, "g0-0") is None
    assert asked(pet, "never") is None
