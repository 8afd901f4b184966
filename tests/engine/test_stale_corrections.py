"""Corrections of an album that has moved on: ids that lead on, what is refused, and what is kept of them."""

import msgspec
import pytest

from sploot_clusterd.engine import JobStatus, Params, images_named, render
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.model import Merge, Move, Rename, SetHero, Split
from tests.engine.corrected import FIRST, SECOND, THIRD, album, corrected, group, refused
from tests.engine.pet import Pet, direction, insight, job, photos


def test_corrections_are_applied_in_their_order_after_what_else_the_job_says():
    pet = album()
    new = insight("new", direction(9))

    corrected(pet, 2, Move(["new"], FIRST), Merge([FIRST, SECOND]), Rename(SECOND, "both"), added=[new])

    assert pet.cluster_of("new") == FIRST
    assert pet.clusters[0]["label"] == "both"
    assert images_named([job(3, corrections=[Move(["a"], FIRST), SetHero(FIRST, "b")])]) == {"a", "b"}


def test_they_are_applied_all_or_none():
    pet = album()

    reason, detail = refused(pet, 2, Merge([FIRST, SECOND]), Rename("pet_123-cluster-7", "x"), added=photos({3: 4}))

    assert reason == "stale_correction"
    assert detail == "payload.corrections[1]: the pet never had pet_123-cluster-7"
    applied = pet.apply(job(3, *photos({3: 4})), job(4, corrections=[Split(FIRST, ["gone"])]), job(5, removed=["g0-0"]))
    assert [outcome.status.value for outcome in applied.outcomes] == ["applied", "rejected", "applied"]
    assert len(pet.clusters) == 4


def test_a_job_that_comes_again_corrects_nothing():
    pet = album()
    first = job(2, corrections=[Rename(FIRST, "a"), Split(SECOND, ["g1-0"])])
    pet.apply(first)
    corrected(pet, 3, Merge([SECOND, pet.cluster_of("g1-0")]))

    applied = pet.apply(first)

    assert [outcome.status for outcome in applied.outcomes] == [JobStatus.REPEATED]
    assert not applied.changed


def test_what_is_no_longer_there_is_refused_with_its_name():
    pet = album()
    pet.apply(job(2, image_ids=["bare"], removed=["g2-0", "g2-1", "g2-2"]))
    bare = pet.cluster_of("bare")

    assert refused(pet, 3, Rename(THIRD, "x"))[1].endswith(f"{THIRD} is gone: none of its images is left")
    assert "is provisional" in refused(pet, 3, Merge([FIRST, bare]))[1]
    assert "none of these images" in refused(pet, 3, Split(FIRST, ["g1-0"]))[1]
    assert "none of these images" in refused(pet, 3, Move(["bare", "g2-0"], FIRST))[1]
    assert "g1-0 is not in the cluster" in refused(pet, 3, SetHero(FIRST, "g1-0"))[1]
    assert refused(Pet(), 3, Rename(FIRST, "x")) == (
        "stale_correction",
        "payload.corrections[0]: the pet never had pet_123-cluster-0",
    )


def test_the_id_of_a_merged_cluster_leads_to_its_heir_over_any_chain():
    pet = album(Params(rebuild_least=10**6))
    pet.params = Params(merge_threshold=-10.0)
    pet.apply(job(2, force=True))
    assert list(pet.members()) == [FIRST]
    pet.reload()

    corrected(pet, 3, Rename(THIRD, "all of them"))
    assert pet.clusters[0]["label"] == "all of them"

    pet = album()
    corrected(pet, 3, Merge([SECOND, THIRD]))
    corrected(pet, 4, Merge([FIRST, SECOND]))
    corrected(pet, 5, Rename(THIRD, "through two"))
    assert [(c["id"], c["label"]) for c in pet.clusters] == [(FIRST, "through two")]


def test_the_id_of_a_cluster_that_the_cap_swallowed_leads_to_its_heir():
    pet = Pet(Params(max_cells=2))
    pet.apply(job(1, *photos([2, 2], spread=0.0)))
    assert list(pet.members()) == [FIRST, SECOND]

    pet.apply(job(2, insight("third", direction(2))))
    corrected(pet, 3, Rename(SECOND, "all"))

    assert [(c["id"], c["label"], c["size"]) for c in pet.clusters] == [(FIRST, "all", 5)]


def test_only_the_latest_ids_lead_on(monkeypatch):
    monkeypatch.setattr("sploot_clusterd.engine.succession.MOST_LED", 1)
    pet = album()

    corrected(pet, 2, Merge([FIRST, SECOND]), Merge([FIRST, THIRD]))

    assert pet.album.successors == {2: 0}


def test_a_cluster_that_is_emptied_by_a_move_leads_to_where_its_images_went():
    pet = album()

    corrected(pet, 2, Move(list(group(0, 5)), SECOND), Rename(FIRST, "both"))

    assert [(c["id"], c["label"]) for c in pet.clusters] == [(SECOND, "both"), (THIRD, "Group 3")]


def test_to_split_all_images_off_keeps_the_id():
    pet = album()

    corrected(pet, 2, Split(FIRST, sorted(group(0, 5))))

    assert pet.members().keys() == {FIRST, SECOND, THIRD}
    assert pet.cluster_of("g0-0") == FIRST


def test_so_many_corrected_clusters_are_kept_and_no_more():
    pet = Pet(Params(max_cells=12))
    pet.apply(job(1, *photos([12])))
    (cluster,) = pet.members()
    for number in range(5):
        corrected(pet, 2 + number, Split(cluster, [f"g0-{number}"]))

    reason, detail = refused(pet, 9, Split(cluster, ["g0-7"]))
    assert reason == "invalid"
    assert "at most 6 corrected clusters: merge some" in detail

    pet.apply(job(10, *photos(dict.fromkeys(range(1, 9), 4))))
    assert len(pet.album.cells) <= 12
    assert len({pet.cluster_of(f"g0-{n}") for n in range(6)}) == 6


def test_an_album_from_before_corrections_is_read():
    pet = album()
    expected = render(pet.album, pet.params)
    for name, raw in pet.fields.items():
        value = msgspec.msgpack.decode(raw)
        if name == b"head":
            value[5] = value[5][:-1]
            value[8] = [cluster[:-3] for cluster in value[8]]
        elif name.startswith(b"c"):
            value[0] = [*value[0][:-2], [member[:-1] for member in value[0][-2]]]
        elif name.startswith(b"r:"):
            value = value[:-1]
        pet.fields[name] = msgspec.msgpack.encode(value)
    pet.reload()
    assert render(pet.album, pet.params) == expected

    corrected(pet, 2, Split(FIRST, ["g0-0"]), SetHero(FIRST, "g0-2"))

    assert pet.members()["pet_123-cluster-3"] == ["g0-0"]
    assert decode_row(pet.rows()["g0-2"]).pinned is not None


@pytest.mark.parametrize("field", [b"anchors", b"successors"])
def test_what_contradicts_the_clusters_is_no_album(field):
    pet = album()
    corrected(pet, 2, Merge([FIRST, SECOND]), Rename(THIRD, "x"))
    pet.reload()

    if field == b"anchors":
        without = pet.fields.pop(field)
        with pytest.raises(BadStateError, match="has not the anchor"):
            pet.reload()
        pet.fields[field] = without
    pet.fields[field] = b"\xc1"
    with pytest.raises(BadStateError, match=field.decode()):
        pet.reload()
