"""What a route is: where it is, what it does, and what the OpenAPI document says of it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Concatenate, Final, Generic, NamedTuple, TypeVar

from aiohttp import web
from msgspec import Struct

from sploot_clusterd.web.answers import JSON, Response
from sploot_clusterd.web.contract import Refusal

H = TypeVar("H")

PARAMETER: Final = re.compile(r"\{(\w+)\}")
"""In a path; it stands for one segment, which has to be an id."""


class Answer(NamedTuple):
    """One status. Without a `body` the answer has none, or (with `content_type`) one that is no JSON."""

    about: str
    body: type[Struct] | None = Refusal
    example: Mapping[str, Any] | None = None
    headers: tuple[str, ...] = ()
    content_type: str = ""
    """JSON, if nothing is said; of NDJSON each line is such a body."""
    or_else: type[Struct] | None = None
    """What the body may be as well."""


class Body(NamedTuple):
    """Of a request; of NDJSON each line is one."""

    struct: type[Struct]
    example: Mapping[str, Any]
    content_type: str = JSON


class Route(NamedTuple, Generic[H]):
    """One method of one path. Its handler's name is the operation's id."""

    method: str
    """Where GET is answered, HEAD is too."""
    path: str
    handler: Callable[Concatenate[H, web.BaseRequest, ...], Awaitable[Response]]
    """A method of the class H. It is given the request, the path's ids in their order, then the query."""
    summary: str
    answers: Mapping[int, Answer]
    """Beside those that any such request may get (`openapi.py` has them), or in their place."""
    body: Body | None = None
    query: type[Struct] | None = None
    """What the query string is decoded into; without it, the query is ignored."""
    guarded: bool = True
    """Whether a caller needs a token."""
