"""Bytes as the database keeps them: a byte that names the format, then themselves or zlib's, whichever is shorter."""

import zlib
from typing import Final

from sploot_clusterd.errors import BadStateError

_PLAIN: Final = b"\x00"
_ZLIB: Final = b"\x01"
_WORTH_IT: Final = 256
"""Bytes below which compressing saves nothing to speak of."""


def pack(content: bytes) -> bytes:
    """At most one byte longer than the content."""
    if len(content) >= _WORTH_IT:
        compressed = zlib.compress(content, 6)
        if len(compressed) < len(content):
            return _ZLIB + compressed
    return _PLAIN + content


def unpack(packed: bytes) -> bytes:
    """What `pack` was given. Raises BadStateError for what it never made."""
    kind, rest = packed[:1], packed[1:]
    if kind == _PLAIN:
        return rest
    if kind == _ZLIB:
        try:
            return zlib.decompress(rest)
        except zlib.error as error:
            raise BadStateError(f"history holds packed bytes that cannot be read: {error}") from error
    raise BadStateError(f"history holds bytes of an unknown format ({kind.hex() or 'none'})")
