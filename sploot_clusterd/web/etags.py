"""The ETags of views: digests of their bytes, remembered for as long as the bytes are the same."""

import hashlib
from typing import Final

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
