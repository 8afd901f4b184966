"""Spans of one sort, by column: as rows of one length, into which what is each one's own is filled.

What they have in common is encoded once. By NumPy it takes 20 us for a table of any size, and .1 us for each row.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sploot_clusterd.spans import MESSAGE_ID, PET, Sort, Value
from sploot_clusterd.tracing import fields
from sploot_clusterd.tracing.ended import EndedRows
from sploot_clusterd.tracing.pets import hashed

_TRACE_BYTES, _SPAN_BYTES = 16, 8
_WORD: Final = 8
"""Bytes that are drawn at once."""
_TIME: Final = "<i8"
_random: Final = np.random.PCG64()
STATE: Final = "trace_state"
"""The text that is no attribute."""


class Rows(NamedTuple):
    """Ids, times and texts of spans. Those without trace ids are traces by themselves."""

    sort: Sort
    size: int
    """How many spans it is."""
    times: NDArray[np.float64]
    """When each began and ended, (2 n), or (2) for all: seconds by `time.perf_counter`, as when they ended."""
    trace_ids: bytes = b""
    """One behind the other, as the others; drawn where there are none."""
    span_ids: bytes = b""
    parent_ids: bytes = b""
    texts: Mapping[str, Sequence[bytes]] = {}
    """Attributes by their key, and `STATE`; of an empty one there is no field."""
    attributes: Mapping[str, Value] = {}
    """That all have."""


def rows_of(told: EndedRows, *, tells_ids: bool) -> Rows:
    """`tells_ids`: whether pets' ids are told, and no hashes in their place."""
    pets = map(str.encode, told.pets)
    if told.pet_ids:
        is_told = tells_ids or not told.pet_ids[0]  # all are about pets, or none
        pets = map(str.encode if is_told else hashed, told.pet_ids)
    texts = {STATE: [*map(str.encode, told.states)], MESSAGE_ID: told.message_ids, PET: [*pets]}
    return Rows(
        sort=told.sort,
        size=told.size,
        times=np.frombuffer(told.times),
        trace_ids=told.trace_ids,
        span_ids=told.span_ids,
        parent_ids=told.parent_ids,
        texts={key: column for key, column in texts.items() if column},
        attributes=told.attributes,
    )


def filled(rows: Rows, epoch_ns: int) -> bytes | bytearray:
    """As fields of a ScopeSpans. `epoch_ns` is when the clock of their times was 0, in nanoseconds since the epoch."""
    of_columns = [{*map(len, texts)} for texts in rows.texts.values()]
    if all(len(lengths) == 1 for lengths in of_columns):
        return _of_one_length(rows, [length for (length,) in of_columns], epoch_ns)
    lengths = [*zip(*(map(len, texts) for texts in rows.texts.values()), strict=True)]
    encoded = bytearray()
    for length in dict.fromkeys(lengths):
        places = [place for place, each in enumerate(lengths) if each == length]
        encoded += _of_one_length(_some(rows, places), length, epoch_ns)
    return encoded


def _some(rows: Rows, places: Sequence[int]) -> Rows:
    times = rows.times if len(rows.times) == 2 else rows.times.reshape(-1, 2)[places].ravel()  # noqa: PLR2004 - a pair
    return rows._replace(
        size=len(places),
        times=times,
        trace_ids=_ids_at(places, rows.trace_ids, _TRACE_BYTES),
        span_ids=_ids_at(places, rows.span_ids, _SPAN_BYTES),
        parent_ids=_ids_at(places, rows.parent_ids, _SPAN_BYTES),
        texts={key: [column[place] for place in places] for key, column in rows.texts.items()},
    )


def _ids_at(places: Sequence[int], column: bytes, size: int) -> bytes:
    return b"".join([column[place * size : (place + 1) * size] for place in places])


def _of_one_length(rows: Rows, lengths: Sequence[int], epoch_ns: int) -> bytearray:
    """Those whose texts all have these lengths."""
    size = rows.size
    alike = fields.of_sort(rows.sort) + b"".join(fields.attribute(*each) for each in rows.attributes.items())
    text, columns = _row(alike, bool(rows.parent_ids), tuple(zip(rows.texts, lengths, strict=True)))
    table = text * size
    times = (rows.times * 1e9).astype(_TIME) + epoch_ns
    own = [
        rows.trace_ids or _drawn(_TRACE_BYTES * size),
        rows.span_ids or _drawn(_SPAN_BYTES * size),
        *([rows.parent_ids] if rows.parent_ids else ()),
        np.ascontiguousarray(times[::2]),
        np.ascontiguousarray(times[1::2]),
        *(b"".join(texts) for texts in rows.texts.values()),
    ]
    places = np.frombuffer(table, columns)
    for name, column in zip(columns.names or (), own, strict=True):
        if columns[name].itemsize:
            places[name] = np.frombuffer(column, columns[name])
    return table


def _drawn(size: int) -> bytes:
    drawn: bytes = _random.random_raw(size // _WORD).tobytes()
    return drawn


@lru_cache(maxsize=256)
def _row(alike: bytes, has_parent: bool, texts: Sequence[tuple[str, int]]) -> tuple[bytearray, np.dtype[np.void]]:
    """A row's text, with nothing in the columns yet, and where these are: in the order of what is each one's own."""
    told = [
        (fields.TRACE_ID, _TRACE_BYTES),
        (fields.SPAN_ID, _SPAN_BYTES),
        *([(fields.PARENT_ID, _SPAN_BYTES)] if has_parent else ()),
        (bytes((fields.BEGAN,)), 8),
        (bytes((fields.ENDED,)), 8),
        *_begun(texts),
    ]
    text = bytearray(fields.begun_span(sum(len(before) + size for before, size in told) + len(alike)))
    places = []
    for before, size in told:
        text += before
        places.append(len(text))
        text += bytes(size)
    text += alike
    names, formats = [*map(str, range(len(told)))], [f"V{size}" for _, size in told]
    return text, np.dtype({"names": names, "formats": formats, "offsets": places, "itemsize": len(text)})


def _begun(texts: Sequence[tuple[str, int]]) -> Iterator[tuple[bytes, int]]:
    for key, size in texts:
        before = fields.before_state(size) if key == STATE else fields.before_text(key, size)
        yield (before if size else b""), size
