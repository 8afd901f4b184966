"""The ETags of what is told of pets: digests of the bytes, remembered for as long as they are the same."""

import hashlib
from typing import Final

from aiohttp import hdrs, web

from sploot_clusterd.web.answers import JSON, NO_STORE, Response

_MOST: Final = 1024
_LARGEST: Final = 8 * 1024
"""Views remembered, and the bytes of one: 8 MiB in all."""
_NONE: Final = (None, "")


class Etags:
    """Tags of the views that were read lately.

    To compare a view is far cheaper than to hash it. Beside a computing thread it saves more than that: to hash as much
    as this lets go of the interpreter's lock, and the thread may take it.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, str]] = {}

    def of(self, pet_id: str, view: bytes) -> str:
        """The strong tag of these very bytes. The pet says only where to look for it."""
        known, etag = self._known.get(pet_id, _NONE)
        if known == view:
            return etag
        etag = f'"{hashlib.sha256(view).hexdigest()[:32]}"'
        self._known.pop(pet_id, None)
        if len(view) <= _LARGEST:
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]  # the one that was hashed longest ago
            self._known[pet_id] = view, etag
        return etag

    def answer(self, request: web.BaseRequest, pet_id: str, view: bytes) -> Response:
        """The view with its tag, or 304 if the caller has it."""
        etag = self.of(pet_id, view)
        known = request.headers.getall(hdrs.IF_NONE_MATCH, ())
        if etag in known or (known and _names(",".join(known), etag)):
            return Response(304, fields=f"{hdrs.ETAG}: {etag}\r\n{NO_STORE}")
        return Response(200, view, f"Content-Type: {JSON}\r\n{hdrs.ETAG}: {etag}\r\n{NO_STORE}")


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header's list has `etag`, weak or strong (RFC 9110, 13.1.2). Ours holds no comma to split at."""
    return if_none_match.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
