"""The engine's settings, and albums that were brought up to date by other settings than those of now."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.config import ClustersSettings, EngineSettings, HeroSettings, Settings
from sploot_clusterd.engine import HeroWeights, JobStatus, NeedsAllRowsError, Params, apply, decode_album, render
from tests.engine.histories import histories
from tests.engine.pet import START_MS, Pet, direction, insight, job, photos

weights = st.sampled_from(
    [
        HeroWeights(),
        HeroWeights(quality=0.0, closeness=0.0, recency=1.0, margin=0.0),
        HeroWeights(quality=0.0, recency=0.0, margin=0.5),
    ]
)
params = st.builds(
    lambda least, most, hero: Params(
        max_cells=12, rebuild_least=4, min_cluster_size=least, max_cluster_size=most, hero=hero
    ),
    st.integers(1, 6),
    st.integers(1, 6),
    weights,
)


def check_view(view, at_most):
    """What holds of any view, whether or not a job has come since the settings changed."""
    numbers = [int(cluster["id"].rsplit("-", 1)[1]) for cluster in view["clusters"]]
    assert numbers == sorted(set(numbers))
    for cluster in view["clusters"]:
        names = [member["image_id"] for member in cluster["members"]]
        assert cluster["hero_image_id"] in names
        assert len(set(names)) == len(names) <= min(cluster["size"], at_most)
        assert cluster["label"] != "Group None"
    metrics = view["metrics"]
    assert metrics["num_clusters"] == len(numbers)
    assert metrics["num_unclustered"] == len(set(view["unclustered"]))
    assert sum(cluster["size"] for cluster in view["clusters"]) + len(view["unclustered"]) == metrics["num_images"]


@given(histories(), params, params, st.booleans())
@settings(max_examples=80, deadline=None)
def test_new_settings_hold_from_the_next_job_and_until_then_a_view_is_the_one_that_was_shown(jobs, old, new, reload):
    pet = Pet(old)
    for each in jobs:
        pet.apply(each)
    shown = render(pet.album, old)
    if reload:
        pet.reload()
    tables = pet.tables()
    pet.params = new

    assert shown == render(pet.album, new) == render(decode_album("pet_123", tables), new)
    check_view(pet.view, old.max_cluster_size)

    pet.apply(job(99, image_ids=["late"]))

    after = pet.view
    check_view(after, new.max_cluster_size)
    for cluster in after["clusters"]:
        assert len(cluster["members"]) == min(cluster["size"], new.max_cluster_size)
        assert cluster["provisional"] or cluster["size"] >= new.min_cluster_size
    large = [cluster for cluster in pet.album.clusters.values() if cluster.size >= new.min_cluster_size]
    assert len(large) == sum(not cluster["provisional"] for cluster in after["clusters"])
    assert render(pet.album, new) == render(pet.reload(), new)


def test_clusters_that_have_become_large_enough_are_shown_with_the_next_job():
    pet = Pet(Params(min_cluster_size=5))
    pet.apply(job(1, *photos([3, 3, 6])))
    assert list(pet.members()) == ["pet_123-cluster-0"]
    pet.reload()
    pet.params = Params(min_cluster_size=2)

    assert list(pet.members()) == ["pet_123-cluster-0"]
    assert len(pet.view["unclustered"]) == 6
    pet.apply(job(2, insight("elsewhere", direction(9))))

    assert {cluster["id"]: cluster["size"] for cluster in pet.clusters} == {
        "pet_123-cluster-0": 6,
        "pet_123-cluster-1": 3,
        "pet_123-cluster-2": 3,
    }
    assert pet.view["unclustered"] == ["elsewhere"]


def one_cell(params, count=12):
    pet = Pet(params)
    pet.apply(job(1, *(insight(f"img-{n:02}", direction(0, 0.1, n), n / 20) for n in range(count))))
    assert len(pet.album.cells) == 1
    return pet


LOOSE = {"join_cosine": 0.1, "join_threshold": 0.1}


def test_a_larger_cap_is_served_by_clusters_that_the_next_job_does_not_touch():
    pet = one_cell(Params(max_cluster_size=2, **LOOSE))
    pet.params = Params(max_cluster_size=9, **LOOSE)
    with pytest.raises(NeedsAllRowsError):
        apply(pet.album, [job(2, image_ids=["bare"])], {}, pet.params, 0)

    pet.apply(job(2, image_ids=["bare"]))
    pet.apply(job(3, image_ids=["another"]))

    sizes = [(cluster["size"], len(cluster["members"])) for cluster in pet.clusters if not cluster["provisional"]]
    assert sizes == [(12, 9)]
    assert pet.loaded_all == 1


def test_a_smaller_cap_needs_no_rows_and_keeps_a_hero_that_is_served():
    pet = one_cell(Params(max_cluster_size=6, hero=HeroWeights(margin=0.9), **LOOSE))
    pet.apply(job(2, insight("sharp", direction(0, 0.1, 50), 0.64)))
    first_hero = pet.clusters[0]["hero_image_id"]
    pet.params = Params(max_cluster_size=1, hero=HeroWeights(margin=0.9), **LOOSE)

    assert len(pet.clusters[0]["members"]) == 6
    pet.apply(job(3, image_ids=["bare"]))

    assert pet.loaded_all == 0
    cluster = pet.clusters[0]
    assert [member["image_id"] for member in cluster["members"]] == [cluster["hero_image_id"]]
    assert pet.album.clusters[0].hero == cluster["hero_image_id"] != first_hero


def test_other_hero_weights_choose_among_all_images_of_a_cell():
    by_quality = HeroWeights(quality=1.0, closeness=0.0, recency=0.0)
    by_time = HeroWeights(quality=0.0, closeness=0.0, recency=1.0, margin=0.0)
    pet = Pet(Params(max_cluster_size=2, hero=by_quality, **LOOSE))
    day = 86_400_000
    pet.apply(
        job(1, *(insight(f"i{n}", direction(0, 0.1, n), n / 20, captured_ms=START_MS - n * 50 * day) for n in range(9)))
    )
    assert "i0" not in {member.image_id for member in pet.album.cells[0].members}
    pet.params = Params(max_cluster_size=2, hero=by_time, **LOOSE)

    pet.apply(job(2, image_ids=["bare"]))

    cluster = next(cluster for cluster in pet.clusters if not cluster["provisional"])
    assert cluster["hero_image_id"] == "i0"
    assert pet.loaded_all == 1


def test_new_settings_alone_are_no_change():
    pet = Pet(Params(min_cluster_size=5))
    first = job(1, *photos([3, 3]))
    pet.apply(first)
    pet.params = Params(min_cluster_size=2)

    applied = pet.apply(first)
    rejected = pet.apply(job(2, insight("bad", [1.0, 2.0])))

    assert [each.outcomes[0].status for each in (applied, rejected)] == [JobStatus.REPEATED, JobStatus.REJECTED]
    assert not applied.changed
    assert not rejected.changed
    assert pet.album.version == 1


def test_a_head_that_does_not_say_which_settings_it_follows_can_be_read():
    pet = Pet(Params(min_cluster_size=5))
    pet.apply(job(1, *photos([3, 3])))
    head = msgspec.msgpack.decode(pet.fields[b"head"])
    pet.fields[b"head"] = msgspec.msgpack.encode(head[:10])
    pet.params = Params(min_cluster_size=2)
    assert pet.reload().serving is None

    pet.apply(job(2, image_ids=["bare"]))

    assert [cluster["size"] for cluster in pet.clusters] == [3, 3, 1]
    assert json.loads(render(pet.reload(), pet.params)) == pet.view
    assert pet.album.serving == pet.params.serving


def test_the_settings_of_the_daemon_are_taken_over():
    engine = EngineSettings(min_cluster_size=3, hero=HeroSettings(recency=0.5, margin=0.1))
    settings = Settings(engine=engine, clusters=ClustersSettings(max_cluster_size=9))

    params = Params.of(settings)

    assert (params.min_cluster_size, params.max_cluster_size, params.algorithm) == (3, 9, "mixture")
    assert params.weights == Params().weights
    assert params.hero == HeroWeights(recency=0.5, margin=0.1)
    assert Params.of(Settings()) == Params()
