"""What is stored of one image: a row of five registers in which the latest event wins.

Each register takes an event only if the event's sequence is newer than its own, and is alive unless a removal is
newer than it. Dead registers are dropped at once: whatever they could still take is older than the removal as well. So
the row is a function of the *set* of events, whatever their order (a last-writer-wins element of Shapiro et al., "A
comprehensive study of convergent and commutative replicated data types", 2011, section 3.2).
"""

import msgspec
from msgspec import Struct, structs

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadStateError

Stamp = tuple[int, int]
"""A sequence as stored: milliseconds and number of a stream entry."""
Pin = tuple[int, int, int]
"""A sequence, and the place of the correction in its job: of two pins the higher one counts."""


NOWHERE = -1
"""The cell of an image that is in none: it is not placed yet, or hidden."""


class Listed(Struct, array_like=True, frozen=True, gc=False):
    """The image was named in `image_ids`, by a job of this quality score."""

    at: Stamp
    quality: float | None


class Attributes(Struct, array_like=True, frozen=True, gc=False):
    at: Stamp
    quality: float | None
    label: str | None
    captured_ms: int | None


class Vectors(Struct, array_like=True, frozen=True, gc=False):
    """The combined vector as float16 bytes, and the micro-cluster that it was put into."""

    at: Stamp
    position: int
    space: int
    data: bytes
    cell: int


class Row(Struct, array_like=True, frozen=True, gc=False):
    listed: Listed | None = None
    attributes: Attributes | None = None
    vectors: Vectors | None = None
    removed: Stamp | None = None
    pinned: Pin | None = None
    """The correction that made it a hero."""

    @property
    def exists(self) -> bool:
        return self.listed is not None or self.attributes is not None or self.vectors is not None

    @property
    def placed(self) -> Vectors | None:
        """Its vectors, if they are in a cell."""
        return self.vectors if self.vectors is not None and self.vectors.cell != NOWHERE else None

    @property
    def announced(self) -> Stamp | None:
        """When it was announced first, as far as its registers tell."""
        return min((register.at for register in (self.listed, self.attributes) if register is not None), default=None)

    @property
    def is_tombstone(self) -> bool:
        """Whether it only says that the image was removed."""
        return self.removed is not None and not self.exists

    @property
    def quality(self) -> float | None:
        """The image's own quality, else that of the job that listed it."""
        if self.attributes is not None and self.attributes.quality is not None:
            return self.attributes.quality
        return self.listed.quality if self.listed is not None else None

    @property
    def label(self) -> str | None:
        return self.attributes.label if self.attributes is not None else None

    @property
    def taken_ms(self) -> int:
        """When the photo was taken, else when its vectors came (ms since the epoch).

        No photo is taken after its insight came: a wrong clock must not make all others look old.
        """
        if self.attributes is not None and self.attributes.captured_ms is not None:
            return min(self.attributes.captured_ms, self.attributes.at[0])
        return self.vectors.at[0] if self.vectors is not None else 0


EMPTY = Row()

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Row)


def encode_row(row: Row) -> bytes:
    return _encode(row)


def decode_row(raw: bytes | None) -> Row:
    """Raises BadStateError. None stands for an image that nothing is stored of."""
    if raw is None:
        return EMPTY
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadStateError(f"an image's row cannot be read: {error}") from None


def remove(row: Row, sequence: EntryId) -> Row:
    if row.removed is not None and row.removed >= sequence:
        return row
    return Row(
        listed=row.listed if row.listed and row.listed.at >= sequence else None,
        attributes=row.attributes if row.attributes and row.attributes.at >= sequence else None,
        vectors=row.vectors if row.vectors and row.vectors.at >= sequence else None,
        removed=sequence,
        pinned=row.pinned if row.pinned and row.pinned[:2] >= sequence else None,
    )


def take_listed(row: Row, event: Listed) -> Row:
    return structs.replace(row, listed=event) if _newer(row, event.at, row.listed) else row


def take_attributes(row: Row, event: Attributes) -> Row:
    return structs.replace(row, attributes=event) if _newer(row, event.at, row.attributes) else row


def take_vectors(row: Row, event: Vectors) -> Row:
    """Where the vector is the one there already, the image stays in its micro-cluster."""
    if not _newer(row, event.at, row.vectors):
        return row
    held = row.vectors
    if held is not None and held.data == event.data and held.space == event.space:
        event = structs.replace(event, cell=held.cell)
    return structs.replace(row, vectors=event)


def take_pin(row: Row, pin: Pin) -> Row:
    outdone = row.removed is not None and pin[:2] < row.removed
    return row if outdone or (row.pinned is not None and pin <= row.pinned) else structs.replace(row, pinned=pin)


def _newer(row: Row, at: Stamp, register: Listed | Attributes | Vectors | None) -> bool:
    if row.removed is not None and at < row.removed:
        return False
    return register is None or at > register.at
