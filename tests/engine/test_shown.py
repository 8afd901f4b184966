"""Ids and heroes go on from what readers saw, not from what was in between."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import Params
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.model import Rename, Split, cluster_id
from tests.engine.corrected import corrected
from tests.engine.fleets import at_hand, profile
from tests.engine.histories import SMALL, histories
from tests.engine.pet import Pet, direction, insight, job, photos

SEEN = {"i61": [-0.4, -0.9, 0], "i88": [0.2, -0.1, -0.7], "i42": [-0.4, -0.9, 0]}
NEW = {"i135": [0.1, -0.1, -0.8], "i67": [-0.9, 0.1, -0.1], "i29": [-0.8, 0.4, -0.1], "i6": [-0.9, 0.4, -0.1]}
FIRST = "pet_123-cluster-0"


def of(vectors):
    return [insight(name, vector) for name, vector in vectors.items()]


def numbered(pet):
    """All images of each shown cluster, by its id."""
    shown = {
        cell: cluster_id("pet_123", cluster.number)
        for cluster in pet.album.clusters.values()
        for cell in cluster.cells
        if cluster.shown
    }
    found = {}
    for name, raw in pet.rows().items():
        if (vectors := decode_row(raw).vectors) is not None:
            cell = pet.album.heirs.get(vectors.cell, vectors.cell)
            if cell in shown:
                found.setdefault(shown[cell], set()).add(name)
    return found


def test_an_id_stays_with_its_photos_when_others_join_and_leave_them_within_a_job():
    pet = Pet()
    pet.apply(job(1, *of(SEEN)))
    assert set(pet.members()[FIRST]) == {"i42", "i61"}

    pet.apply(job(2, *of(NEW)))

    assert set(pet.members()[FIRST]) == {"i42", "i61"}
    assert pet.cluster_of("i6") != pet.cluster_of("i135")


def test_an_id_stays_with_its_photos_when_others_join_and_leave_them_within_a_call():
    pet = Pet()
    pet.apply(job(1, *of(SEEN)))

    pet.apply(*(job(2 + number, image) for number, image in enumerate([*of(NEW), insight("i7", [-0.9, 0.4, -0.2])])))

    assert set(pet.members()[FIRST]) == {"i42", "i61"}


def test_heroes_are_the_same_however_jobs_are_applied_together():
    apart, together = Pet(), Pet()
    jobs = [
        job(2, insight("sharp", direction(0), 0.6)),
        job(3, insight("a", direction(0), 0.58)),
    ]
    for pet in (apart, together):
        pet.apply(job(1, *(insight(name, direction(0), 0.40) for name in "abc")))
        assert pet.clusters[0]["hero_image_id"] == "a"

    apart.apply(jobs[0])
    apart.apply(jobs[1])
    together.apply(*jobs)

    assert apart.clusters[0]["hero_image_id"] == "sharp"
    assert together.clusters == apart.clusters


def test_corrected_clusters_follow_what_users_said():
    pet = Pet()
    pet.apply(job(1, *photos([6])))
    corrected(pet, 2, Split(FIRST, ["g0-0", "g0-1", "g0-2", "g0-3"]), Rename(FIRST, "rest"), added=photos({3: 7}))

    assert numbered(pet)[FIRST] == {"g0-4", "g0-5"}


def test_an_id_stays_with_its_photos_when_the_one_that_a_user_left_there_goes_and_another_like_it_comes():
    pet = Pet(Params(rebuild_least=3))
    pet.apply(job(1, *of({"i1": [0.4, 0.4, 1, 1], "i2": [-0.4, 0.7, 0.1, -0.7]})))
    pet.apply(job(2, *of({"i3": [-0.4, 0.1, 0.4, -0.7], "i4": [1, 0.1, -1, -1]})))
    corrected(pet, 3, Split(FIRST, ["i2"]))
    pet.apply(job(4, *of({"i5": [0.7, -1, 0.7, -0.7], "i6": [0.7, 0.1, -0.4, -1]})))
    assert set(pet.members()[FIRST]) == {"i3", "i4", "i5", "i6"}

    pet.apply(job(5, *of({"i7": [-0.4, 0.1, 0.4, -0.7], "i8": [0.7, -1, 0.4, -0.4]}), removed=["i3"]))

    assert set(pet.members()[FIRST]) == {"i4", "i5", "i6", "i8"}


def check(before, after, margin):
    """What readers saw, and see now."""
    (old_view, old), (view, new) = before, after
    there = set().union(*new.values())
    clusters = {cluster["id"]: cluster for cluster in view}
    for seen in old_view:
        now = clusters.get(seen["id"])
        if now is None:
            continue
        assert new[seen["id"]] & old[seen["id"]] or not old[seen["id"]] & there, "an id passed to other photos"
        scores = {member["image_id"]: member["score"] for member in now["members"]}
        hero, held = now["hero_image_id"], scores.get(seen["hero_image_id"])
        assert hero == seen["hero_image_id"] or held is None or scores[hero] - held > margin - 2e-4


def real(pet):
    """Ids of provisional clusters go by their labels."""
    return [cluster for cluster in pet.clusters if not cluster["provisional"]], numbered(pet)


@given(histories(most=14), st.booleans(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_ids_and_heroes_keep_what_was_shown(jobs, small, moving):
    pet = Pet(SMALL if small else Params(max_cells=40))
    seen = real(pet)
    for generation, each in enumerate(jobs):
        if moving and generation < 3:
            pet.profiles = at_hand(profile(1, embedding=12), profile(2, embedding=12), adopt=generation)
        pet.apply(each)
        now = real(pet)
        check(seen, now, pet.params.hero.margin)
        seen = now
        numbers = [cluster.number for cluster in pet.album.clusters.values() if cluster.number is not None]
        assert len(numbers) == len(set(numbers))
        assert not pet.album.successors.keys() & {*numbers, *pet.album.successors.values()}
