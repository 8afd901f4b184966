"""Reading a request's body: what is refused unread, how long it may take, how large it may be."""

import asyncio
from typing import Final

from aiohttp import hdrs, web

from sploot_clusterd.config import HttpSettings
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.web.answers import JSON, RefusedError

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(
    request: web.BaseRequest, http: HttpSettings, in_flight: InFlight, content_type: str = JSON
) -> bytes:
    """The whole body. What the headers already rule out is refused before any is read. While it is awaited, the request
    is not in flight.

    Raises RefusedError.
    """
    _check_type(request, content_type)
    most = http.max_body_bytes
    if (request.content_length or 0) > most:
        raise _too_large(most)
    try:
        if request.content.is_eof():  # most bodies come with their head: there is nothing to wait for
            body = request.content.read_nowait()
            if len(body) > most:
                raise _too_large(most)
            return body
        with in_flight.client_awaited():
            async with asyncio.timeout(http.body_timeout_s):
                await _invite(request)
                return await request.read()
    except TimeoutError:
        raise RefusedError(408, f"the body did not arrive within {http.body_timeout_s:g} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(most) from None
    except (web.RequestPayloadError, ConnectionError):
        raise RefusedError(400, "the body is cut off or badly framed") from None


async def _invite(request: web.BaseRequest) -> None:
    """Asks for the body where the client waits for that."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # the answer itself has not begun


def _check_type(request: web.BaseRequest, expected: str) -> None:
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    if encoding is not None and encoding.strip().lower() != "identity":
        raise RefusedError(415, "Content-Encoding: bodies are taken as they are, not encoded")
    content_type = request.headers.get(hdrs.CONTENT_TYPE, expected)
    if content_type == expected:
        return
    content_type = content_type.partition(";")[0].strip().lower()
    is_json = content_type.startswith("application/") and content_type.endswith("+json")
    if content_type != expected and not (expected == JSON and is_json):
        raise RefusedError(415, f"Content-Type: expected {expected}")


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, f"a body has at most {most} bytes")
