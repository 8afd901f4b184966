"""A job that the album remembers changes nothing, whatever it says this time; one that says nothing shows nothing."""

import msgspec
import pytest

from sploot_clusterd.engine import JobStatus, Params
from sploot_clusterd.engine.memory import digest
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import Rename
from tests.engine.pet import Pet, direction, insight, job, photos


def took(pet, each):
    """The album's answer to one job."""
    (outcome,) = pet.apply(each).outcomes
    return outcome


@pytest.mark.parametrize(
    "other",
    [
        job(2, image_ids=["new"]),
        job(2, insight("new", direction(1))),
        job(2, insight("g0-0", direction(1), 0.9)),
        job(2, removed=["g0-0"]),
        job(2, labels=["a", "b"]),
        job(2, corrections=[Rename("pet_123-cluster-0", "x")]),
        job(2, force=True),
        job(2),
    ],
)
def test_a_remembered_id_with_other_content_changes_nothing_and_says_so(other):
    pet = Pet()
    first = job(1, *photos([4, 4]))
    pet.apply(first)
    pet.reload()
    fields = dict(pet.fields)

    outcome = took(pet, other._replace(job_id=first.job_id))

    assert (outcome.status, outcome.says_otherwise) == (JobStatus.REPEATED, True)
    assert pet.fields == fields


def test_the_same_content_is_a_repeat_wherever_it_comes_from():
    pet = Pet()
    first = job(1, *photos([4]), image_ids=["bare"], labels=["a"], coverage={"a": 0.5})
    pet.apply(first)
    pet.reload()
    again = first._replace(sequence=EntryId(first.sequence.ms + 5, 0), trace="00-1", labels=("a",), image_ids=("bare",))
    outcome = took(pet, again)
    assert (outcome.status, outcome.says_otherwise) == (JobStatus.REPEATED, False)


def test_the_second_of_a_batch_is_compared_with_the_first():
    pet = Pet()
    first = job(1, image_ids=["a"])
    outcomes = pet.apply(first, job(2, image_ids=["b"], job_id=first.job_id)).outcomes
    assert [outcome.says_otherwise for outcome in outcomes] == [False, True]


@pytest.mark.parametrize("kept", [0, 1], ids=["none are stored", "those of newer jobs are not"])
def test_jobs_that_were_remembered_without_digests_are_recognised(kept):
    pet = Pet()
    for number in range(3):
        pet.apply(job(number, image_ids=[f"img-{number}"]))
    stored = msgspec.msgpack.decode(pet.fields[b"d0"])
    pet.fields[b"d0"] = msgspec.msgpack.encode(stored[:kept])
    if not kept:
        del pet.fields[b"d0"]
    pet.reload()

    assert not took(pet, job(2, image_ids=["other"])).says_otherwise
    assert took(pet, job(3, image_ids=["img-3"])).status is JobStatus.APPLIED
    pet.reload()
    assert took(pet, job(3, image_ids=["other"])).says_otherwise
    assert not took(pet, job(1, image_ids=["other"])).says_otherwise


def test_a_segment_is_forgotten_with_its_digests():
    pet = Pet(Params(dedupe_jobs=1))
    for number in range(40):
        pet.apply(job(number, image_ids=["img"]))
    assert {name for name in pet.fields if name[:1] in b"jd"} == {b"j2", b"d2"}
    assert took(pet, job(0, image_ids=["img"])).status is JobStatus.APPLIED


def test_every_part_of_a_job_is_in_its_digest():
    base = job(1, insight("a", direction(0), 0.5))
    different = [
        base,
        *(job(1, insight("a", direction(0), quality)) for quality in (0.4, None)),
        job(1, insight("b", direction(0), 0.5)),
        job(1, insight("a", direction(1), 0.5)),
        base._replace(model_version="other"),
        base._replace(quality_score=0.1),
        base._replace(coverage={"a": 0.1}),
        base._replace(images=()),
    ]
    assert len({digest(each) for each in different}) == len(different)


def test_a_job_that_says_nothing_is_remembered_under_the_version_that_there_is():
    pet = Pet()
    pet.apply(job(1, *photos([4])))
    before, view = pet.album, pet.view

    applied = pet.apply(job(2, model_version=None))

    assert [outcome.status for outcome in applied.outcomes] == [JobStatus.APPLIED]
    assert (applied.changed, applied.album.version) == (True, before.version)
    assert pet.view == view
    pet.reload()
    assert took(pet, job(2, model_version=None)).status is JobStatus.REPEATED


def test_it_makes_a_version_where_it_is_the_first_or_settings_changed():
    pet = Pet()
    pet.apply(job(1, model_version=None))
    assert pet.album.version == 1
    pet.apply(job(2, *photos([3])))
    pet.params = Params(min_cluster_size=4)
    pet.apply(job(3, model_version=None))
    assert pet.album.version == 3
    assert pet.view["metrics"]["num_unclustered"] == 3
