"""What a commit tells of the albums before and after it, held against the views of both."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.changes import MOST_JOBS, Change, encode_told
from sploot_clusterd.engine import Params, new_album, news_of, render
from sploot_clusterd.model import Merge, Move, Rename, Split
from tests.engine.histories import SMALL, histories
from tests.engine.pet import Pet, direction, insight, job, photos
from tests.support.replaying import Replayed


def view(album, params) -> dict:
    return msgspec.json.decode(render(album, params))


def news(pet: Pet, *jobs) -> Change:
    before = pet.album
    pet.apply(*jobs)
    return news_of(before, pet.album, [each.job_id for each in jobs], pet.params)


def told(pet: Pet, *jobs) -> list[tuple[str, str]]:
    return [(each.id.removeprefix("pet_123-cluster-"), each.what) for each in news(pet, *jobs).clusters]


@settings(deadline=None)
@given(histories(), st.lists(st.booleans(), min_size=8, max_size=8), st.booleans())
def test_replayed_it_is_what_the_view_shows(history, reloads, with_faces):
    """In memory, and as it was read back."""
    pet, known = Pet(params=SMALL, with_faces=with_faces), Replayed()
    for each, reload in zip(history, reloads, strict=False):
        if reload and pet.album.version:
            pet.reload()
        change = news(pet, each)
        shown = view(pet.album, SMALL)
        known.apply(msgspec.json.decode(encode_told(change)))
        assert known == Replayed.of(shown)
        assert change.version == shown["version"]
        figures = change.num_clusters, change.num_images, change.num_unclustered
        assert figures == tuple(shown["metrics"][name] for name in ("num_clusters", "num_images", "num_unclustered"))


def test_a_job_that_says_nothing_new_changes_nothing():
    pet = Pet()
    pet.apply(job(1, *photos([4])))
    assert news(pet, job(2)) == Change(pet.album.version, ["job-2"], 1, 4, 0)


def test_a_correction_is_told_as_what_readers_see_of_it():
    pet = Pet()
    assert told(pet, job(1, *photos([4, 4]))) == [("0", "new"), ("1", "new")]
    merge = Merge(["pet_123-cluster-0", "pet_123-cluster-1"])
    assert told(pet, job(2, corrections=[merge])) == [("0", "changed"), ("1", "merged")]
    split = Split("pet_123-cluster-0", ["g1-0", "g1-1", "g1-2"])
    assert told(pet, job(3, corrections=[split]))[-1][1] == "split"
    rename = news(pet, job(4, corrections=[Rename("pet_123-cluster-0", "Mine")]))
    assert [(each.what, each.label) for each in rename.clusters] == [("changed", "Mine")]
    move = news(pet, job(5, corrections=[Move(["g1-3"], "pet_123-cluster-2")]))
    assert [(each.images_in, each.images_out) for each in move.clusters] == [([], ["g1-3"]), (["g1-3"], [])]


def test_other_settings_show_other_images():
    pet, known = Pet(), Replayed()
    known.apply(msgspec.to_builtins(news(pet, job(1, *photos([6, 2])))))
    before, pet.params = pet.album, Params(max_cluster_size=3)
    pet.apply(job(2, insight("new", direction(1, 0.3, 9))))
    known.apply(msgspec.to_builtins(news_of(before, pet.album, [], pet.params)))
    assert known == Replayed.of(view(pet.album, pet.params))


def test_of_many_jobs_the_first_are_named():
    pet = Pet()
    jobs = [job(number, image_ids=["a"]) for number in range(1, MOST_JOBS + 4)]
    change = news(pet, *jobs)
    assert change.jobs == [each.job_id for each in jobs[:MOST_JOBS]]
    assert change.more_jobs == 3


def test_a_new_album_has_no_news_before_its_first_job():
    album = new_album("pet_123")
    assert news_of(album, album, [], Params()) == Change(0, [], 0, 0, 0)
