"""What changed in an album as fields of its hash: see `records`. Only fields whose value changed are written."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Final, TypeVar

import msgspec

from sploot_clusterd.engine.album import Album, Cell, Segment
from sploot_clusterd.engine.heirs import Heirs
from sploot_clusterd.engine.listings import Chunk
from sploot_clusterd.engine.records import (
    ANCHORS,
    APART,
    CELL,
    CORRECTED,
    FORMAT,
    FRAGMENT,
    HEAD,
    HEIRS,
    HIDDEN,
    SUCCESSORS,
    WORD,
    CellRecord,
    Head,
    SpaceRecord,
    is_large,
)
from sploot_clusterd.engine.render import RENDERING
from sploot_clusterd.engine.statistics import Floats
from sploot_clusterd.engine.sums import pack, whole

_encode = msgspec.msgpack.Encoder().encode
_key = attrgetter("key")
_NOTHING: Final[Mapping[int, bytes]] = {}
_Part = TypeVar("_Part", Segment, Chunk)


def encode_changes(
    old: Album, new: Album, vectors: Mapping[int, bytes] = _NOTHING
) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Fields to write and fields to delete, so that what held `old` holds `new`.

    `vectors` are stored ones of images by their cells, as far as they are at hand: a cell's sum may be of one.
    """
    writes = {HEAD: _encode_head(new)}
    deletes: list[bytes] = []
    if new.cells or old.cells:
        _take_cells(old, new, vectors, writes, deletes)
    segments, gone = _changed(old.segments, new.segments)
    for segment in segments:
        writes[b"j%d" % segment.number] = _encode(segment.jobs)
        writes[b"d%d" % segment.number] = _encode(segment.digests)
    for number in gone:
        deletes += (b"j%d" % number, b"d%d" % number)
    chunks, gone = _changed(old.chunks, new.chunks)
    for chunk in chunks:
        writes[b"p%d" % chunk.number] = _encode(chunk.images)
    deletes += [b"p%d" % number for number in gone]
    if old.words is not new.words:
        said = {word.number: word for word in old.words}
        writes |= {WORD % word.number: _encode(word) for word in new.words if said.pop(word.number, None) is not word}
        deletes += [WORD % number for number in said]
    for name, was, now in (
        (HEIRS, old.heirs, new.heirs),
        (ANCHORS, old.anchors, new.anchors),
        (APART, old.apart, new.apart),
        (HIDDEN, old.hidden, new.hidden),
        (SUCCESSORS, old.successors, new.successors),
        (CORRECTED, old.corrected, new.corrected),
    ):
        if now is was or now == was:
            continue
        if now:
            writes[name] = now.encode() if isinstance(now, Heirs) else _encode(now)
        else:
            deletes.append(name)
    return writes, sorted(deletes)


def _take_cells(
    old: Album, new: Album, vectors: Mapping[int, bytes], writes: dict[bytes, bytes], deletes: list[bytes]
) -> None:
    """Cells, and what is rendered of large clusters."""
    for cell_id in [cell_id for cell_id, cell in new.cells.items() if old.cells.get(cell_id) is not cell]:
        cell = new.cells[cell_id]
        space = new.spaces[cell.space]
        at = bisect_left(space.ids, cell_id)
        record = _cell_record(cell, space.sums[at], float(space.weights[at]), vectors.get(cell_id, b""))
        writes[CELL % cell_id] = _encode(record)
    deletes += [CELL % cell_id for cell_id in old.cells if cell_id not in new.cells]
    stored, fragments = _large(old), _large(new)
    writes |= {FRAGMENT % number: raw for number, raw in fragments.items() if stored.get(number) is not raw}
    deletes += [FRAGMENT % number for number in stored.keys() - fragments.keys()]


def _changed(before: Sequence[_Part], after: Sequence[_Part]) -> tuple[list[_Part], Collection[int]]:
    """The parts that are new or others than before, and the numbers of those that are gone."""
    if before is after:
        return [], ()
    held = {part.number: part for part in before}
    return [part for part in after if held.pop(part.number, None) is not part], held.keys()


def _large(album: Album) -> dict[int, bytes]:
    """What is rendered of large clusters, by number."""
    serving = album.serving
    large = {cluster.number for cluster in album.clusters.values() if is_large(cluster, serving)} if serving else {}
    return {number: each.raw for number, each in album.fragments.items() if number in large} if large else {}


def _encode_head(album: Album) -> bytes:
    return _encode(
        Head(
            format=FORMAT,
            version=album.version,
            updated_ms=album.updated_ms,
            newest_ms=album.newest_ms,
            newest=album.newest,
            counters=album.counters,
            job=album.job,
            spaces=[
                SpaceRecord(
                    space.number,
                    space.model_version,
                    space.layout,
                    space.moved,
                    space.partitioned,
                    space.profile,
                    space.dimension,
                    space.silhouette,
                    space.scale,
                )
                for space in album.spaces.values()
            ],
            clusters=sorted(album.clusters.values(), key=_key),
            provisional=album.provisional,
            serving=album.serving,
            rendering=RENDERING,
        )
    )


def _cell_record(cell: Cell, sums: Floats, weight: float, vector: bytes) -> CellRecord:
    form, raw = pack(sums, weight, vector) if cell.count == 1 else whole(sums)
    return CellRecord(cell, weight, memoryview(raw), form)
