"""An album as it was once, byte for byte as Redis had it: what history gives, and a job restores."""

from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from sploot_clusterd.errors import BadStateError


class Snapshot(NamedTuple):
    """`fields` are those of the album's hash, `rows` are by image id."""

    fields: Mapping[bytes, bytes]
    rows: Mapping[str, bytes]


class Restore(Struct, frozen=True, gc=False):
    """Back to the album as it was at this version, which is kept for the job by the name of a snapshot."""

    version: Annotated[int, Meta(ge=1)]
    snapshot: Annotated[str, Meta(min_length=1, max_length=64)]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[dict[bytes, bytes], dict[str, bytes]]).decode


def encode_snapshot(snapshot: Snapshot) -> bytes:
    return _encode(tuple(snapshot))


def decode_snapshot(raw: bytes) -> Snapshot:
    """Raises BadStateError for what `encode_snapshot` never made."""
    try:
        return Snapshot(*_decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadStateError(f"an album as it was cannot be read: {error}") from None
