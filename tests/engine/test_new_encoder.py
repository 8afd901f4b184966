"""Another encoder, photo by photo: users' clusters keep their ids, and those of other clusters lead to their heirs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import Params
from sploot_clusterd.model import Merge, Move, Rename, SetHero, Split
from tests.engine.corrected import FIRST, SECOND, THIRD, album, corrected, group
from tests.engine.pet import Pet, direction, insight, job, photos

GROUPS = (5, 4, 3)


def again(name, dimension=24):
    """The photo as another encoder has it."""
    return insight(name, direction(int(name[1]), 0.3, int(name[-1]) + 50, dimension))


def change(pet, names, first=100, **more):
    for number, name in enumerate(names, start=first):
        pet.apply(job(number, again(name), model_version="m@2", **more))
        pet.reload()


def orders():
    names = [f"g{look}-{n}" for look, count in enumerate(GROUPS) for n in range(count)]
    return {"in order": names, "backwards": names[::-1], "mixed": sorted(names, key=lambda name: name[::-1])}


@pytest.mark.parametrize("order", orders().values(), ids=orders().keys())
@pytest.mark.parametrize("params", [Params(), Params(min_cluster_size=3), Params(max_cells=12)])
def test_users_clusters_keep_their_ids_and_have_none_beside_them(params, order):
    pet = album(params)
    corrected(pet, 2, Rename(FIRST, "beach"), SetHero(FIRST, "g0-3"), Merge([SECOND, THIRD]))
    pet.apply(job(3, insight("g0-7", direction(0, 0.3, 7))))
    assert pet.cluster_of("g0-7") == FIRST

    for at, name in enumerate(order):
        change(pet, [name], 10 + at)
        assert {FIRST, SECOND} <= pet.members().keys()
    change(pet, ["g0-7"], 40)

    assert {cluster: set(names) for cluster, names in pet.members().items()} == {
        FIRST: group(0, 5) | {"g0-7"},
        SECOND: group(1, 4) | group(2, 3),
    }
    assert [(c["label"], c["hero_image_id"]) for c in pet.clusters if c["id"] == FIRST] == [("beach", "g0-3")]
    pet.apply(job(50, force=True))
    assert pet.members().keys() == {FIRST, SECOND}
    corrected(pet, 51, Rename(THIRD, "merged"))
    assert [c["label"] for c in pet.clusters] == ["beach", "merged"]


def test_the_id_stays_over_many_encoders_and_back():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "beach"), Split(FIRST, ["g0-4"]))
    off = pet.cluster_of("g0-4")

    for turn, version in enumerate(["m@2", "m@3", "m@1"]):
        for n in range(5):
            pet.apply(job(10 * (turn + 1) + n, insight(f"g0-{n}", direction(0, 0.3, n)), model_version=version))

    assert set(pet.members()[FIRST]) == group(0, 4)
    assert pet.members()[off] == ["g0-4"]


@pytest.mark.parametrize("order", orders().values(), ids=orders().keys())
@pytest.mark.parametrize("force", [False, True])
def test_ids_of_clusters_that_nobody_corrected_lead_to_their_heirs(order, force):
    pet = album()

    change(pet, order, force=force)

    heirs = {cluster: pet.cluster_of(f"g{look}-0") for look, cluster in enumerate((FIRST, SECOND, THIRD))}
    assert len(pet.clusters) == 3
    corrected(pet, 200, *(Rename(cluster, f"was {cluster}") for cluster in heirs))
    labels = {cluster["id"]: cluster["label"] for cluster in pet.clusters}
    assert {cluster: labels[heir] for cluster, heir in heirs.items()} == {c: f"was {c}" for c in heirs}


def test_the_id_leads_to_most_of_the_images_not_to_the_last():
    pet = album()
    change(pet, ["g0-0", "g0-1", "g0-2", "g0-3", "g1-0", "g1-1"])
    pet.apply(job(150, insight("g0-4", direction(1, 0.3, 77, 24)), model_version="m@2"))
    assert pet.cluster_of("g0-4") == pet.cluster_of("g1-0")

    corrected(pet, 151, Rename(FIRST, "most"))

    assert next(c["label"] for c in pet.clusters if c["id"] == pet.cluster_of("g0-0")) == "most"


def test_an_id_leads_on_when_the_last_photo_is_deleted_instead():
    pet = album()
    change(pet, ["g0-0", "g0-1", "g0-2", "g0-3"])
    pet.apply(job(150, removed=["g0-4"]))

    corrected(pet, 151, Rename(FIRST, "found"))

    assert [c["label"] for c in pet.clusters if c["id"] == pet.cluster_of("g0-0")] == ["found"]


def test_matched_labels_and_group_numbers_stay_with_their_images():
    said = {"labels": ("Portraits", "Sleep"), "coverage": {"portraits": 0.5, "sleep": 0.3}}
    pet = Pet()
    pet.apply(job(1, *photos(GROUPS), **said))
    before = {
        look: next(c["label"] for c in pet.clusters if c["id"] == pet.cluster_of(f"g{look}-0")) for look in range(3)
    }

    change(pet, orders()["mixed"])

    after = {
        look: next(c["label"] for c in pet.clusters if c["id"] == pet.cluster_of(f"g{look}-0")) for look in range(3)
    }
    assert after == before


def test_a_correction_finds_a_cluster_whose_photos_are_all_sent_again_with_it():
    pet = album()
    every = [again(f"g0-{n}") for n in range(5)]

    corrected(
        pet,
        2,
        Rename(FIRST, "beach"),
        Move(["new"], FIRST),
        added=[*every, insight("new", direction(7, 0, 0, 24))],
        model_version="m@2",
    )

    assert set(pet.members()[FIRST]) == group(0, 5) | {"new"}
    assert pet.clusters[0]["label"] == "beach"


@given(
    st.permutations(orders()["in order"]), st.lists(st.integers(0, 11), max_size=4), st.sampled_from([FIRST, SECOND])
)
@settings(max_examples=40, deadline=None)
def test_in_whatever_order_the_photos_come_a_users_cluster_is_one_under_its_id(order, forced, named):
    pet = album()
    corrected(pet, 2, Rename(named, "named"))
    expected = set(pet.members()[named])

    for at, name in enumerate(order):
        pet.apply(job(10 + at, again(name), model_version="m@2", force=at in forced))

    assert {c["id"] for c in pet.clusters if c["label"] == "named"} == {named}
    assert expected <= set(pet.members()[named])


@pytest.mark.parametrize("order", orders().values(), ids=orders().keys())
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("said", [Rename(FIRST, "beach"), SetHero(FIRST, "g0-3"), Split(FIRST, ["g0-4"])])
def test_whatever_a_user_said_of_a_cluster_it_keeps_its_id(said, order, beside):
    pet = album()
    corrected(pet, 2, said)
    before = {name: pet.cluster_of(name) for name in sorted(group(0, 5))}

    for at, name in enumerate(order):
        new = [insight(f"g{at % 3}-new{at}", direction(at % 3, 0.3, 200 + at, 24))] if beside else []
        pet.apply(job(10 + at, again(name), *new, model_version="m@2"))
        pet.reload()

    assert {name: pet.cluster_of(name) for name in before} == before
    if isinstance(said, SetHero):
        assert next(c["hero_image_id"] for c in pet.clusters if c["id"] == FIRST) == "g0-3"


@pytest.mark.parametrize("beside", [False, True])
def test_a_matched_label_stays_with_its_images_in_whatever_parts_they_come(beside):
    said = {"labels": ("Portraits", "Sleep", "Play"), "coverage": {"portraits": 0.5, "sleep": 0.3}}
    pet = Pet(Params(max_cells=12))
    pet.apply(job(1, *photos(GROUPS), **said))
    names = {look: {f"g{look}-{n}" for n in range(count)} for look, count in enumerate(GROUPS)}
    before = {c["label"]: {m["image_id"] for m in c["members"]} for c in pet.clusters}
    assert sorted(map(sorted, before.values())) == sorted(map(sorted, names.values()))

    parts = [["g1-3", "g0-4", "g1-2", "g1-1", "g0-0"], ["g0-3", "g2-0", "g0-2", "g2-2"], ["g2-1", "g0-1", "g1-0"]]
    for number, part in enumerate(parts):
        more = said if beside else {}
        pet.apply(job(10 + number, *map(again, part), model_version="m@2", **more))
        for cluster in pet.clusters:
            if cluster["label"] in before:
                assert {m["image_id"] for m in cluster["members"]} & before[cluster["label"]]

    assert {c["label"]: {m["image_id"] for m in c["members"]} for c in pet.clusters} == before


def test_a_matched_label_goes_along_when_new_photos_outnumber_those_sent_again():
    said = {"labels": ("Portraits",), "coverage": {}}
    pet = Pet()
    pet.apply(job(1, *photos([5, 4]), **said))
    home = pet.cluster_of("g0-0")
    assert next(c["label"] for c in pet.clusters if c["id"] == home) == "Portraits"

    new = [insight(f"g0-new{n}", direction(0, 0.3, 200 + n, 24)) for n in range(9)]
    pet.apply(job(2, *(again(f"g0-{n}") for n in range(5)), *new, model_version="m@2"))

    assert next(c["label"] for c in pet.clusters if c["id"] == pet.cluster_of("g0-0")) == "Portraits"


@pytest.mark.parametrize("force", [False, True])
def test_an_id_does_not_pass_to_photos_that_left_while_the_last_that_were_shown_are_elsewhere(force):
    pet = album(Params(min_cluster_size=3))
    for n in range(2):
        pet.apply(job(2 + n, insight(f"g0-{n}", direction(0, 0.3, n)), model_version="m@2"))
    assert set(pet.members()[FIRST]) == {"g0-2", "g0-3", "g0-4"}
    elsewhere = [insight(f"g0-{n}", direction(look, 0.3, 1)) for n, look in [(2, 1), (3, 2), (4, 5)]]

    pet.apply(job(4, *elsewhere, force=force))
    pet.apply(job(5, insight("new", direction(0, 0.3, 1)), model_version="m@2"))

    assert pet.cluster_of("g0-0") == pet.cluster_of("new") == "pet_123-cluster-3"
    corrected(pet, 6, Rename(FIRST, "it leads there"))
    assert pet.clusters[-1]["label"] == "it leads there"


def test_it_passes_to_most_of_the_photos_when_none_were_shown_under_it_any_more():
    pet = album(Params(min_cluster_size=3))
    pet.apply(job(2, removed=["g0-3", "g0-4"]))
    for n in range(2):
        pet.apply(job(3 + n, insight(f"g0-{n}", direction(0, 0.3, n)), model_version="m@2"))
    assert FIRST not in pet.members()

    pet.apply(job(5, insight("g0-2", direction(9)), model_version="m@2"))
    pet.apply(job(6, insight("new", direction(0, 0.3, 1)), model_version="m@2"))

    assert set(pet.members()[FIRST]) == {"g0-0", "g0-1", "new"}
