"""What is held against what a pet is told of its jobs: each way in which it may be something else than happened."""

from dataclasses import replace

import pytest

from sploot_clusterd.jobs import JobState
from sploot_clusterd.model import Move, Rename, Undo
from tests.faults.outcomes import Sent, job_breach, words_breaches

LATE = ("stale_correction", "it comes too late")
NAME, OTHER = ({"op": "rename", "cluster": "pet-cluster-0", "label": label} for label in ("One", "Other"))
NAMED, NAMED_OTHERWISE = Rename("pet-cluster-0", "One"), Rename("pet-cluster-0", "Other")


def job(*corrections: object, times: int = 1) -> Sent:
    return Sent("img-1", {"payload": {"corrections": [*corrections]}}, times)


def state(name: str, reason: str | None = None, error: str | None = None) -> JobState:
    return JobState("job-1", name, "2025-10-30T12:34:56.789Z", reason=reason, error=error)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sent", "told", "letters", "says"),
    [
        (job(), state("applied"), [], ""),
        (job(), state("dead", *LATE), [LATE], ""),
        (job(times=2), state("applied"), [LATE], ""),
        (job(), state("applied"), [LATE], "it was sent 1 times and came to 2 ends"),
        (job(), state("dead", *LATE), [], "it was sent 1 times and came to 0 ends"),
        (job(), state("dead", *LATE), [LATE, LATE], "it was sent 1 times and came to 2 ends"),
        (job(), state("dead", LATE[0], "otherwise"), [LATE], "told is stale_correction: otherwise"),
        (job(), state("dead", "max_attempts", "x"), [("max_attempts", "x")], "it was set aside"),
        (job(), state("queued"), [], "it is queued for ever"),
        (job(), None, [], "nothing is told of it"),
        (replace(job(), saw_wrongly=True), state("dead", *LATE), [LATE], ""),
        (replace(job(), saw_wrongly=True), state("applied"), [], "it was applied, though what was seen was not so"),
    ],
)
def test_it_is_noticed(sent, told, letters, says):
    assert job_breach(sent, told, letters, accepted=True).startswith(says)
    assert bool(job_breach(sent, told, letters, accepted=True)) == bool(says)


def test_of_what_was_perhaps_never_accepted_nothing_need_be_told():
    assert not job_breach(job(), None, [], accepted=False)
    assert job_breach(job(), None, [LATE], accepted=False)


MOVE = {"op": "move", "image_ids": ["img-1", "img-2"], "to": "pet-cluster-0"}
MOVED, MOVED_OTHERS = Move(["img-2"], "pet-cluster-0"), Move(["img-3"], "pet-cluster-0")
UNDO = {"op": "undo", "job_id": "job-1"}


@pytest.mark.parametrize(
    ("applied", "words", "count"),
    [
        ({"job-1": job(NAME)}, [("job-1", [NAMED])], 0),
        ({"job-1": job()}, [], 0),
        ({"job-1": job(NAME)}, [], 1),
        ({"job-1": job(NAME)}, [("job-1", [NAMED_OTHERWISE])], 1),
        ({"job-1": job(NAME)}, [("job-1", [NAMED]), ("job-1", [NAMED])], 1),
        ({"job-1": job(NAME), "job-2": job(UNDO)}, [], 0),
        ({"job-1": job(NAME), "job-2": job(UNDO)}, [("job-1", [NAMED])], 1),
        ({"job-1": job(NAME), "job-2": job(UNDO, OTHER)}, [("job-2", [NAMED_OTHERWISE])], 0),
        ({"job-2": job(UNDO)}, [("job-2", [Undo("job-1")])], 1),
        ({}, [("job-1", [NAMED])], 1),
        ({"fails-once-job-1": job(MOVE)}, [("fails-once-job-1", [MOVED])], 0),
        ({"fails-once-job-1": job(MOVE)}, [("fails-once-job-1", [MOVED_OTHERS])], 1),
        ({"fails-once-job-1": job(MOVE)}, [("fails-once-job-1", [MOVED]), ("fails-once-job-1", [MOVED])], 1),
        ({"job-1": job(MOVE)}, [("job-1", [MOVED])], 1),
    ],
)
def test_words_are_those_of_applied_jobs(applied, words, count):
    assert len([*words_breaches("pet", applied, words)]) == count
