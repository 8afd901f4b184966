"""What to ask a pet's user."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from sploot_clusterd.view import MOST_SUGGESTIONS
from sploot_clusterd.web.answers import RefusedError, Response
from sploot_clusterd.web.backend import Questions
from sploot_clusterd.web.etags import Etags


class Wanted(Struct):
    """The query."""

    limit: Annotated[int, Meta(ge=1, le=MOST_SUGGESTIONS)] = 5


class Asking:
    """Those that need the questions alone."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._etags = Etags()

    async def suggestions(self, request: web.BaseRequest, pet_id: str, wanted: Wanted) -> Response:
        """The best questions, with a strong ETag: it changes with the view's version, and with the number wanted."""
        suggested = await self._questions.suggestions(pet_id, wanted.limit)
        if suggested is None:
            raise RefusedError(404, "no job of this pet was applied yet: there is nothing to ask")
        return self._etags.answer(request, f"{pet_id} {wanted.limit}", suggested)
