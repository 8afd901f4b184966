"""How answers look: JSON bodies, and `{"detail": ...}` for everything that is refused."""

from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web

from sploot_clusterd.errors import BacklogFullError, BadJobError, BadStateError, ClusterdError, StoreUnavailableError

_encoder: Final = msgspec.json.Encoder()

JSON: Final = "application/json"
_RETRY_AFTER_S: Final = "1"
"""Redis is back within a second or two, and a full backlog drains by thousands a second."""


class RefusedError(ClusterdError):
    """An answer that is not what was asked for: a status, and a detail that a person understands."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    def response(self) -> web.Response:
        return answer({"detail": self.detail}, self.status, self.headers)


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """`data` as JSON."""
    return web.Response(body=_encoder.encode(data), status=status, headers={"Content-Type": JSON, **(headers or {})})


def refusal_of(error: Exception) -> RefusedError | None:
    """What a caller is told of an error that is known to happen; None for one that is not."""
    match error:
        case RefusedError():
            return error
        case BadJobError(reason="malformed"):
            return RefusedError(400, error.detail)
        case BadJobError():
            return RefusedError(422, error.detail)
        case BacklogFullError() | BadStateError() | StoreUnavailableError():
            return RefusedError(503, str(error), {"Retry-After": _RETRY_AFTER_S})
        case _:
            return None
