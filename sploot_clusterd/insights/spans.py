"""The span of what is asked of a storage service, for those who ask: adapters pass nothing on, so it is in the context
of the task.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from sploot_clusterd.spans import PET, Context, Kind, Sort, Span, Tracer, context_in, distinct
from sploot_clusterd.store import Taken

_FETCH: Final = Sort("fetch insights", Kind.INTERNAL)
_current: Final = ContextVar[Span | None]("_current", default=None)


def current_context() -> Context | None:
    """That of the span in which this task works; None where it is not traced."""
    span = _current.get()
    return span.context if span else None


@contextmanager
def fetching(tracer: Tracer, taken: Taken) -> Iterator[None]:
    """Within it, what was taken is asked for and settled: in the trace of the first run that wanted it."""
    if not tracer.is_on:
        yield
        return
    wanted = distinct(context_in(image.trace) for image in taken.images)
    span = tracer.start(_FETCH, wanted[0] if wanted else None)
    span.links = wanted[1:]
    span.attributes = {PET: tracer.pet(taken.pet_id), "clusterd.images": len(taken.images)}
    with _within(span):
        yield


@contextmanager
def requesting(method: str, base: str) -> Iterator[Span | None]:
    """Within it, one request is sent, by HTTP; the span is for its outcome, and its context for the header."""
    parent = _current.get()
    if parent is None:
        yield None
        return
    span = parent.child(_request(method, base))
    with _within(span):
        yield span


@lru_cache
def _request(method: str, base: str) -> Sort:
    url = urlsplit(base)
    attributes = {"http.request.method": method, "server.address": url.hostname or "", "url.scheme": url.scheme}
    return Sort(method, Kind.CLIENT, {**attributes, **({"server.port": url.port} if url.port else {})})


@contextmanager
def _within(span: Span) -> Iterator[None]:
    token = _current.set(span)
    try:
        yield
    except BaseException as error:
        span.error = type(error).__name__
        raise
    finally:
        _current.reset(token)
        span.end()
