"""An album's tables as fields of its hash, and back. Rows have their own codec in `rows`.

`head`: counters, spaces, clusters, the newest job. `c<id>`: one cell. `j<n>`: a segment of recent job ids. `p<n>`: a
chunk of the provisional images. `heirs`: which cells took in which. `anchors`: what users' corrections hold together,
`successors`: which clusters took in which. Only fields whose value changed are written.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from sploot_clusterd.engine.album import (
    Album,
    Anchor,
    Cell,
    Chunk,
    Cluster,
    Counters,
    NewestJob,
    ProvisionalCluster,
    Segment,
    Space,
)
from sploot_clusterd.engine.params import Serving
from sploot_clusterd.engine.rows import Stamp
from sploot_clusterd.engine.statistics import Floats
from sploot_clusterd.engine.sums import Form, factors, pack, values, whole
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.model import EntryId

FORMAT: Final = 1
HEAD: Final = b"head"
HEIRS: Final = b"heirs"
ANCHORS: Final = b"anchors"
SUCCESSORS: Final = b"successors"
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T")


class _SpaceRecord(Struct, array_like=True):
    number: int
    model_version: str
    layout: tuple[tuple[str, int], ...]
    moved: int
    settled: int
    profile: int = 0
    dimension: int | None = None
    """None: that of the layout."""
    silhouette: float | None = None


class _Head(Struct, array_like=True):
    format: int
    version: int
    updated_ms: int
    newest_ms: int
    newest: Stamp
    counters: Counters
    job: NewestJob
    spaces: list[_SpaceRecord]
    clusters: list[Cluster]
    provisional: tuple[ProvisionalCluster, ...]
    serving: Serving | None = None


class _CellRecord(Struct, array_like=True):
    cell: Cell
    weight: float
    sums: memoryview
    """Of the field's bytes: not copied when it is decoded."""
    form: Form = "f4"


_encode = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(_Head)
_cell = msgspec.msgpack.Decoder(_CellRecord)
_segment = msgspec.msgpack.Decoder(dict[str, EntryId])
_chunk = msgspec.msgpack.Decoder(dict[str, float | None])
_numbers = msgspec.msgpack.Decoder(Mapping[int, int])
_anchors = msgspec.msgpack.Decoder(Mapping[int, Anchor])


def encode_changes(old: Album, new: Album) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Fields to write and fields to delete, so that what held `old` holds `new`."""
    writes = {HEAD: _encode_head(new)}
    deletes: list[bytes] = []
    for cell_id in [cell_id for cell_id, cell in new.cells.items() if old.cells.get(cell_id) is not cell]:
        space = new.spaces[new.cells[cell_id].space]
        at = bisect_left(space.ids, cell_id)
        writes[b"c%d" % cell_id] = _encode(_cell_record(new.cells[cell_id], space.sums[at], float(space.weights[at])))
    deletes += [b"c%d" % cell_id for cell_id in old.cells.keys() - new.cells.keys()]
    for prefix, before, after in ((b"j", old.segments, new.segments), (b"p", old.chunks, new.chunks)):
        held = {part.number: part for part in before}
        for part in after:
            if held.pop(part.number, None) is not part:
                writes[prefix + b"%d" % part.number] = _encode(part[1])
        deletes += [prefix + b"%d" % number for number in held]
    for name, was, now in (
        (HEIRS, old.heirs, new.heirs),
        (ANCHORS, old.anchors, new.anchors),
        (SUCCESSORS, old.successors, new.successors),
    ):
        if now is was or now == was:
            continue
        if now:
            writes[name] = _encode(now)
        else:
            deletes.append(name)
    return writes, sorted(deletes)


def decode_album(pet_id: str, fields: Mapping[bytes, bytes]) -> Album:
    """The album that the fields hold; fields of other names are left alone.

    Raises BadStateError for anything that cannot be read or contradicts itself.
    """
    if HEAD not in fields:
        raise BadStateError("the album has no head")
    head = _read(_head, HEAD, fields[HEAD])
    if head.format != FORMAT:
        raise BadStateError(f"the album has format {head.format}, not {FORMAT}")
    numbered: dict[bytes, dict[int, bytes]] = {b"c": {}, b"j": {}, b"p": {}}
    for name, value in fields.items():
        if name[:1] in numbered and name[1:].isdigit():
            numbered[name[:1]][int(name[1:])] = value
    records = _read_numbered(_cell, b"c", numbered[b"c"])
    segments = _read_numbered(_segment, b"j", numbered[b"j"])
    chunks = _read_numbered(_chunk, b"p", numbered[b"p"])
    anchors = _read(_anchors, ANCHORS, fields[ANCHORS]) if ANCHORS in fields else {}
    _check_references(head, records)
    _check_anchors(head, records, anchors)
    return Album(
        pet_id,
        version=head.version,
        updated_ms=head.updated_ms,
        newest_ms=head.newest_ms,
        newest=EntryId(*head.newest),
        counters=head.counters,
        job=head.job,
        spaces={record.number: _space(record, records) for record in head.spaces},
        cells={cell_id: record.cell for cell_id, record in records.items()},
        clusters={cluster.key: cluster for cluster in head.clusters},
        heirs=_read(_numbers, HEIRS, fields[HEIRS]) if HEIRS in fields else {},
        anchors=anchors,
        successors=_read(_numbers, SUCCESSORS, fields[SUCCESSORS]) if SUCCESSORS in fields else {},
        segments=tuple(Segment(number, jobs) for number, jobs in segments.items()),
        chunks=tuple(Chunk(number, images) for number, images in chunks.items()),
        provisional=head.provisional,
        serving=head.serving,
    )


def _encode_head(album: Album) -> bytes:
    return _encode(
        _Head(
            format=FORMAT,
            version=album.version,
            updated_ms=album.updated_ms,
            newest_ms=album.newest_ms,
            newest=album.newest,
            counters=album.counters,
            job=album.job,
            spaces=[
                _SpaceRecord(
                    space.number,
                    space.model_version,
                    space.layout,
                    space.moved,
                    space.settled,
                    space.profile,
                    space.dimension,
                    space.silhouette,
                )
                for space in album.spaces.values()
            ],
            clusters=sorted(album.clusters.values(), key=lambda cluster: cluster.key),
            provisional=album.provisional,
            serving=album.serving,
        )
    )


def _cell_record(cell: Cell, sums: Floats, weight: float) -> _CellRecord:
    form, raw = pack(sums, weight) if cell.count == 1 else whole(sums)
    return _CellRecord(cell, weight, memoryview(raw), form)


def _read(decoder: msgspec.msgpack.Decoder[T], name: bytes, raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except _UNREADABLE as error:
        raise BadStateError(f"field {name.decode()} of the album cannot be read: {error}") from None


def _read_numbered(decoder: msgspec.msgpack.Decoder[T], prefix: bytes, fields: Mapping[int, bytes]) -> dict[int, T]:
    """By rising number."""
    try:
        return {number: decoder.decode(fields[number]) for number in sorted(fields)}
    except _UNREADABLE:
        for number in sorted(fields):
            _read(decoder, prefix + b"%d" % number, fields[number])
        raise


def _space(record: _SpaceRecord, cells: Mapping[int, _CellRecord]) -> Space:
    """Stacks the cells' statistics. Kinds that came to the space after a cell was written are zeros in it."""
    ids = tuple(cell_id for cell_id, cell in cells.items() if cell.cell.space == record.number)
    dimension = sum(length for _, length in record.layout) if record.dimension is None else record.dimension
    sums = np.zeros((len(ids), dimension), dtype=np.float32)
    weights = np.array([cells[cell_id].weight for cell_id in ids], dtype=np.float64)
    scale = np.ones(len(ids), dtype=np.float32)
    for (form, size), ats in _alike([cells[cell_id] for cell_id in ids]).items():
        try:
            stored = values(b"".join([cells[ids[at]].sums for at in ats]), len(ats), form)
            sums[ats, : stored.shape[1]] = stored
            scale[ats] = factors(weights[ats], form)
        except ValueError:
            raise BadStateError(f"cell {ids[ats[0]]} has {size} bytes in a space of {dimension} dimensions") from None
    sums *= scale[:, None]  # in place: a copy of so many bytes costs more than the product
    if not (np.isfinite(sums).all() and np.isfinite(weights).all() and (weights > 0).all()):
        raise BadStateError("the statistics of a cell are not finite, or its weight is not above 0")
    return Space(
        record.number,
        record.model_version,
        record.layout,
        ids,
        sums,
        weights,
        record.moved,
        record.settled,
        record.profile,
        record.silhouette,
    )


def _alike(cells: Sequence[_CellRecord]) -> dict[tuple[Form, int], list[int]]:
    """The places of the cells whose sums have the same form and number of bytes: these are read together."""
    places: dict[tuple[Form, int], list[int]] = {}
    for at, cell in enumerate(cells):
        places.setdefault((cell.form, len(cell.sums)), []).append(at)
    return places


def _check_references(head: _Head, cells: Mapping[int, _CellRecord]) -> None:
    """Each cell is in exactly one cluster, and both in the same space, which is there."""
    spaces = {record.number for record in head.spaces}
    homes = [(cell_id, cluster.space) for cluster in head.clusters for cell_id in cluster.cells]
    if sorted(homes) != [(cell_id, record.cell.space) for cell_id, record in cells.items()]:
        raise BadStateError("the clusters of the head do not hold the cells that are stored")
    if not {space for _, space in homes} <= spaces or not {cluster.space for cluster in head.clusters} <= spaces:
        raise BadStateError("a cell is in a space that the head does not know")
    if any(len(cluster.closeness) != len(cluster.cells) for cluster in head.clusters):
        raise BadStateError("a cluster of the head has not one closeness for each cell")


def _check_anchors(head: _Head, cells: Mapping[int, _CellRecord], anchors: Mapping[int, Anchor]) -> None:
    """A cell's anchor is its cluster's, each space has one cluster of an anchor, and each anchor has one somewhere."""
    for cluster in head.clusters:
        if {cells[cell_id].cell.anchor for cell_id in cluster.cells} - {None} != {cluster.anchor} - {None}:
            raise BadStateError("a cluster of the head has not the anchor of its cells")
    held = [(cluster.anchor, cluster.space) for cluster in head.clusters if cluster.anchor is not None]
    if len(held) != len(set(held)) or {anchor for anchor, _ in held} != anchors.keys():
        raise BadStateError("the anchors are not those of the clusters of the head")
