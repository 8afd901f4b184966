"""The collector, by OTLP over HTTP: what it takes, what it refuses, and when it cannot be asked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohttp
from aiohttp import hdrs
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sploot_clusterd.config import SecretUrl
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.tracing.pace import PAUSE

_PATH: Final = "/v1/traces"
_PATIENCE: Final = 5.0
"""Seconds for a request. Nothing waits for it but the next one."""
_OK: Final = 200
_PASSING: Final = frozenset({429, 502, 503, 504})
_LONGEST_ANSWER: Final = 64 * 1024
_SLICE: Final = 32 * 1024
"""Bytes that are given to the kernel at once, which takes some 60 us. Whoever wakes on the same core waits for that:
not every kernel lets itself be interrupted.
"""
_PROTOBUF: Final = "application/x-protobuf"
_LONGEST_DETAIL: Final = 200


class CollectorAwayError(ClusterdError):
    """It does not answer, or says that it may take the same later."""


class CollectorRefusesError(ClusterdError):
    """It will never take this."""


class Collector:
    """Keeps its connection alive. To be used in one event loop."""

    def __init__(self, endpoint: SecretUrl) -> None:
        base = endpoint.reveal().rstrip("/")
        self._url = base if base.endswith(_PATH) else base + _PATH
        self._session: aiohttp.ClientSession | None = None

    async def take(self, *request: bytes | bytearray) -> int:
        """Sends an ExportTraceServiceRequest, which may be in parts. How many of its spans were refused. Raises
        CollectorAwayError, CollectorRefusesError.
        """
        session = self._session or self._open()
        length = {hdrs.CONTENT_LENGTH: str(sum(map(len, request)))}
        sending = session.post(self._url, data=_slices(request), headers=length, allow_redirects=False)
        try:
            async with sending as answer:
                body = await answer.content.read(_LONGEST_ANSWER)
        except TimeoutError:
            raise CollectorAwayError(f"no answer within {_PATIENCE:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise CollectorAwayError(str(error)[:_LONGEST_DETAIL] or type(error).__name__) from None
        if answer.status in _PASSING:
            raise CollectorAwayError(f"it answers {answer.status}")
        if answer.status != _OK:
            raise CollectorRefusesError(f"it answers {answer.status}")
        return _refused(body) if answer.content_type == _PROTOBUF else 0

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_PATIENCE),
            headers={hdrs.CONTENT_TYPE: _PROTOBUF, hdrs.USER_AGENT: "sploot-clusterd"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self._session


async def _slices(parts: Sequence[bytes | bytearray]) -> AsyncIterator[bytes | bytearray]:
    """With a pause between two; with one after the last, the connection would not be kept."""
    slices = (part[begin : begin + _SLICE] for part in parts for begin in range(0, len(part), _SLICE))
    yield next(slices)
    for each in slices:
        await asyncio.sleep(PAUSE)
        yield each


def _refused(body: bytes) -> int:
    try:
        return int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except DecodeError:
        return 0
