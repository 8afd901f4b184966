"""What became of jobs, and what has an id."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from sploot_clusterd.found import Findings
from sploot_clusterd.jobs import Jobs
from sploot_clusterd.model import NAMED_ID_PATTERN
from sploot_clusterd.web.answers import RefusedError, Response, answer
from sploot_clusterd.web.backend import Finder, JobBook


class JobsAfter(Struct):
    """The query."""

    after: Annotated[str, Meta(max_length=128)] = ""
    limit: Annotated[int, Meta(ge=1, le=256)] = 100


class Sought(Struct):
    """The query."""

    q: Annotated[str, Meta(min_length=1, max_length=128, pattern=NAMED_ID_PATTERN)]
    after: Annotated[str, Meta(max_length=64)] = ""


class AboutJobs:
    """Those that need what is known of jobs, and who looks for ids."""

    def __init__(self, book: JobBook, finder: Finder) -> None:
        self._book = book
        self._finder = finder

    async def jobs(self, _request: web.BaseRequest, pet_id: str, asked: JobsAfter) -> Response:
        """A page of the pet's latest jobs: those behind the job `after`."""
        states, complete = await self._book.of_pet(pet_id)
        ids = [state.job_id for state in states]
        first = ids.index(asked.after) + 1 if asked.after in ids else len(ids) if asked.after else 0
        page = states[first : first + asked.limit]
        has_more = first + asked.limit < len(states)
        return answer(Jobs(pet_id, [*page], page[-1].job_id if has_more else None, complete))

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
