"""What jobs may say of an album's images, and which ones are refused."""

from sploot_clusterd.engine import JobStatus, Params, apply, images_named
from sploot_clusterd.entry_ids import EntryId
from tests.engine.pet import START_MS, Pet, direction, insight, job, photos


def test_images_named_are_all_that_a_job_says_anything_of():
    named = images_named([job(1, insight("a")), job(2, image_ids=["b"], removed=["c"])])

    assert named == {"a", "b", "c"}


def test_a_contradicting_length_rejects_that_job_alone():
    pet = Pet()
    pet.apply(job(1, *photos([2])))
    good, bad = job(2, insight("x", direction(0))), job(3, insight("y", [1.0, 2.0]), image_ids=["z"])

    applied = pet.apply(good, bad, job(4, insight("w", direction(0))))

    assert [outcome.status for outcome in applied.outcomes] == [
        JobStatus.APPLIED,
        JobStatus.REJECTED,
        JobStatus.APPLIED,
    ]
    error = applied.outcomes[1].error
    assert error.reason == "dimension"
    assert error.detail == "embedding: 2 values where model version 'm@1' has 32 (expected)"
    assert sorted(pet.rows()) == ["g0-0", "g0-1", "w", "x"]


def test_a_job_that_contradicts_itself_is_rejected():
    pet = Pet()

    applied = pet.apply(job(1, insight("a", [1.0, 2.0]), insight("b", [1.0])))

    assert applied.outcomes[0].status is JobStatus.REJECTED
    assert not applied.changed
    assert pet.fields == {}


def test_another_model_version_may_have_another_length():
    pet = Pet()
    pet.apply(job(1, insight("a", [1.0, 2.0])))

    applied = pet.apply(job(2, insight("b", [1.0, 2.0, 3.0]), model_version="m@2"))

    assert applied.outcomes[0].status is JobStatus.APPLIED


def test_a_kind_may_come_later():
    pet = Pet()
    pet.apply(job(1, *photos([3])))
    pet.apply(job(2, insight("p", direction(0), pose=[1.0, 0.0]), insight("q", direction(0), pose=[1.0, 0.1])))
    pet.reload()

    pet.apply(job(3, removed=["g0-1"]))

    (space,) = pet.album.spaces.values()
    assert space.layout == (("embedding", 32), ("pose", 2))
    assert pet.view["metrics"]["num_images"] == 4


def test_an_insight_without_vectors_keeps_those_there():
    pet = Pet()
    pet.apply(job(1, *photos([3], quality=0.5)))

    pet.apply(job(2, insight("g0-1", quality=0.9, label="Sleep")))

    (cluster,) = pet.clusters
    assert (cluster["size"], cluster["label"], cluster["hero_image_id"]) == (3, "Sleep", "g0-1")


def test_recent_job_ids_are_remembered_and_old_ones_forgotten():
    pet = Pet(Params(dedupe_jobs=40))
    for number in range(100):
        pet.apply(job(number, image_ids=[f"img-{number}"]))
    segments = [name for name in pet.fields if name.startswith(b"j")]

    def repeated(number):
        again = job(number, job_id=f"job-{number}", sequence=EntryId(START_MS + 10**7, number))
        return apply(pet.album, [again], {}, pet.params, 0).outcomes[0].status is JobStatus.REPEATED

    assert all(repeated(number) for number in range(60, 100))
    assert not repeated(20)
    assert len(segments) <= 4


def test_a_repeated_job_keeps_its_first_place_in_the_order():
    pet = Pet()
    first = job(1, insight("a", direction(0)), insight("b", direction(0)))
    pet.apply(first)
    pet.apply(job(2, removed=["a"]))

    applied = pet.apply(first._replace(sequence=EntryId(START_MS + 10**6, 0)))

    assert applied.outcomes[0].status is JobStatus.REPEATED
    assert not applied.changed


def test_empty_labels_are_as_good_as_left_out():
    pet = Pet()
    pet.apply(job(1, image_ids=["a", "b"], labels=("One", "Two"), coverage={"one": 0.5}))
    before = pet.clusters

    pet.apply(job(2, labels=(), coverage={}))

    assert pet.clusters == before


def test_the_quality_of_an_announcement_serves_a_later_insight_that_has_none():
    pet = Pet()
    pet.apply(job(1, image_ids=["a"], quality_score=0.4))

    pet.apply(job(2, insight("a", direction(0)), insight("b", direction(0))))
    assert {m["image_id"]: m["quality_score"] for m in pet.clusters[0]["members"]} == {"a": 0.4, "b": None}

    pet.apply(job(3, insight("a", direction(0), 0.7)))
    pet.apply(job(4, insight("a", direction(0))))
    assert {m["image_id"]: m["quality_score"] for m in pet.clusters[0]["members"]} == {"a": 0.4, "b": None}


def test_a_length_may_change_once_its_version_has_no_images():
    pet = Pet()
    pet.apply(job(1, *photos([2])))
    pet.apply(job(2, removed=["g0-0", "g0-1"]))

    applied = pet.apply(job(3, insight("short", [1.0, 2.0])))

    assert applied.outcomes[0].status is JobStatus.APPLIED
