"""The collector, by OTLP over HTTP: what it takes, what it refuses, and when it cannot be asked.

By the standard library's client, which blocks: a thread that waits costs a fraction of an event loop that does, and
there is nothing else to do for this one.
"""

import select
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sploot_clusterd.config import SecretUrl
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.tracing.pace import PAUSE

_PATH: Final = "/v1/traces"
_PATIENCE: Final = 5.0
"""Seconds for a request. Nothing waits for it but the next one."""
_GLANCE: Final = 0.1
"""Seconds in which an answer that came before the request was whole is read."""
_OK: Final = 200
_PASSING: Final = frozenset({429, 502, 503, 504})
_LONGEST_ANSWER: Final = 64 * 1024
_SLICE: Final = 64 * 1024
"""Bytes that are given to the kernel at once, which takes some 40 us. Whoever wakes on the same core waits for that:
not every kernel lets itself be interrupted.
"""
_PROTOBUF: Final = "application/x-protobuf"
_LONGEST_DETAIL: Final = 200


class CollectorAwayError(ClusterdError):
    """It does not answer, or says that it may take the same later."""


class CollectorRefusesError(ClusterdError):
    """It will never take this."""


class Collector:
    """Keeps its connection alive. To be used by one thread."""

    def __init__(self, endpoint: SecretUrl) -> None:
        url = urlsplit(endpoint.reveal().rstrip("/"))
        self._path = url.path if url.path.endswith(_PATH) else url.path + _PATH
        self._headers = {"Content-Type": _PROTOBUF, "User-Agent": "sploot-clusterd", **_authorization(url)}
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        port = url.port or kind.default_port  # which is looked for in the name otherwise, also in one of IPv6
        self._connection = kind(url.hostname or "", port, timeout=_PATIENCE)

    def take(self, *request: bytes | bytearray) -> int:
        """Sends an ExportTraceServiceRequest, which may be in parts. How many of its spans were refused. Raises
        CollectorAwayError, CollectorRefusesError.
        """
        try:
            is_whole = self._send(request)
            answer = self._connection.getresponse()
            body = answer.read(_LONGEST_ANSWER)
            if not (is_whole and answer.isclosed()):  # something is left of it, or of the request
                self._connection.close()
        except TimeoutError:
            self._connection.close()
            raise CollectorAwayError(f"no answer within {_PATIENCE:g} s") from None
        except (HTTPException, OSError) as error:
            self._connection.close()
            raise CollectorAwayError(str(error)[:_LONGEST_DETAIL] or type(error).__name__) from None
        if answer.status in _PASSING:
            raise CollectorAwayError(f"it answers {answer.status}")
        if answer.status != _OK:
            raise CollectorRefusesError(f"it answers {answer.status}")
        return _refused(body) if answer.headers.get_content_type() == _PROTOBUF else 0

    def close(self) -> None:
        self._connection.close()

    def _send(self, request: Sequence[bytes | bytearray]) -> bool:
        """Whether all of it was taken; whoever refuses a request need not read it. Raises HTTPException, OSError."""
        connection, until = self._connection, time.monotonic() + _PATIENCE
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # as the other side did: nobody is owed an answer
        connection.putrequest("POST", self._path, skip_accept_encoding=True)
        for name, value in self._headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(sum(map(len, request))))
        connection.endheaders()
        try:
            for part in _slices(request):
                connection.sock.settimeout(_left(until))
                connection.send(part)
            connection.sock.settimeout(_left(until))
        except OSError:
            connection.sock.settimeout(_GLANCE)
            return False
        return True


def _authorization(url: SplitResult) -> dict[str, str]:
    if url.username is None:
        return {}
    user = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Authorization": f"Basic {b64encode(user.encode()).decode()}"}


def _left(until: float) -> float:
    """Seconds. Raises TimeoutError if there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _slices(parts: Sequence[bytes | bytearray]) -> Iterator[memoryview]:
    """With a pause after each."""
    for part in parts:
        for begin in range(0, len(part), _SLICE):
            yield memoryview(part)[begin : begin + _SLICE]
            time.sleep(PAUSE)


def _refused(body: bytes) -> int:
    try:
        return int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except DecodeError:
        return 0
