"""What became of jobs, and what has an id."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, cast

from aiohttp import web
from msgspec import Meta, Struct

from sploot_clusterd.errors import BadJobError, Reason
from sploot_clusterd.found import Findings
from sploot_clusterd.jobs import Jobs, JobState
from sploot_clusterd.model import NAMED_ID_PATTERN
from sploot_clusterd.past import PastJob
from sploot_clusterd.web.answers import RefusedError, Response, answer
from sploot_clusterd.web.backend import Finder, JobBook, Past

_EARLIER: Final = "~"
"""What a place in history begins with: no id does."""
_place: Final = re.compile(r"~([0-9]{1,15})-([\w.:-]{1,128})\Z", re.ASCII)


class JobsAfter(Struct):
    """The query. `after`: a job's id; or a place in history, which the last page before it names."""

    after: Annotated[str, Meta(max_length=145)] = ""
    limit: Annotated[int, Meta(ge=1, le=256)] = 100


class Sought(Struct):
    """The query."""

    q: Annotated[str, Meta(min_length=1, max_length=128, pattern=NAMED_ID_PATTERN)]
    after: Annotated[str, Meta(max_length=64)] = ""


class AboutJobs:
    """Those that need what is known of jobs, and who looks for ids."""

    def __init__(self, book: JobBook, finder: Finder, past: Past | None) -> None:
        """`past` is None where history is off."""
        self._book = book
        self._finder = finder
        self._past = past

    async def jobs(self, _request: web.BaseRequest, pet_id: str, asked: JobsAfter) -> Response:
        """A page of the pet's latest jobs: those behind the job `after`; then of those that only history has."""
        states, complete = await self._book.of_pet(pet_id)
        if self._past and asked.after.startswith(_EARLIER):
            return answer(await self._earlier(self._past, pet_id, states, asked))
        ids = [state.job_id for state in states]
        first = ids.index(asked.after) + 1 if asked.after in ids else len(ids) if asked.after else 0
        page = states[first : first + asked.limit]
        has_more = first + asked.limit < len(states)
        following = page[-1].job_id if has_more else _EARLIER if self._past else None
        return answer(Jobs(pet_id, [*page], following, complete))

    async def _earlier(self, past: Past, pet_id: str, known: Sequence[JobState], asked: JobsAfter) -> Jobs:
        before = None
        if asked.after != _EARLIER:
            place = _place.match(asked.after)
            if place is None:
                raise BadJobError("invalid", "after: expected what an answer had for `next`")
            before = int(place[1]), place[2]
        found = await past.jobs_of(pet_id, before, asked.limit, {state.job_id for state in known})
        following = _EARLIER + found.next if found.next else None
        return Jobs(pet_id, [*map(_state, found.jobs)], following, complete=True)

    async def job(self, _request: web.BaseRequest, pet_id: str, job_id: str) -> Response:
        """What became of one."""
        state, complete = await self._book.of_job(pet_id, job_id)
        if state is None:
            more = "" if complete else ", as far as the stream was looked through"
            raise RefusedError(404, f"nothing is known of this job: it does not wait, and was not told of lately{more}")
        return answer(state)

    async def find(self, _request: web.BaseRequest, sought: Sought) -> Response:
        """What has this id: a part of all that is kept is looked through."""
        found, following = await self._finder.find(sought.q, sought.after)
        return answer(Findings([*found], following or None))


def _state(job: PastJob) -> JobState:
    """As the pet was told, where that is forgotten; of a job that took effect without what failed before."""
    if job.status != "dead":
        return JobState(job.job_id, "applied", job.finished_at, version=job.version)
    reason = cast("Reason | None", job.reason)
    return JobState(job.job_id, "dead", job.finished_at, attempts=job.attempts, reason=reason, error=job.last_error)
