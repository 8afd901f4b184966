"""Images without vectors, cut by the newest labels and coverage."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine import Params
from sploot_clusterd.engine.listings import Chunk, Listing
from sploot_clusterd.engine.provisional import match_coverage, shares, split
from tests.engine.pet import Pet, direction, insight, job

LABELS = ("Portraits", "Action Shots")
COVERAGE = {"portrait": 0.6, "action": 0.4}
IDS = ["img_001", "img_002", "img_003"]


def seed_job(number=1, **more):
    """A job as today's producers send it."""
    return job(number, **{"image_ids": IDS, "labels": LABELS, "coverage": COVERAGE, "quality_score": 0.85} | more)


def grouped(pet):
    return {c["label"]: [m["image_id"] for m in c["members"]] for c in pet.clusters}


def test_todays_jobs_get_what_they_always_got():
    pet = Pet()
    pet.apply(seed_job(model_version=None), now_ms=1_761_827_696_789)

    view = pet.view

    assert view["clusters"][0] == {
        "id": "pet_123-cluster-0",
        "label": "Portraits",
        "hero_image_id": "img_001",
        "members": [
            {"image_id": "img_001", "score": 0.85, "position": 0, "quality_score": 0.85},
            {"image_id": "img_002", "score": 0.85, "position": 1, "quality_score": 0.85},
        ],
        "quality_score": 0.85,
        "size": 2,
        "provisional": True,
    }
    assert view["clusters"][1]["id"] == "pet_123-cluster-1"
    assert grouped(pet)["Action Shots"] == ["img_003"]
    assert view["metrics"] == {
        "coverage": COVERAGE,
        "quality_score": 0.85,
        "processed_at": "2025-10-30T12:34:56.789Z",
        "num_clusters": 2,
        "num_images": 3,
        "num_unclustered": 0,
        "silhouette": None,
    }
    assert view["updated_at"] == "2025-10-30T12:34:56.789Z"
    assert (view["pet_id"], view["version"], view["model_version"], view["unclustered"]) == ("pet_123", 1, None, [])


@given(st.integers(0, 10_000), st.lists(st.floats(0.001, 1), min_size=1, max_size=12))
def test_largest_remainders_give_whole_numbers_near_the_shares(total, raw):
    parts = [part / sum(raw) for part in raw]

    counts = split(total, parts)

    assert sum(counts) == total
    assert all(abs(count - part * total) < 1.001 for count, part in zip(counts, parts, strict=True))


@pytest.mark.parametrize(
    ("labels", "coverage", "expected"),
    [
        (LABELS, COVERAGE, [0.6, 0.4]),
        (LABELS, {}, [0.5, 0.5]),
        (("Portraits", "Sleep", "Play"), {"portrait": 0.5}, [0.5, 0.25, 0.25]),
        (("A", "B"), {"a": 0.2, "b": 0.2}, [0.5, 0.5]),
        (("A", "B"), {"a": 1.0, "b": 1.0}, [0.5, 0.5]),
        (("A", "B"), {"a": 0.0, "b": 0.0}, [0.5, 0.5]),
        (("A", "B"), {"a": 1.0}, [1.0, 0.0]),
    ],
)
def test_shares_sum_to_one(labels, coverage, expected):
    assert shares(labels, coverage) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "coverage", "expected"),
    [
        (("Action Shots",), {"ACTION-shots!": 0.3}, [0.3]),
        (("Port",), {"portraits": 0.3}, [0.3]),
        (("Portraits",), {"action": 0.3}, [None]),
        (("Play", "Playground"), {"play": 0.3, "playground": 0.2}, [0.3, 0.2]),
        (("2024",), {"2024": 0.3, "2025": 0.2}, [0.3]),
        (("2024",), {"": 0.3}, [None]),
    ],
)
def test_a_coverage_key_matches_by_letters(labels, coverage, expected):
    assert match_coverage(labels, coverage) == expected


def test_a_cluster_keeps_its_id_as_long_as_its_label():
    pet = Pet()
    pet.apply(seed_job())
    pet.apply(seed_job(2, labels=("Sleep", "Portraits"), coverage={}))
    assert {c["label"]: c["id"] for c in pet.clusters} == {
        "Portraits": "pet_123-cluster-0",
        "Sleep": "pet_123-cluster-2",
    }

    pet.apply(seed_job(3))
    assert {c["label"]: c["id"] for c in pet.clusters} == {
        "Portraits": "pet_123-cluster-0",
        "Action Shots": "pet_123-cluster-3",
    }


def test_without_labels_there_is_one_group():
    pet = Pet()
    pet.apply(job(1, image_ids=IDS))

    assert grouped(pet) == {"Group 1": IDS}
    assert pet.clusters[0]["quality_score"] is None
    assert pet.view["metrics"]["coverage"] == {"Group 1": 1.0}


def test_a_vector_moves_its_image_into_a_real_cluster():
    pet = Pet()
    pet.apply(seed_job())
    pet.apply(job(2, insight("img_001", direction(0)), insight("img_009", direction(0))))

    real = [c for c in pet.clusters if not c["provisional"]]

    assert sorted(m["image_id"] for m in real[0]["members"]) == ["img_001", "img_009"]
    assert grouped(pet)["Action Shots"] == ["img_003"]
    assert pet.view["metrics"]["num_images"] == 4


def test_the_best_come_first_and_equal_ones_in_their_order():
    pet = Pet(Params(max_cluster_size=3))
    listed = seed_job(labels=("All",), coverage={}, image_ids=[*IDS, "x"])
    pet.apply(listed._replace(images=[insight("img_003", quality=0.99)]))

    assert grouped(pet) == {"All": ["img_003", "img_001", "img_002"]}
    assert pet.clusters[0]["size"] == 4


def test_a_removed_image_leaves_its_group():
    pet = Pet()
    pet.apply(seed_job())
    pet.apply(job(2, removed=IDS))

    assert pet.clusters == []
    assert not any(name.startswith(b"p") for name in pet.fields)


def test_a_long_list_is_kept_in_chunks_and_in_order():
    pet = Pet(Params(max_cluster_size=1000))
    names = [f"img-{n:04}" for n in range(700)]
    pet.apply(job(1, image_ids=names))
    assert sum(name.startswith(b"p") for name in pet.fields) == 22

    applied = pet.apply(job(2, image_ids=["one-more"]))

    assert sum(name.startswith(b"p") for name in applied.writes) == 1
    pet.reload()
    assert grouped(pet) == {"Group 1": [*names, "one-more"]}


def order(pet):
    """The provisional images as they are dealt out."""
    return [name for chunk in pet.album.chunks for name in chunk.images]


def test_images_are_dealt_out_in_the_order_of_their_announcements_however_late_these_come():
    pet = Pet()
    late = [seed_job(2, image_ids=["b", "c"]), seed_job(1, image_ids=["a", "c"])]
    for each in (seed_job(3, image_ids=["d", "a"]), *late):
        pet.apply(each)
        pet.reload()

    assert order(pet) == ["a", "c", "b", "d"]
    assert grouped(pet) == {"Portraits": ["a", "c"], "Action Shots": ["b", "d"]}


def test_one_that_is_removed_and_announced_again_has_a_new_turn():
    pet = Pet()
    pet.apply(seed_job(1, image_ids=["a", "b", "c"]))

    pet.apply(seed_job(2, removed=["a"], image_ids=[]), seed_job(3, image_ids=["a"]))
    assert order(pet) == ["b", "c", "a"]

    pet.apply(seed_job(4, removed=["b"], image_ids=["b"]))
    assert order(pet) == ["c", "a", "b"]

    pet.apply(seed_job(5, image_ids=["c"]))  # announced again, but never gone
    assert order(pet) == ["c", "a", "b"]


@pytest.mark.parametrize("late", [("b", "a"), ("a", "b")])
def test_of_one_job_those_whose_place_is_not_known_go_by_their_ids(late):
    pet = Pet()
    pet.apply(seed_job(1, image_ids=["b", "a"]))
    pet.apply(seed_job(4, image_ids=["b", "a"]))

    for number, name in enumerate(late, 2):
        pet.apply(seed_job(number, removed=[name], image_ids=[]))

    assert order(pet) == ["a", "b"]


announced = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcdef"), max_size=4, unique=True),
        st.lists(st.sampled_from("abcdef"), max_size=2, unique=True),
    ),
    min_size=1,
    max_size=6,
)


@given(announced.flatmap(lambda jobs: st.tuples(st.just(jobs), st.permutations(range(len(jobs))))))
def test_the_order_does_not_depend_on_the_order_of_application(drawn):
    said, sequence = drawn
    jobs = [seed_job(number, image_ids=ids, removed=gone) for number, (ids, gone) in enumerate(said)]
    straight, mixed = Pet(), Pet()

    for number, place in enumerate(sequence):
        straight.apply(jobs[number])
        mixed.apply(jobs[place])
    firsts = {}
    for number, (ids, gone) in enumerate(said):
        firsts = {name: place for name, place in firsts.items() if name not in gone}
        for place, name in enumerate(ids):
            firsts.setdefault(name, (number, place))

    assert order(straight) == sorted(firsts, key=firsts.__getitem__)
    assert set(order(mixed)) == set(order(straight))
    if not any(gone for _, gone in said):
        assert order(mixed) == order(straight)


def test_a_list_that_was_stored_without_turns_keeps_its_order():
    pet = Pet()
    pet.apply(seed_job(1, image_ids=["b", "a"]))
    (chunk,) = [name for name in pet.fields if name.startswith(b"p")]
    pet.fields[chunk] = msgspec.msgpack.encode({"b": 0.5, "a": None})
    pet.reload()

    pet.apply(seed_job(2, image_ids=["0", "a"]))

    assert order(pet) == ["b", "a", "0"]


@given(st.lists(st.none() | st.floats(0.0, 1.0)))
def test_a_chunk_that_grew_image_by_image_is_one_made_of_all(qualities: list[float | None]):
    grown, images = Chunk(1, {}), {f"img-{n}": Listing(quality) for n, quality in enumerate(qualities)}
    for image_id, listing in images.items():
        grown = grown.extended(image_id, listing)
    assert grown == Chunk.of(1, images)
