"""Sessions of browsers: a cookie that a live token signed. Nothing is stored, so every process of the fleet knows them.

The token's own digest is the key. So a session ends when its token is rotated away, and who can only read our Redis
cannot make one.
"""

import re
import time
from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import hdrs, web

from sploot_clusterd.web.auth import Caller, Tokens

LIFE_S: Final = 8 * 3600
"""How long a session lasts, in seconds."""
PAGE_HEADER: Final = "X-Clusterd-Page"
"""The page sends it with every change. Another site's scripts cannot, unless we would allow it them."""
_SITE: Final = "Sec-Fetch-Site"
_READING: Final = ("GET", "HEAD")
_NAME: Final = re.compile(r"clusterd-[0-9a-f]{8}")
_VALUE: Final = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})")
_TAG: Final = 8
_ATTRIBUTES: Final = "HttpOnly; SameSite=Lax"
"""Without Path, it holds for the folder of /session: all that we serve, below whatever path a proxy shows it."""


class BrowserSessions:
    """Who is logged in. A cookie's name comes of its token, so that daemons on several ports of a host keep theirs."""

    def __init__(self, tokens: Tokens, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._clock = clock

    def caller(self, request: web.BaseRequest) -> Caller | None:
        """Whose session a request is of. None also where it may be another site that had the browser ask."""
        if hdrs.COOKIE not in request.headers or not self._is_own(request):
            return None
        return next((caller for _, caller in self._live(request)), None)

    def is_of_page(self, request: web.BaseRequest) -> bool:
        """Whether the page's own script asks."""
        return PAGE_HEADER in request.headers and request.headers.get(_SITE, "same-origin") == "same-origin"

    def open(self, request: web.BaseRequest, token: str) -> list[str] | None:
        """The cookies to set for who shows the token, in place of those they had; None if it is not live."""
        ends = str(int(self._clock()) + LIFE_S)
        signature, tag = self._tokens.sign(token, ends.encode()), self._tokens.sign(token, b"name")
        if signature is None or tag is None:
            return None
        name = f"clusterd-{tag[:_TAG]}"
        secure = "; Secure" if request.headers.get(hdrs.ORIGIN, "").startswith("https:") else ""
        cookie = f"{name}={ends}.{signature}; Max-Age={LIFE_S}; {_ATTRIBUTES}{secure}"
        return [*(each for each in self.closed(request) if not each.startswith(f"{name}=")), cookie]

    def closed(self, request: web.BaseRequest) -> list[str]:
        """The cookies that end the request's sessions in its browser."""
        return [f"{name}=; Max-Age=0; {_ATTRIBUTES}" for name, _ in self._live(request)]

    def _is_own(self, request: web.BaseRequest) -> bool:
        if request.method not in _READING:
            return self.is_of_page(request)
        return request.headers.get(_SITE, "none") in ("same-origin", "none")

    def _live(self, request: web.BaseRequest) -> Iterator[tuple[str, Caller]]:
        """Name and caller of each session of this fleet that has not ended."""
        for name, value in request.cookies.items():
            parts = _VALUE.fullmatch(value)
            if parts is None or not _NAME.fullmatch(name) or int(parts[1]) <= self._clock():
                continue
            caller = self._tokens.signer(parts[1].encode(), parts[2])
            if caller is not None:
                yield name, caller
