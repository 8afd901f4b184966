"""One step around every handler: token, method, errors, figures, access log.

A chain of middlewares would do the same and cost a call each.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import perf_counter
from typing import Final, NamedTuple

from aiohttp import web

from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web.answers import RefusedError, Reply, refusal_of
from sploot_clusterd.web.auth import TOKEN_HEADER, Tokens
from sploot_clusterd.web.keys import PET_ID, Found
from sploot_clusterd.web.throttle import Throttle

log = logging.getLogger(__name__)
access_log = logging.getLogger("sploot_clusterd.access")

_LONGEST_PATH: Final = 256
_PETS: Final = "/internal/pets/"
_PET_ID: Final = "{pet_id}"

Handler = Callable[[web.BaseRequest], Awaitable[Reply]]


class Route(NamedTuple):
    """A path, below `/internal/pets/` with the parameter `{pet_id}`, and what its methods do.

    A route without methods stands for the paths that begin as it does and do not exist.
    """

    path: str
    methods: Mapping[str, Handler]
    guarded: bool = True
    label: str = ""
    """The metrics' name for it where that is not the path."""


class Endpoint:
    """One path: lets callers in, runs the method's handler, and turns every error into an answer."""

    def __init__(
        self, methods: Mapping[str, Handler], label: str, tokens: Tokens | None, metrics: Metrics, in_flight: InFlight
    ) -> None:
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
        self._in_flight = in_flight

    async def handle(self, request: web.BaseRequest) -> Reply:
        began = perf_counter()
        self._in_flight.count += 1
        try:
            self._admit(request)
            response = await self._methods.get(request.method, self._refuse)(request)
        except Exception as error:  # noqa: BLE001 - the boundary: no error of a handler goes further
            response = (refusal_of(error) or self._unexpected(error)).answer()
        finally:
            self._in_flight.count -= 1
        if not request.content.is_eof():
            response.force_close()  # the rest of a body nobody reads is not worth the wait
        self._record(request, response, perf_counter() - began)
        return response

    def _admit(self, request: web.BaseRequest) -> None:
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

    async def _refuse(self, _request: web.BaseRequest) -> Reply:
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

    def _record(self, request: web.BaseRequest, response: Reply, seconds: float) -> None:
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


class Router:
    """Finds a path's endpoint in two tables: paths as they are, and what follows a pet's id.

    aiohttp's own resolver tries patterns in turn and makes an object of each match.
    """

    def __init__(self, routes: Iterable[Route], tokens: Tokens | None, metrics: Metrics, in_flight: InFlight) -> None:
        """Of the routes without methods the first that fits is taken."""
        self._exact: dict[str, Endpoint] = {}
        self._of_pet: dict[str, Endpoint] = {}
        self._nowhere: list[tuple[str, Endpoint]] = []
        for route in routes:
            endpoint = Endpoint(
                route.methods, route.label or route.path, tokens if route.guarded else None, metrics, in_flight
            )
            if not route.methods:
                self._nowhere.append((route.path, endpoint))
            elif route.path.startswith(_PETS):
                self._of_pet[route.path.removeprefix(_PETS + _PET_ID)] = endpoint
            else:
                self._exact[route.path] = endpoint

    def handle(self, request: web.BaseRequest) -> Awaitable[Reply]:
        endpoint, request[PET_ID] = self._find(request.rel_url.path_safe)
        return endpoint.handle(request)

    def _find(self, path: str) -> tuple[Endpoint, str]:
        """The endpoint, and the pet's id where the path has one."""
        if (exact := self._exact.get(path)) is not None:
            return exact, ""
        if path.startswith(_PETS):
            pet_id, slash, after = path[len(_PETS) :].partition("/")
            if pet_id and (of_pet := self._of_pet.get(slash + after)) is not None:
                return of_pet, pet_id
        return next(endpoint for prefix, endpoint in self._nowhere if path.startswith(prefix)), ""


class App(NamedTuple):
    """What a server serves."""

    router: Router
    found: Found
    """What every request is given."""
    max_body_bytes: int = 0
