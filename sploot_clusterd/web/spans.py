"""Spans of requests and of what they submit, by OpenTelemetry's conventions for HTTP and messaging."""

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from aiohttp import web

from sploot_clusterd.spans import Context, Kind, Span, Tracer, context_of, told_by
from sploot_clusterd.web.answers import Response

if TYPE_CHECKING:
    from sploot_clusterd.web.connection import Connection

_TRACEPARENT: Final = "traceparent"
_TRACESTATE: Final = "tracestate"
_SERVER_ERROR: Final = 500
_PET_ID: Final = "pet_id"
_MOST_LINKS: Final = 128
"""Of a span; a batch may have a thousand jobs."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"})


def begin(tracer: Tracer, request: web.BaseRequest, began: float) -> Span:
    """The span of a request, in the trace that its headers name, or else in a new one."""
    given = request.headers.get(_TRACEPARENT)
    parent = context_of(given, ",".join(request.headers.getall(_TRACESTATE, ()))) if given else None
    span = tracer.start("", Kind.SERVER, parent, began)
    cast("Connection", request.protocol).span = span
    return span


def end(span: Span, request: web.BaseRequest, response: Response, route: str | None, ids: Mapping[str, str]) -> None:
    """`route` is the path with names for ids, None of one that is not there. Of ids only the pet's is told."""
    if not span.context.sampled:
        return
    method = request.method if request.method in _METHODS else "_OTHER"
    known = method if method != "_OTHER" else "HTTP"
    span.name = f"{known} {route}" if route else known
    attributes = span.attributes
    attributes["http.request.method"] = method
    attributes["url.scheme"] = "http"
    if route:
        attributes["http.route"] = attributes["url.path"] = route
    if pet_id := ids.get(_PET_ID):
        attributes["clusterd.pet"] = span.tracer.pet(pet_id)
    attributes["http.response.status_code"] = response.status
    if response.status >= _SERVER_ERROR:
        span.error = str(response.status)
    span.end()


def span_of(request: web.BaseRequest) -> Span | None:
    """Of the request under way, where requests are traced."""
    return cast("Connection", request.protocol).span


class Sending:
    """One message or several on their way into the stream: which trace each belongs to, and the span of their sending.

    A trace that the request names by its headers goes before those that jobs name in their metadata; those are links
    then. Without one, a single job's is the request's, too, and of several each keeps its own.
    """

    def __init__(self, request: Span) -> None:
        self._given = bool(request.parent_id)
        self._span = request.child(f"send {request.tracer.destination}", Kind.PRODUCER)
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
        tracer = span.tracer
        span.attributes = {
            "messaging.system": "redis",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": tracer.destination,
        }
        if len(self._pets) == 1:
            span.attributes["clusterd.pet"] = tracer.pet(self._pets[0])
        else:
            span.attributes["messaging.batch.message_count"] = len(self._pets)
        if kind is not None:
            span.error = kind.__name__
        span.end()
