"""One step around every handler: token, method, errors, figures, access log.

A chain of middlewares would do the same and cost a call each; a path of its own is bound to its endpoint once.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import perf_counter
from typing import Final, NamedTuple

from aiohttp import web

from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web.answers import RefusedError, refusal_of
from sploot_clusterd.web.auth import TOKEN_HEADER, Tokens
from sploot_clusterd.web.throttle import Throttle

log = logging.getLogger(__name__)
access_log = logging.getLogger("sploot_clusterd.access")

_LONGEST_PATH: Final = 256

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Route(NamedTuple):
    """A path and what its methods do. A route without methods is a path that does not exist."""

    path: str
    methods: Mapping[str, Handler]
    guarded: bool = True
    label: str = ""
    """The metrics' name for it where that is not the path."""


class Endpoint:
    """One path: lets callers in, runs the method's handler, and turns every error into an answer."""

    def __init__(self, methods: Mapping[str, Handler], label: str, tokens: Tokens | None, metrics: Metrics) -> None:
        self._methods = dict(methods)
        if "GET" in self._methods:
            self._methods["HEAD"] = self._methods["GET"]
        self._tokens = tokens
        self._label = label
        self._seconds = metrics.http_seconds.labels(self._label)
        self._requests = metrics.http_requests
        self._token_uses = metrics.http_token_uses
        # Finding a labelled child takes longer than counting with it.
        self._by_status: dict[int, Callable[[], None]] = {}
        self._by_slot: dict[int, Callable[[], None]] = {}
        self._throttle = Throttle()

    async def handle(self, request: web.Request) -> web.Response:
        began = perf_counter()
        try:
            self._admit(request)
            response = await self._methods.get(request.method, self._refuse)(request)
        except Exception as error:  # noqa: BLE001 - the boundary: no error of a handler goes further
            response = (refusal_of(error) or self._unexpected(error)).response()
        if not request.content.is_eof():
            response.force_close()  # the rest of a body nobody reads is not worth the wait
        self._record(request, response, perf_counter() - began)
        return response

    def _admit(self, request: web.Request) -> None:
        """Decides by the headers alone: a stranger's body is never read."""
        if self._tokens is None:
            return
        slot = self._tokens.slot(request.headers.get(TOKEN_HEADER))
        if slot is None:
            raise RefusedError(401, "invalid internal token")
        uses = self._by_slot.get(slot)
        if uses is None:
            uses = self._by_slot[slot] = self._token_uses.labels(str(slot)).inc
        uses()

    async def _refuse(self, _request: web.Request) -> web.Response:
        """The handler of every other method."""
        if not self._methods:
            raise RefusedError(404, "not found")
        allowed = ", ".join(sorted(self._methods))
        raise RefusedError(405, f"method not allowed here: {allowed} only", {"Allow": allowed})

    def _unexpected(self, error: Exception) -> RefusedError:
        held_back = self._throttle.passes()
        if held_back is not None:
            data = {"route": self._label, "held_back": held_back}
            log.error("a request failed", exc_info=error, extra={"data": data})
        return RefusedError(500, "internal error")

    def _record(self, request: web.Request, response: web.Response, seconds: float) -> None:
        status = response.status
        count = self._by_status.get(status)
        if count is None:
            count = self._by_status[status] = self._requests.labels(self._label, str(status)).inc
        count()
        self._seconds.observe(seconds)
        if access_log.isEnabledFor(logging.DEBUG):
            data = {
                "method": request.method,
                "path": request.raw_path[:_LONGEST_PATH],
                "status": status,
                "ms": round(seconds * 1000, 3),
                "remote": request.remote,
            }
            access_log.debug("request", extra={"data": data})


def mount(app: web.Application, routes: Iterable[Route], tokens: Tokens | None, metrics: Metrics) -> None:
    """Binds every route, in their order. Guarded ones take a token of `tokens`."""
    for route in routes:
        resource = app.router.add_resource(route.path)
        label = route.label or resource.canonical
        endpoint = Endpoint(route.methods, label, tokens if route.guarded else None, metrics)
        resource.add_route("*", endpoint.handle, expect_handler=_keep_waiting)


async def _keep_waiting(request: web.Request) -> None:
    """A client that asks before it sends its body hears nothing until somebody wants to read it."""
