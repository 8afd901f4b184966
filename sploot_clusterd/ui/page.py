"""The page's routes: its files, which hold nothing of anybody, and the session that its scripts ask with."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from importlib import resources
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from sploot_clusterd import __version__
from sploot_clusterd.config import Settings
from sploot_clusterd.ui.sessions import LIFE_S, BrowserSessions
from sploot_clusterd.web.answers import EventStream, RefusedError, Response, answer
from sploot_clusterd.web.auth import NOBODY, TOKEN_HEADER, Caller, Tokens
from sploot_clusterd.web.proxies import Proxies
from sploot_clusterd.web.route import Answer, Route, refused

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SHELL: Final = "index.html"


class Fleet(Protocol):
    """Who knows the fleet."""

    def follow(self) -> AsyncIterator[object]:
        """Its processes, and what they did; then what is new, until the daemon stops."""


class Page:
    """Everything below `/ui`, and `/session` beside it."""

    def __init__(self, tokens: Tokens, settings: Settings, fleet: Fleet) -> None:
        """`tokens` may be replaced while it runs: sessions end with the token that they were opened with."""
        http, self._image_url, self._runbooks = settings.http, settings.ui.image_url, settings.ui.runbooks
        self.sessions = BrowserSessions(tokens)
        self._proxies = Proxies(http.trusted_proxies or (), http.identity_header)
        self._tokens = tokens
        self._fleet = fleet
        self._files = _files(_policy(self._image_url))

    @property
    def routes(self) -> Iterable[Route["Page"]]:
        return ROUTES

    async def to_shell(self, _request: web.BaseRequest) -> Response:
        """A relative way, which holds behind every proxy."""
        return Response(308, fields=f"{hdrs.LOCATION}: ui/\r\n")

    async def shell(self, request: web.BaseRequest) -> Response:
        return await self.file(request, _SHELL)

    async def file(self, request: web.BaseRequest, asset: str) -> Response:
        found = self._files.get(asset)
        if found is None:
            raise RefusedError(404, "not found")
        etag, body, fields = found
        if etag in request.headers.getall(hdrs.IF_NONE_MATCH, ()):
            return Response(304, fields=fields)
        return Response(200, body, fields)

    async def session(self, request: web.BaseRequest) -> Response:
        """Who asks, with what they may do: nobody, and nothing, is no error."""
        caller = self._tokens.known(self._proxies.identities(request))
        if caller is not None:
            return answer(self._told(caller, by_proxy=True))
        return answer(self._told(self.sessions.caller(request) or NOBODY))

    async def fleet(self, request: web.BaseRequest) -> Response:
        """What the page draws of the pipeline, as server-sent events."""
        return EventStream(self._while_let_in(request, self._fleet.follow()))

    async def _while_let_in(self, request: web.BaseRequest, events: AsyncIterator[object]) -> AsyncIterator[object]:
        """Until the caller's token is rotated away, or is good for less."""
        async for event in events:
            caller = self._tokens.caller(request.headers.get(TOKEN_HEADER)) or self.sessions.caller(request)
            caller = caller or self._tokens.known(self._proxies.identities(request)) or NOBODY
            if "operate" not in caller.scopes:
                return
            yield event

    async def log_in(self, request: web.BaseRequest) -> Response:
        """A session for whoever shows a live token."""
        if not self.sessions.is_of_page(request):
            raise RefusedError(403, "only the page itself may do this")
        token = request.headers.get(TOKEN_HEADER, "")
        caller, cookies = self._tokens.caller(token), self.sessions.open(request, token)
        if caller is None or cookies is None:
            raise RefusedError(401, "invalid internal token")
        return _with_cookies(answer(self._told(caller)), cookies)

    async def log_out(self, request: web.BaseRequest) -> Response:
        """The browser forgets its session."""
        if not self.sessions.is_of_page(request):
            raise RefusedError(403, "only the page itself may do this")
        return _with_cookies(answer(self._told(NOBODY)), self.sessions.closed(request))

    def _told(self, caller: Caller, *, by_proxy: bool = False) -> Mapping[str, object]:
        told: dict[str, object] = {"scopes": sorted(caller.scopes)}
        if caller.scopes:  # strangers learn nothing
            told |= {"name": caller.slot, "by_proxy": by_proxy, "life_s": LIFE_S}
            told |= {"version": __version__, "image_url": self._image_url, "runbooks": self._runbooks}
        return told


def _with_cookies(response: Response, cookies: Iterable[str]) -> Response:
    response.fields += "".join(f"{hdrs.SET_COOKIE}: {cookie}\r\n" for cookie in cookies)
    return response


def _policy(image_url: str | None) -> str:
    """The Content-Security-Policy: scripts and styles of our own files alone, photos of the one place that has them."""
    url = urlsplit(image_url or "")
    photos = f" {url.scheme}://{url.netloc}" if url.netloc else ""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'{photos}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


def _files(policy: str) -> Mapping[str, tuple[str, bytes, str]]:
    """Name -> tag, bytes, header lines: all that there is, so that no path leads to anything else."""
    found = {}
    for file in resources.files(__package__).joinpath("static").iterdir():
        body = file.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        kind = _TYPES[file.name.rpartition(".")[2]]
        fields = (
            f"Content-Type: {kind}\r\nETag: {etag}\r\nCache-Control: no-cache\r\nContent-Security-Policy: {policy}\r\n"
            "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
        )
        found[file.name] = etag, body, fields
    return found


_FILE: Final = {200: Answer("A file of the page.", content_type="text/html"), 304: Answer("It is the one known.")}
_OF_PAGE: Final = {403: refused("The page did not ask.", "only the page itself may do this")}

ROUTES: Final[tuple[Route[Any], ...]] = (
    Route("GET", "/ui", None, Page.to_shell, "To the page.", {308: Answer("It is at ui/.")}),
    Route("GET", "/ui/", None, Page.shell, "The page.", _FILE),
    Route("GET", "/ui/{asset}", None, Page.file, "A file of the page.", _FILE),
    Route("GET", "/session", None, Page.session, "Who asks.", {200: Answer("Their scopes.")}),
    Route("GET", "/internal/fleet", "operate", Page.fleet, "The fleet.", {200: Answer("As it told.")}),
    Route("POST", "/session", None, Page.log_in, "Open a session.", {200: Answer("It is open."), **_OF_PAGE}),
    Route("DELETE", "/session", None, Page.log_out, "Close the session.", {200: Answer("It is closed."), **_OF_PAGE}),
)
