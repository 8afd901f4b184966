"""Words that are taken back, hidden images and clusters, and images that belong elsewhere: one by one."""

import pytest

from sploot_clusterd.engine import Params, album_nbytes
from sploot_clusterd.engine.telling import hidden, said
from sploot_clusterd.engine.words import MOST_WORDS
from sploot_clusterd.model import Hide, Merge, Move, NotHere, Rename, SetHero, Split, Undo, Unhide
from tests.engine.corrected import EVERY, FIRST, SECOND, THIRD, album, corrected, group, images, refused, stir
from tests.engine.pet import Pet, direction, insight, job, photos


def shown(pet):
    return [(each["id"], each["label"], each["hero_image_id"], each["size"]) for each in pet.clusters]


@pytest.mark.parametrize("params", EVERY)
def test_what_two_words_hold_is_let_go_with_the_second(params):
    pet = album(params)
    before = shown(pet)
    corrected(pet, 2, Rename(FIRST, "Ours"))
    corrected(pet, 3, Merge([FIRST, SECOND]))
    assert [(label, size) for _, label, _, size in shown(pet)] == [("Ours", 9), ("Group 3", 3)]

    corrected(pet, 4, Undo("job-2"))
    assert pet.members()[FIRST]
    assert SECOND not in pet.members()
    assert [size for *_, size in shown(pet)] == [9, 3]

    corrected(pet, 5, Undo("job-3"))
    assert shown(pet) == before
    assert pet.album.anchors == {}


def test_a_photo_that_was_moved_again_stays_and_then_goes_back_to_the_beginning():
    pet = album()
    corrected(pet, 2, Move(["g0-0"], SECOND))
    corrected(pet, 3, Move(["g0-0"], THIRD))
    corrected(pet, 4, Undo("job-2"))
    assert pet.cluster_of("g0-0") == THIRD
    corrected(pet, 5, Undo("job-3"))
    assert pet.cluster_of("g0-0") == FIRST


def test_a_name_and_a_hero_give_way_to_those_before():
    pet = album()
    first = pet.clusters[0]["hero_image_id"]
    corrected(pet, 2, Rename(FIRST, "a"), SetHero(FIRST, "g0-4"))
    corrected(pet, 3, Rename(FIRST, "b"), SetHero(FIRST, "g0-3"))
    corrected(pet, 4, Undo("job-2"))
    assert shown(pet)[0][1:3] == ("b", "g0-3")
    corrected(pet, 5, Undo("job-3"))
    assert shown(pet)[0][1:3] == ("Group 1", first)


def test_what_is_not_there_to_be_taken_back_is_refused():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "a"))
    assert refused(pet, 3, Undo("job-1")) == (
        "stale_correction",
        "payload.corrections[0]: job_id: no correction that can be taken back is of job job-1",
    )
    corrected(pet, 4, Undo("job-2"))
    assert refused(pet, 5, Undo("job-2"))[0] == "stale_correction"


def test_only_so_many_words_are_kept_and_the_others_are_final():
    pet = album()
    for number in range(MOST_WORDS + 3):
        corrected(pet, 2 + number, Move([f"g0-{number % 5}"], [FIRST, SECOND][number % 2]))
    assert len(pet.album.words) == MOST_WORDS
    assert len([name for name in pet.fields if name.startswith(b"w")]) == MOST_WORDS
    assert sum(len(raw) for name, raw in pet.fields.items() if name.startswith(b"w")) < MOST_WORDS * 2000
    assert refused(pet, 99, Undo("job-2"))[0] == "stale_correction"
    assert len(pet.album.anchors) < 40
    assert album_nbytes(pet.album) > album_nbytes(album().album)


def test_where_marks_run_short_words_are_final_before_their_time():
    pet = Pet(Params(max_cells=12))
    pet.apply(job(1, *photos([12])))
    (cluster,) = pet.members()
    for number in range(5):
        corrected(pet, 2 + number, Split(cluster, [f"g0-{number}"]))
    assert len(pet.album.words) < 5
    assert len(pet.album.anchors) <= 6
    pet.reload()
    assert len({pet.cluster_of(f"g0-{n}") for n in range(6)}) == 6


def test_an_album_that_nobody_corrected_has_none_of_it():
    pet = album()
    assert not [name for name in pet.fields if name.startswith((b"w", b"hidden", b"anchors", b"corrected"))]
    assert all(len(each) == 8 for each in pet.clusters)
    assert "num_hidden" not in pet.view["metrics"]


def test_what_was_seen_was_seen_before_the_photos_that_come_with_it():
    pet = album()
    seen = {each["id"]: each["seen"] for each in pet.clusters}
    added = [insight("g0-9", direction(0, 0.3, 9), quality=0.9)]
    corrected(pet, 2, SetHero(FIRST, "g0-9"), added=added, seen=seen)
    assert shown(pet)[0][2:] == ("g0-9", 6)


def test_what_was_seen_otherwise_is_not_corrected():
    pet = album()
    seen = {each["id"]: each["seen"] for each in pet.clusters}
    listed = {cluster: list(names) for cluster, names in pet.members().items()}
    pet.apply(job(2, insight("g0-9", direction(0, 0.3, 9)), removed=["g0-1"]))
    assert pet.cluster_of("g0-9") == FIRST

    (outcome,) = pet.apply(job(3, corrections=[Rename(FIRST, "x")], seen=listed)).outcomes
    assert outcome.error.detail == f"seen: {FIRST} is not as it was seen: came g0-9; went g0-1"
    (outcome,) = pet.apply(job(4, corrections=[Rename(FIRST, "x")], seen=seen)).outcomes
    assert outcome.error.reason == "stale_correction"
    assert outcome.error.detail.startswith(f"seen: {FIRST} is not as it was seen; it has 5 images now, first g0-")
    corrected(pet, 5, Rename(SECOND, "x"), seen={SECOND: seen[SECOND], THIRD: listed[THIRD]})
    corrected(pet, 6, Rename(FIRST, "y"))


def test_who_merges_may_choose_name_and_hero():
    pet = album()
    corrected(pet, 2, Merge([FIRST, SECOND], "Both", "g1-3"))
    assert shown(pet)[0] == (FIRST, "Both", "g1-3", 9)
    assert refused(pet, 3, Merge([FIRST, SECOND], None, "g2-0"))[1].endswith("g2-0 is in none of the clusters")
    corrected(pet, 4, Undo("job-2"))
    assert shown(pet) == shown(album())


def test_an_id_that_led_to_a_cluster_before_a_merge_leads_there_again():
    pet = album()
    corrected(pet, 2, Merge([SECOND, THIRD]))
    corrected(pet, 3, Merge([FIRST, SECOND]))
    corrected(pet, 4, Undo("job-3"))
    corrected(pet, 5, Rename(THIRD, "x"))
    assert {each["id"]: each["label"] == "x" for each in pet.clusters} == {FIRST: False, SECOND: True}


def test_an_id_that_a_word_made_lead_on_does_not_by_another_once_that_is_taken_back():
    pet = album()
    corrected(pet, 2, Merge([SECOND, THIRD]))
    corrected(pet, 3, Merge([FIRST, SECOND]))
    corrected(pet, 4, Undo("job-2"))
    corrected(pet, 5, Merge([FIRST, THIRD]))
    corrected(pet, 6, Undo("job-3"))
    corrected(pet, 7, Rename(THIRD, "x"))
    assert {each["id"]: each["label"] == "x" for each in pet.clusters} == {FIRST: True, SECOND: False}


def test_who_said_what_is_told_the_latest_first():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "a"), actor="ann")
    corrected(pet, 3, Merge([FIRST, SECOND]))
    told = said(pet.reload())
    assert [(each.job_id, each.actor, each.corrections) for each in told.said] == [
        ("job-3", None, [Merge([FIRST, SECOND])]),
        ("job-2", "ann", [Rename(FIRST, "a")]),
    ]


@pytest.mark.parametrize("params", EVERY)
def test_a_hidden_cluster_stays_so_and_takes_in_what_is_like_it(params):
    pet = album(params)
    corrected(pet, 2, Hide(FIRST))
    stir(pet, 3)
    assert FIRST not in pet.members()
    assert pet.view["metrics"]["num_hidden"] >= 5
    assert {"g0-0", "g0-4"} <= {each.image_id for each in hidden(pet.album, pet.params).clusters[0].members}
    corrected(pet, 90, Unhide(FIRST))
    assert group(0, 5) <= images(pet)[FIRST]


@pytest.mark.parametrize("params", EVERY)
def test_hidden_images_are_in_no_cluster_and_come_back(params):
    pet = album(params)
    before = images(pet)
    corrected(pet, 2, Hide(image_ids=["g0-0", "g2-0", "g2-1", "g2-2"]))
    assert THIRD not in pet.members()
    assert pet.view["metrics"]["num_images"] == 12
    stir(pet, 3)
    pet.apply(job(60, insight("g0-0", direction(0, 0.3, 7), 0.9), model_version="m@2"))
    assert not {"g0-0", "g2-0"} & {name for names in pet.members().values() for name in names}
    pet.apply(job(61, insight("g0-0", direction(0, 0.3, 0), 0.9)))
    corrected(pet, 62, Unhide(image_ids=["g0-0", "g2-0", "g2-1", "g2-2", "g1-0"]))
    assert images(pet)[FIRST] == before[FIRST]
    assert group(2, 3) in [names & group(2, 3) for names in images(pet).values()]


def test_what_cannot_be_hidden_or_shown_is_refused():
    pet = album()
    assert "not hidden" in refused(pet, 2, Unhide(FIRST))[1]
    assert "none of these images is hidden" in refused(pet, 2, Unhide(image_ids=["g0-0"]))[1]
    assert "none of these images" in refused(pet, 2, Hide(image_ids=["none"]))[1]


def test_a_hidden_image_that_is_removed_is_gone():
    pet = album()
    corrected(pet, 2, Hide(image_ids=["g0-0"]))
    pet.apply(job(3, removed=["g0-0"]))
    assert (pet.reload().hidden, pet.view["metrics"]["num_images"]) == ({}, 11)
    pet.apply(job(4, insight("g0-0", direction(0, 0.3, 0))))
    assert pet.cluster_of("g0-0") == FIRST


@pytest.mark.parametrize("params", EVERY)
def test_what_does_not_belong_never_comes_back(params):
    pet = album(params)
    corrected(pet, 2, NotHere(FIRST, ["g0-0", "g0-1"]))
    stir(pet, 3)
    members = pet.members()
    assert not {"g0-0", "g0-1"} & set(members[pet.cluster_of("g0-4")])
    corrected(pet, 90, Move(["g0-0"], pet.cluster_of("g0-4")))
    assert "g0-0" in pet.members()[pet.cluster_of("g0-4")]


def test_nobody_is_asked_to_take_a_cluster_from_itself():
    pet = album()
    assert "no other images" in refused(pet, 2, NotHere(FIRST, sorted(group(0, 5))))[1]
