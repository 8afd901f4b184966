"""The storm of corrections on code that is wrong, each time in another way: it has to notice."""

import tempfile
from pathlib import Path

import pytest

from tests.faults.broken import broken
from tests.faults.corrected import told_as_done
from tests.faults.harm import Size

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
SIZE = Size(jobs=400, rate=250, harms=0)

MUTANTS = {
    "a dead letter is not told": (
        ("store/stream.py", 'told=letter.told() if self._jobs_life else "",', 'told="",'),
        "nothing is told of it",
    ),
    "a later version than that of the album is told": (
        ("store/commit.py", "told.applied(now_ms, _version(commit), ", "told.applied(now_ms, _version(commit) + 1, "),
        "told",
    ),
    "what was seen is not looked at": (
        ("engine/as_seen.py", "in job.seen.items():", "in {}.items():"),
        "it was applied, though what was seen was not so",
    ),
    "what a word holds stays when it is taken back": (
        (
            "engine/undo.py",
            "draft.words = (*draft.words[:at], *",
            "draft.words = (*draft.words[:at], structs.replace(word, said=(), places={}, pins={}), *",
        ),
        "is said as [[]] and was taken back",
    ),
    "what is hidden is forgotten with the next job": (
        ("engine/jobs.py", "draft.begin_job()", "draft.begin_job(), draft.hidden.clear()"),
        "never",
    ),
    "that a hero was chosen is not written down": (
        ("engine/corrections.py", "if isinstance(timely, Undo) else", "if isinstance(timely, (Undo, SetHero)) else"),
        "is said as",
    ),
}


@pytest.mark.parametrize(("breaks", "says"), MUTANTS.values(), ids=MUTANTS)
async def test_the_storm_of_corrections_notices_that(breaks, says):
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:  # short, for sockets lie in it
        code = broken(Path(directory), [breaks])
        outcome = await told_as_done(Path(directory), 1, SIZE, code)
    assert any(says in breach for breach in outcome.breaches), outcome
