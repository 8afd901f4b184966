"""One step around every handler: token, method, ids, errors, figures, access log.

A chain of middlewares would do the same and cost a call each.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import perf_counter
from types import MethodType
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Protocol, TypeVar

from aiohttp import web
from msgspec import Struct

from sploot_clusterd import wire
from sploot_clusterd.config import LimitsSettings, Scope
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import OFF, Span, Tracer
from sploot_clusterd.web.answers import RefusedError, Response, refusal_of
from sploot_clusterd.web.auditing import Auditor
from sploot_clusterd.web.auth import TOKEN_HEADER, Caller, Tokens, missing
from sploot_clusterd.web.proxies import Proxies
from sploot_clusterd.web.route import INTERNAL, PARAMETER, Route
from sploot_clusterd.web.spans import TRACEPARENT, Requests
from sploot_clusterd.web.throttle import Throttle

if TYPE_CHECKING:
    from sploot_clusterd.web.connection import Connection

log = logging.getLogger(__name__)
access_log = logging.getLogger("sploot_clusterd.access")

_LONGEST_PATH: Final = 256
_PETS: Final = INTERNAL + "/pets/"
_PET_ID: Final = "{pet_id}"
_UNKNOWN: Final = "(unknown)"
"""The metrics' name for every path that is not there: a label a path would be a series that every scrape carries for
ever.
"""

H = TypeVar("H")
Handler = Callable[..., Awaitable[Response]]
"""Of a request, the path's ids, and the query if the route has one."""


class Sessions(Protocol):
    """Callers who showed their token before."""

    def caller(self, request: web.BaseRequest) -> Caller | None:
        """Whose session the request is of, or None."""


class _Shared(NamedTuple):
    """What all endpoints have."""

    limits: LimitsSettings
    metrics: Metrics
    in_flight: InFlight
    proxies: Proxies
    auditor: Auditor | None = None
    sessions: Sessions | None = None
    tracer: Tracer = OFF


class Endpoint:
    """One path: lets callers in, runs the method's handler, and turns every error into an answer."""

    def __init__(self, path: str, tokens: Tokens | None, shared: _Shared) -> None:
        limits, metrics, in_flight, proxies, self._auditor, sessions, tracer = shared
        self._changes: dict[str, str] = {}
        """By method, what is changed by it."""
        self._methods: dict[str, tuple[Handler, Scope | None]] = {}
        self._parameters = PARAMETER.findall(path)
        self._tokens = tokens
        self._limits = limits
        self._label = path
        traces = tracer.is_on and tokens is not None  # probes come every other second
        route = None if path == _UNKNOWN else path
        self._seconds = metrics.http_seconds.labels(path)
        self._traced = Requests(tracer, route, self._parameters, self._seconds) if traces else None
        self._requests = metrics.http_requests
        self._token_uses = metrics.http_token_uses
        # Finding a labelled child takes longer than counting with it.
        self._by_status: dict[int, Callable[[], None]] = {}
        self._by_slot: dict[str, Callable[[], None]] = {}
        self._throttle = Throttle()
        self._in_flight = in_flight
        self._proxies = proxies
        self._sessions = sessions

    def add(self, method: str, handler: Handler, scope: Scope | None) -> None:
        self._methods[method] = handler, scope
        if method == "GET":
            self._methods["HEAD"] = handler, scope
        elif self._auditor and scope:
            self._changes[method] = handler.__name__

    async def handle(self, request: web.BaseRequest, ids: Sequence[str]) -> Response:
        """`ids`: the path's parameters, as they came."""
        began = perf_counter()
        logged, requests = access_log.isEnabledFor(logging.DEBUG), self._traced
        method, headers = request.method, request.headers  # each looked up anew when it is asked for
        span = None
        if requests is not None and (logged or method != requests.told_later or TRACEPARENT in headers):
            span = requests.begin(request, began)
        self._in_flight.count += 1
        try:
            handler = self._admit(request, method, headers)
            for n, text in enumerate(ids):  # a strict zip takes three times as long
                wire.check_id(self._parameters[n], text, self._limits)
            response = await handler(request, *ids)
        except Exception as error:  # noqa: BLE001 - the boundary: no error of a handler goes further
            if requests is not None and span is None:
                span = requests.begin(request, began)
            response = (refusal_of(error) or self._unexpected(error, span)).answer()
        finally:
            self._in_flight.count -= 1
        if self._changes:
            await self._audit(request, response, ids)
        if not request.content.is_eof():
            response.force_close()  # the rest of a body nobody reads is not worth the wait
        ended = perf_counter()
        bucket = self._count(response, ended - began)
        if requests is not None:
            if span is None and ended < self._seconds.wants_example[bucket]:
                requests.tell(response, ids, began, ended)
            else:
                span = span or requests.begin(request, began)
                requests.end(span, request, response, ids, ended - began)
        if logged:
            self._log(request, response, ended - began, span)
        return response

    async def _audit(self, request: web.BaseRequest, response: Response, ids: Sequence[str]) -> None:
        if self._auditor and (what := self._changes.get(request.method)):
            pet_id = ids[0] if self._parameters[:1] == ["pet_id"] else None
            await self._auditor.note(request, what, pet_id, response)

    def _admit(self, request: web.BaseRequest, method: str, headers: Mapping[str, str]) -> Handler:
        """Decides by the headers alone: a stranger's body is never read."""
        if self._tokens is None:
            handler, _ = self._methods.get(method) or self._refuse()
            return handler
        token = headers.get(TOKEN_HEADER)
        caller = self._tokens.caller(token)
        if caller is None and token is None:
            caller = self._tokens.known(self._proxies.identities(request))
            if caller is None and self._sessions is not None:
                caller = self._sessions.caller(request)
        if caller is None:
            raise RefusedError(401, "invalid internal token")
        connection: Connection = request.protocol  # type: ignore[assignment]  # as the server makes them
        if not connection.is_callers:
            connection.admit()
        connection.caller = caller
        uses = self._by_slot.get(caller.slot)
        if uses is None:
            uses = self._by_slot[caller.slot] = self._token_uses.labels(caller.slot).inc
        uses()
        handler, scope = self._methods.get(method) or self._refuse()
        if scope not in caller.scopes:
            raise missing(scope)
        return handler

    def _refuse(self) -> NoReturn:
        """What every other method gets."""
        if not self._methods:
            raise RefusedError(404, "not found")
        allowed = ", ".join(sorted(self._methods))
        raise RefusedError(405, f"method not allowed here: {allowed} only", {"Allow": allowed})

    def _unexpected(self, error: Exception, span: Span | None) -> RefusedError:
        held_back = self._throttle.passes()
        if held_back is not None:
            data = {"route": self._label, "held_back": held_back, **(span.context.log_fields() if span else {})}
            log.error("a request failed", exc_info=error, extra={"data": data})
        return RefusedError(500, "internal error")

    def _count(self, response: Response, seconds: float) -> int:
        """The place of its bucket among seconds."""
        status = response.status
        count = self._by_status.get(status)
        if count is None:
            count = self._by_status[status] = self._requests.labels(self._label, str(status)).inc
        count()
        return self._seconds.observe(seconds)

    def _log(self, request: web.BaseRequest, response: Response, seconds: float, span: Span | None) -> None:
        data = {
            "method": request.method,
            "path": request.raw_path[:_LONGEST_PATH],
            "status": response.status,
            "ms": round(seconds * 1000, 3),
            "remote": self._proxies.client(request),
            **(span.context.log_fields() if span else {}),
        }
        access_log.debug("request", extra={"data": data})


class Router:
    """Finds a path's endpoint: in a table of paths as they are, in one of what follows a pet's id, by segments.

    aiohttp's own resolver tries patterns in turn and makes an object of each match.
    """

    def __init__(
        self,
        tokens: Tokens | None,
        limits: LimitsSettings,
        metrics: Metrics,
        in_flight: InFlight,
        *,
        proxies: Proxies | None = None,
        base_path: str = "",
        auditor: Auditor | None = None,
        sessions: Sessions | None = None,
        tracer: Tracer = OFF,
    ) -> None:
        """Without `tokens` nothing is guarded. Each path is there below `base_path` as well."""
        self._tokens = tokens
        self._shared = _Shared(limits, metrics, in_flight, proxies or Proxies(), auditor, sessions, tracer)
        self._base = base_path + "/" if base_path else ""
        self._endpoints: dict[str, Endpoint] = {}
        self._exact: dict[str, Endpoint] = {}
        self._of_pet: dict[str, Endpoint] = {}
        self._by_length: dict[int, list[tuple[list[str | None], Endpoint]]] = {}
        """Number of segments -> paths as segments, None where a parameter stands."""
        self._unknown = Endpoint(_UNKNOWN, None, self._shared)
        self._unknown_internal = Endpoint(_UNKNOWN, tokens, self._shared)

    def add(self, routes: Iterable[Route[H]], handlers: H) -> None:
        """Serves routes, whose handlers are methods of `handlers`. Of several that fit a path, those in the tables
        come first, then the one that was added first.
        """
        for route in routes:
            endpoint = self._endpoints.get(route.path) or self._new_endpoint(route)
            handler: Handler = MethodType(route.handler, handlers)
            handler = handler if route.query is None else _with_query(handler, route.query)
            endpoint.add(route.method, handler, route.scope)

    def _new_endpoint(self, route: Route[H]) -> Endpoint:
        path, tokens = route.path, self._tokens if route.guarded else None
        endpoint = self._endpoints[path] = Endpoint(path, tokens, self._shared)
        segments = [None if PARAMETER.fullmatch(segment) else segment for segment in path.split("/")]
        if None not in segments:
            self._exact[path] = endpoint
        elif path.startswith(_PETS + _PET_ID) and segments.count(None) == 1:
            self._of_pet[path.removeprefix(_PETS + _PET_ID)] = endpoint
        else:
            self._by_length.setdefault(len(segments), []).append((segments, endpoint))
        return endpoint

    def handle(self, request: web.BaseRequest) -> Awaitable[Response]:
        path = request.rel_url.path_safe
        if self._base and path.startswith(self._base):
            path = path[len(self._base) - 1 :]
        endpoint, ids = self._find(path)
        return endpoint.handle(request, ids)

    def _find(self, path: str) -> tuple[Endpoint, Sequence[str]]:
        """The endpoint, and the path's parameters."""
        if (exact := self._exact.get(path)) is not None:
            return exact, ()
        if path.startswith(_PETS):
            pet_id, slash, after = path[len(_PETS) :].partition("/")
            if pet_id and (of_pet := self._of_pet.get(slash + after)) is not None:
                return of_pet, (pet_id,)
        segments = path.split("/")
        for expected, endpoint in self._by_length.get(len(segments), ()):
            if all(map(_fits, expected, segments)):
                return endpoint, [part for name, part in zip(expected, segments, strict=True) if name is None]
        return self._unknown_internal if path.startswith(INTERNAL) else self._unknown, ()


def _fits(expected: str | None, segment: str) -> bool:
    return segment != "" if expected is None else segment == expected


def _with_query(handler: Handler, query: type[Struct]) -> Handler:
    decode = wire.query_decoder(query)

    async def handle(request: web.BaseRequest, *ids: str) -> Response:
        return await handler(request, *ids, decode(request.query))

    return handle


class App(NamedTuple):
    """What a server serves."""

    router: Router
    max_body_bytes: int = 0
    probes: frozenset[str] = frozenset()
    """Paths that are answered however many requests are under way."""
