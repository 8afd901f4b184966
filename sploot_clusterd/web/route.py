"""What a route is: where it is, what it does, and what the OpenAPI document says of it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Concatenate, Final, Generic, NamedTuple, TypeVar

from aiohttp import web
from msgspec import Struct

from sploot_clusterd.config import Scope
from sploot_clusterd.web.answers import JSON, Response
from sploot_clusterd.web.auth import missing
from sploot_clusterd.web.contract import Refusal

H = TypeVar("H")

INTERNAL: Final = "/internal"
"""Whatever path begins so wants a token, also one that is not there: strangers do not learn which are."""
PARAMETER: Final = re.compile(r"\{(\w+)\}")
"""In a path; it stands for one segment, which has to be an id."""


class Answer(NamedTuple):
    """One status. Without a `body` the answer has none, or (with `content_type`) one that is no JSON."""

    about: str
    body: Struct | type[Struct] | None = None
    """An example, or its type where that is enough."""
    headers: tuple[str, ...] = ()
    content_type: str = ""
    """JSON, if nothing is said; of NDJSON each line is such a body."""
    or_else: type[Struct] | None = None
    """What the body may be as well."""


def refused(about: str, detail: str | None = None, *headers: str) -> Answer:
    """A status whose body is a detail, with one as an example."""
    return Answer(about, Refusal if detail is None else Refusal(detail), headers)


ANY: Final = {
    400: refused("The bytes are no HTTP as it should be; the connection ends."),
    431: refused("The request line or a header is too long."),
    500: refused("A fault of the daemon.", "internal error"),
    503: refused("Too many connections are open.", "too many connections", "Retry-After"),
}
GUARDED: Final = {
    401: refused("The token is wrong or missing.", "invalid internal token"),
    503: refused(
        "Redis does not answer, refuses, or too many connections are open. A write may have happened all the same; "
        "to repeat it is harmless.",
        "redis unavailable",
        "Retry-After",
    ),
}
WITH_BODY: Final = {
    400: refused("The body is not JSON (NaN and Infinity are not), nests too deeply, or is badly framed."),
    408: refused("The body did not arrive in time."),
    413: refused("The body is too large."),
    415: refused("The body is encoded, or its Content-Type is not JSON. None at all is taken for JSON."),
}


class Body(NamedTuple):
    """Of a request; of NDJSON each line is one."""

    struct: type[Struct]
    example: object
    content_type: str = JSON


class Route(NamedTuple, Generic[H]):
    """One method of one path. Its handler's name is the operation's id."""

    method: str
    """Where GET is answered, HEAD is too."""
    path: str
    scope: Scope | None
    """What a caller has to be let in for. Below INTERNAL, None lets in nobody; elsewhere, no token is wanted."""
    handler: Callable[Concatenate[H, web.BaseRequest, ...], Awaitable[Response]]
    """A method of the class H. It is given the request, the path's ids in their order, then the query."""
    summary: str
    answers: Mapping[int, Answer]
    """Its own; `all_answers` has those that others may get too."""
    body: Body | None = None
    query: type[Struct] | None = None
    """What the query string is decoded into; without it, the query is ignored."""

    @property
    def guarded(self) -> bool:
        """Whether a caller needs a token."""
        return self.path.startswith(INTERNAL)

    @property
    def all_answers(self) -> Mapping[int, Answer]:
        """What is said of fewer routes stands in place of what is said of more."""
        with_body = WITH_BODY if self.body else {}
        return {**ANY, **self._answers_of_guards, **with_body, **self.answers}

    @property
    def _answers_of_guards(self) -> Mapping[int, Answer]:
        if not self.guarded:
            return {}
        return {**GUARDED, 403: refused("The caller has not the scope.", missing(self.scope).detail)}
