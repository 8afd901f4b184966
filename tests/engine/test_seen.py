"""Where readers see images, and what of that is news."""

import msgspec

from sploot_clusterd.engine import Params, render, seen_anew
from tests.engine.pet import Pet, direction, insight, job

PARAMS = Params()


def view(pet: Pet) -> bytes:
    return render(pet.album, PARAMS)


def news(before: bytes, after: bytes, removed=()) -> dict:
    return {name: raw and msgspec.json.decode(raw) for name, raw in seen_anew(before, after, removed).items()}


def pet_of(*groups: int) -> Pet:
    pet = Pet()
    images = [insight(f"img-{n}", direction(group, 0.2, n), quality=0.9 - n / 100) for n, group in enumerate(groups)]
    pet.apply(job(1, *images))
    return pet


def test_everything_is_news_to_who_has_seen_nothing():
    pet = pet_of(0, 0, 0)
    told = news(b"", view(pet))
    (cluster,) = msgspec.json.decode(view(pet))["clusters"]
    assert {name for name, seen in told.items() if seen["is_hero"]} == {cluster["hero_image_id"]}
    for member in cluster["members"]:
        seen = told[member["image_id"]]
        assert (seen["cluster_id"], seen["label"]) == (cluster["id"], cluster["label"])
        assert (seen["position"], seen["score"], seen["model_version"]) == (member["position"], member["score"], "m@1")


def test_nothing_is_news_where_nothing_moved():
    pet = pet_of(0, 0, 0)
    assert seen_anew(view(pet), view(pet), ()) == {}


def test_only_what_moved_is_news():
    pet = pet_of(0, 0, 0)
    before = view(pet)
    pet.apply(job(2, insight("new", direction(0, 0.2, 9), quality=0.0)))
    assert news(before, view(pet)).keys() == {"new"}


def test_an_image_outside_every_cluster_is_in_none():
    pet = pet_of(0, 0, 0)
    before = view(pet)
    pet.apply(job(2, insight("odd", direction(5))))
    assert news(before, view(pet))["odd"]["cluster_id"] is None


def test_of_a_removed_image_there_is_nothing_to_tell():
    pet = pet_of(0, 0, 0, 0)
    before = view(pet)
    pet.apply(job(2, removed=["img-3", "unknown"]))
    told = news(before, view(pet), {"img-3", "unknown"})
    assert told == {"img-3": b"", "unknown": b""}
