"""A client of one storage service that takes nothing on trust: every answer has an end, in bytes and in time.

No redirect is followed, no cookie kept, no proxy of the environment asked.
"""

import ssl
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NoReturn

import aiohttp
from aiohttp import hdrs

from sploot_clusterd.config import InsightsSettings, Secret
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.insights.source import BadAnswerError, SourceRefusesError, SourceUnavailableError
from sploot_clusterd.insights.spans import requesting
from sploot_clusterd.spans import Span

_KEEPALIVE_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 2.0
_LONGEST_RETRY_AFTER: Final = 3600.0
_LONGEST_DETAIL: Final = 200
_OK: Final = 200
_NOT_FOUND: Final = 404
_TAKEN: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_REFUSALS: Final = frozenset({401, 403})
_PASSING: Final = frozenset({408, 425, 429, *range(500, 600)})
_PACKED: Final = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""Encodings that are understood although nobody asked for them, and what zlib calls them."""


class Http:
    """Keeps connections alive. Each call may raise any SourceError, and nothing else. To be used in one event loop."""

    def __init__(self, settings: InsightsSettings) -> None:
        """Raises ConfigError. `settings.url` has to be there."""
        assert settings.url is not None  # noqa: S101 - off without it
        self._base = settings.url.reveal().rstrip("/")
        self._settings = settings
        # Loading the system's certificates takes a while, and plain HTTP needs none.
        self._tls = _tls(settings.ca_file) if self._base.lower().startswith("https:") else True
        self._session: aiohttp.ClientSession | None = None
        self._headers: dict[str, str] = {}
        self.replace_token(settings.token)

    def replace_token(self, token: Secret | None) -> None:
        """What is sent from now on."""
        self._headers = {hdrs.AUTHORIZATION: f"Bearer {token.reveal()}"} if token else {}

    async def get(self, path: str) -> bytes | None:
        """The body of a 200; None for a 404. `path` begins with a slash."""
        return await self._ask(hdrs.METH_GET, path)

    async def post(self, path: str, body: bytes) -> bytes | None:
        """As `get`, with JSON that is sent; any 2xx will do."""
        return await self._ask(hdrs.METH_POST, path, body)

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes | None:
        headers = self._headers if body is None else {**self._headers, hdrs.CONTENT_TYPE: "application/json"}
        with requesting(method, self._base) as span:
            return await self._answer(method, path, body, {**headers, **_carrying(span)} if span else headers, span)

    async def _answer(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], span: Span | None
    ) -> bytes | None:
        session = self._session or self._open()
        try:
            async with session.request(
                method, self._base + path, data=body, headers=headers, allow_redirects=False
            ) as answer:
                if span:
                    span.attributes["http.response.status_code"] = answer.status
                if answer.status == _OK or (body is not None and answer.status in _TAKEN):
                    return await _body(answer, self._settings.max_answer_bytes)
                if answer.status == _NOT_FOUND:
                    return None
                _complain(answer)
        except TimeoutError:
            raise SourceUnavailableError(f"no connection within {_CONNECT_SECONDS:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            told = f"its certificate is not trusted ({error.certificate_error}); see insights.ca_file"
            raise SourceUnavailableError(told[:_LONGEST_DETAIL]) from None
        except aiohttp.ClientResponseError as error:
            raise BadAnswerError("not_http", f"its bytes are no HTTP: {error.message}"[:_LONGEST_DETAIL]) from None
        except (aiohttp.ClientError, OSError) as error:
            raise SourceUnavailableError(str(error)[:_LONGEST_DETAIL] or type(error).__name__) from None

    def _open(self) -> aiohttp.ClientSession:
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.concurrency, ssl=self._tls, keepalive_timeout=_KEEPALIVE_SECONDS
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),  # the rest is its caller's
            headers={hdrs.ACCEPT: "application/json", hdrs.ACCEPT_ENCODING: "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self._session


def _carrying(span: Span) -> dict[str, str]:
    """Headers by which the service's own spans belong to the trace."""
    state = {"tracestate": span.context.state} if span.context.state else {}
    return {"traceparent": span.context.traceparent, **state}


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"insights.ca_file: {ca_file} has no certificates that can be read: {error}") from None


async def _body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """All of it, in one piece. No more than `most` bytes are ever held, packed or not."""
    length = answer.content_length
    if length is not None and length > most:
        raise _too_large(most)
    parts, size = [], 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    encoding = answer.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    return body if encoding == "identity" else _unpacked(body, encoding, most)


def _unpacked(body: bytes, encoding: str, most: int) -> bytes:
    if encoding not in _PACKED:
        raise BadAnswerError("encoding", f"an answer in the encoding {encoding[:32]!r}, which was not asked for")
    inflate = zlib.decompressobj(_PACKED[encoding])
    try:
        content = inflate.decompress(body, most + 1)
    except zlib.error as error:
        raise BadAnswerError("encoding", f"an answer that is no {encoding}: {error}") from None
    if len(content) > most:
        raise _too_large(most)
    if not inflate.eof:
        raise BadAnswerError("encoding", f"an answer whose {encoding} ends too soon")
    return content


def _too_large(most: int) -> BadAnswerError:
    return BadAnswerError("too_large", f"an answer of more than {most} bytes (insights.max_answer_bytes)")


def _complain(answer: aiohttp.ClientResponse) -> NoReturn:
    """For a status that brings nothing."""
    if answer.status in _REFUSALS:
        raise SourceRefusesError(f"it answers {answer.status}")
    if answer.status in _PASSING:
        raise SourceUnavailableError(f"it answers {answer.status}", _retry_after(answer.headers.get(hdrs.RETRY_AFTER)))
    if answer.status in _REDIRECTS:
        raise BadAnswerError("redirect", f"it answers {answer.status}, a redirect, which is not followed")
    raise BadAnswerError("status", f"it answers {answer.status}")


def _retry_after(text: str | None) -> float | None:
    """Seconds, of a number of them or of a date; None for what is neither, and an hour at most."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(float(text[:10]), _LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)
