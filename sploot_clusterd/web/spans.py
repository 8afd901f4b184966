"""Spans of requests and of what they submit, by OpenTelemetry's conventions for HTTP and messaging."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web

from sploot_clusterd.histogram import Series
from sploot_clusterd.spans import (
    MANY_VISITS,
    PET,
    Context,
    Kind,
    Sort,
    Span,
    Tracer,
    Value,
    Visits,
    context_of,
    told_by,
)
from sploot_clusterd.web.answers import Response

if TYPE_CHECKING:
    from sploot_clusterd.web.connection import Connection

TRACEPARENT: Final = "traceparent"
_TRACESTATE: Final = "tracestate"
_SERVER_ERROR: Final = 500
_PET_ID: Final = "pet_id"
_MOST_LINKS: Final = 128
"""Of a span; a batch may have a thousand jobs."""
_REQUEST: Final = Sort("", Kind.SERVER)
"""Of one that has not ended."""
_GET: Final = "GET"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"})


class Requests:
    """Spans of the requests of one path."""

    def __init__(self, tracer: Tracer, route: str | None, parameters: Sequence[str], seconds: Series) -> None:
        """`route` is the path with names for ids, None of one that is not there. Of ids only the pet's is told. Spans
        are examples of `seconds`, where they were counted.
        """
        self._tracer = tracer
        self._seconds = seconds
        self._route = route
        self._pet = parameters.index(_PET_ID) if _PET_ID in parameters else None
        self._sorts: dict[tuple[str, int], Sort] = {}
        self._visits: dict[int, Visits] = {}
        """By status."""
        self.told_later = _GET if tracer.samples_all else ""
        """The method of requests that lead to nothing: of one without a parent nobody has to know the ids."""

    def begin(self, request: web.BaseRequest, began: float) -> Span:
        """In the trace that the headers name, or else in a new one."""
        given = request.headers.get(TRACEPARENT)
        parent = context_of(given, ",".join(request.headers.getall(_TRACESTATE, ()))) if given else None
        span = _connection(request).span = self._tracer.start(_REQUEST, parent, began)
        return span

    def end(self, span: Span, request: web.BaseRequest, response: Response, ids: Sequence[str], seconds: float) -> None:
        _connection(request).span = None
        if not span.context.sampled:
            return
        self._seconds.show(seconds, span.context)
        span.sort = self._sort(request.method, response.status)
        if self._pet is not None:
            span.attributes[PET] = self._tracer.pet(ids[self._pet])
        span.end()

    def tell(self, response: Response, ids: Sequence[str], began: float, ended: float) -> None:
        """Of one that has no span. All reads wait for this: what can be done later is not done here."""
        visits = self._visits.get(response.status)
        if visits is None:
            sort = self._sort(self.told_later, response.status)
            visits = self._visits[response.status] = self._tracer.visits_of(sort)
        visits.times += began, ended
        visits.pets.append(ids[self._pet] if self._pet is not None else "")
        if len(visits.pets) >= MANY_VISITS:
            self._tracer.tell(visits)

    def _sort(self, method: str, status: int) -> Sort:
        method = method if method in _METHODS else "_OTHER"
        if (sort := self._sorts.get((method, status))) is not None:
            return sort
        known = method if method != "_OTHER" else "HTTP"
        attributes: dict[str, Value] = {"http.request.method": method, "url.scheme": "http"}
        if self._route:
            attributes |= {"http.route": self._route, "url.path": self._route}
        attributes["http.response.status_code"] = status
        name = f"{known} {self._route}" if self._route else known
        sort = Sort(name, Kind.SERVER, attributes, str(status) if status >= _SERVER_ERROR else "")
        self._sorts[method, status] = sort
        return sort


def _connection(request: web.BaseRequest) -> "Connection":
    return request.protocol  # type: ignore[return-value]  # as the server makes them


def span_of(request: web.BaseRequest) -> Span | None:
    """Of the request under way, where requests are traced."""
    return _connection(request).span


class Sending:
    """One message or several on their way into the stream: which trace each belongs to, and the span of their sending.

    A trace that the request names by its headers goes before those that jobs name in their metadata; those are links
    then. Without one, a single job's is the request's, too, and of several each keeps its own.
    """

    def __init__(self, request: Span) -> None:
        self._given = bool(request.parent_id)
        self._span = request.child(_send(request.tracer.destination))
        self._pets: list[str] = []

    @classmethod
    def of(cls, request: web.BaseRequest, metadata: Mapping[str, Any] | None = None) -> "Sending | None":
        """Of a request with one job, its `metadata`. None where requests are not traced."""
        span = span_of(request)
        if span is None:
            return None
        if not span.parent_id and (told := told_by(metadata)):
            span.adopt(told)
        return cls(span)

    def carried(self, pet_id: str, metadata: Mapping[str, Any] | None = None) -> Context | None:
        """What the envelope of a job is to carry; None if what its metadata says is to hold. To be asked once a job."""
        self._pets.append(pet_id)
        context = self._span.context
        told = told_by(metadata)
        if told is None or told.trace_id == context.trace_id:
            return context
        if len(self._span.links) < _MOST_LINKS:
            self._span.links.append(told)
        return context if self._given else None

    def __enter__(self) -> Self:
        """Within it, they are sent."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        span = self._span
        if not span.context.sampled:
            return
        if len(self._pets) == 1:
            span.attributes[PET] = span.tracer.pet(self._pets[0])
        else:
            span.attributes["messaging.batch.message_count"] = len(self._pets)
        if kind is not None:
            span.error = kind.__name__
        span.end()


UNTRACED: Final = nullcontext()
"""In place of one, where requests are not traced."""


@lru_cache
def _send(destination: str) -> Sort:
    attributes = {
        "messaging.system": "redis",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": destination,
    }
    return Sort(f"send {destination}", Kind.PRODUCER, attributes)
