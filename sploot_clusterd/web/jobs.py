"""What became of jobs."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from sploot_clusterd.jobs import Jobs
from sploot_clusterd.web.answers import RefusedError, Response, answer
from sploot_clusterd.web.backend import JobBook


class JobsAfter(Struct):
    """The query."""

    after: Annotated[str, Meta(max_length=128)] = ""
    limit: Annotated[int, Meta(ge=1, le=256)] = 100


class AboutJobs:
    """Those that need what is known of jobs alone."""

    def __init__(self, book: JobBook) -> None:
        self._book = book

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
