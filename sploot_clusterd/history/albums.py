"""An album as history keeps it: its fields and its images' rows, byte for byte as they are in Redis."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.history.packing import pack, unpack


class Album(Struct, frozen=True):
    """`fields` with the token; `rows` by image id."""

    fields: Mapping[bytes, bytes]
    rows: Mapping[bytes, bytes]


class _Kept(Struct, array_like=True, frozen=True):
    fields: bytes
    """Packed. Rows are not: vectors would take long, and not become shorter."""
    rows: dict[bytes, bytes]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Kept).decode
_fields: Final = msgspec.msgpack.Decoder(dict[bytes, bytes]).decode


def encode(album: Album) -> bytes:
    return _encode(_Kept(pack(_encode(album.fields)), dict(album.rows)))


def decode(kept: bytes) -> Album:
    """What `encode` was given. Raises BadStateError for what it never made."""
    try:
        found = _decode(kept)
        return Album(_fields(unpack(found.fields)), found.rows)
    except msgspec.DecodeError as error:
        raise BadStateError(f"history holds an album that cannot be read: {error}") from error
