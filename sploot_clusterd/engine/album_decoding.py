"""An album from the fields of its hash: see `records`. It is read whole, or refused: never half understood."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, TypeVar

import msgspec
import numpy as np

from sploot_clusterd.engine.album import Album, Cluster, Corrected, Segment, Space
from sploot_clusterd.engine.fragment import Fragment
from sploot_clusterd.engine.heirs import Heirs
from sploot_clusterd.engine.label import label_of
from sploot_clusterd.engine.listings import Chunk, Listing
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
    CellRecord,
    Head,
    SpaceRecord,
    is_large,
)
from sploot_clusterd.engine.render import RENDERING, check_fragment
from sploot_clusterd.engine.sums import stacked
from sploot_clusterd.engine.words import Anchor, Constraints, Pair, Place, Word, constraints
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadStateError

_UNREADABLE: Final = (ValueError, OverflowError, RecursionError)
"""Errors of msgspec and of Unicode are values' too."""

T = TypeVar("T")
Homes = Mapping[int, Cluster]
"""The cluster of each cell, by rising cell."""

_head = msgspec.msgpack.Decoder(Head).decode
_cell = msgspec.msgpack.Decoder(CellRecord).decode
_segment = msgspec.msgpack.Decoder(dict[str, EntryId]).decode
_chunk = msgspec.msgpack.Decoder(dict[str, float | Listing | None]).decode
_numbers = msgspec.msgpack.Decoder(Mapping[int, int]).decode
_corrected = msgspec.msgpack.Decoder(Corrected).decode
_digests = msgspec.msgpack.Decoder(tuple[int, ...]).decode
_anchors = msgspec.msgpack.Decoder(Mapping[int, Anchor]).decode
_word = msgspec.msgpack.Decoder(Word).decode
_hidden = msgspec.msgpack.Decoder(Mapping[str, Place]).decode
_apart = msgspec.msgpack.Decoder(tuple[Pair, ...]).decode


def decode_album(pet_id: str, fields: Mapping[bytes, bytes]) -> Album:
    """The album that the fields hold; fields of other names are left alone.

    Raises BadStateError for anything that cannot be read or contradicts itself.
    """
    if HEAD not in fields:
        raise BadStateError("the album has no head")
    head = _read(_head, HEAD, fields[HEAD])
    if head.format != FORMAT:
        raise BadStateError(f"the album has format {head.format}, not {FORMAT}")
    homes = _homes(head)
    names = {cell_id: CELL % cell_id for cell_id in homes}
    others = fields.keys() - names.values()
    if _numbered(b"c", others) or len(others) + len(names) != len(fields):
        raise BadStateError("the clusters of the head do not hold the cells that are stored")
    cells = _read_all(_cell, names, fields)
    segments = _read_all(_segment, _numbered(b"j", others), fields)
    digests = _read_all(_digests, _numbered(b"d", others), fields)
    chunks = _read_all(_chunk, _numbered(b"p", others), fields)
    anchors = _read(_anchors, ANCHORS, fields[ANCHORS]) if ANCHORS in fields else {}
    words = tuple(_read_all(_word, _numbered(b"w", others), fields).values())
    said = constraints(anchors, words)
    _check_spaces(head, homes, cells)
    _check_anchors(head, homes, cells, said)
    return Album(
        pet_id,
        version=head.version,
        updated_ms=head.updated_ms,
        newest_ms=head.newest_ms,
        newest=EntryId(*head.newest),
        counters=head.counters,
        job=head.job,
        spaces={record.number: _space(record, cells) for record in head.spaces},
        cells={cell_id: record.cell for cell_id, record in cells.items()},
        clusters={cluster.key: cluster for cluster in head.clusters},
        heirs=_read(Heirs.decode, HEIRS, fields[HEIRS]) if HEIRS in fields else Heirs(),
        anchors=anchors,
        successors=_read(_numbers, SUCCESSORS, fields[SUCCESSORS]) if SUCCESSORS in fields else {},
        corrected=_read(_corrected, CORRECTED, fields[CORRECTED]) if CORRECTED in fields else Corrected(),
        apart=_known(_read(_apart, APART, fields[APART]), anchors) if APART in fields else (),
        words=words,
        hidden=_read(_hidden, HIDDEN, fields[HIDDEN]) if HIDDEN in fields else {},
        veiled=said.hidden,
        segments=tuple(Segment(number, jobs, digests.get(number, ())) for number, jobs in segments.items()),
        chunks=tuple(Chunk.of(number, _listings(images)) for number, images in chunks.items()),
        provisional=head.provisional,
        serving=head.serving,
        fragments=_fragments(pet_id, head, fields),
    )


def _listings(images: Mapping[str, float | Listing | None]) -> dict[str, Listing]:
    """Albums were once stored with qualities alone."""
    return {name: each if isinstance(each, Listing) else Listing(each) for name, each in images.items()}


def _known(pairs: tuple[Pair, ...], anchors: Mapping[int, Anchor]) -> tuple[Pair, ...]:
    """Those of anchors that are there: a former version, which knows of no pairs, leaves them when an anchor ends."""
    return tuple(pair for pair in pairs if anchors.keys() >= set(pair))


def _read(decode: Callable[[bytes], T], name: bytes, raw: bytes) -> T:
    try:
        return decode(raw)
    except _UNREADABLE as error:
        raise BadStateError(f"field {name.decode()} of the album cannot be read: {error}") from None


def _numbered(prefix: bytes, names: Iterable[bytes]) -> dict[int, bytes]:
    """Those of the names that are the prefix and a number, by rising number."""
    found = {int(name[1:]): name for name in names if name[:1] == prefix and name[1:].isdigit()}
    return dict(sorted(found.items()))


def _read_all(decode: Callable[[bytes], T], names: Mapping[int, bytes], fields: Mapping[bytes, bytes]) -> dict[int, T]:
    try:
        return {number: decode(fields[name]) for number, name in names.items()}
    except _UNREADABLE:
        for name in names.values():
            _read(decode, name, fields[name])
        raise


def _homes(head: Head) -> Homes:
    """Each cell is in exactly one cluster, which knows how close it is."""
    homes = {cell_id: cluster for cluster in head.clusters for cell_id in cluster.cells}
    if len(homes) != sum(len(cluster.cells) for cluster in head.clusters):
        raise BadStateError("a cell is in several clusters of the head")
    if any(len(cluster.closeness) != len(cluster.cells) for cluster in head.clusters):
        raise BadStateError("a cluster of the head has not one closeness for each cell")
    return dict(sorted(homes.items()))


def _check_spaces(head: Head, homes: Homes, cells: Mapping[int, CellRecord]) -> None:
    """Each cell is in the space of its cluster, which is there."""
    if not {cluster.space for cluster in head.clusters} <= {record.number for record in head.spaces}:
        raise BadStateError("a cell is in a space that the head does not know")
    if [record.cell.space for record in cells.values()] != [cluster.space for cluster in homes.values()]:
        raise BadStateError("a cell is in another space than its cluster")


def _check_anchors(head: Head, homes: Homes, cells: Mapping[int, CellRecord], said: Constraints) -> None:
    """The anchor of a cell's mark is its cluster's, and each space has one cluster of an anchor."""
    marks = {(home.key, record.cell.anchor) for record, home in zip(cells.values(), homes.values(), strict=True)}
    borne = {(key, said.roots[mark]) for key, mark in marks if mark is not None and mark in said.roots}
    wanted = {(cluster.key, cluster.anchor) for cluster in head.clusters if cluster.anchor is not None}
    if borne != wanted:
        raise BadStateError("a cluster of the head has not the anchor of its cells")
    held = [(cluster.anchor, cluster.space) for cluster in head.clusters if cluster.anchor is not None]
    if len(held) != len(set(held)):
        raise BadStateError("a space of the head has several clusters of an anchor")


def _space(record: SpaceRecord, cells: Mapping[int, CellRecord]) -> Space:
    """Stacks the cells' statistics. Kinds that came to the space after a cell was written are zeros in it."""
    held = {cell_id: cell for cell_id, cell in cells.items() if cell.cell.space == record.number}
    dimension = sum(length for _, length in record.layout) if record.dimension is None else record.dimension
    weights = np.array([cell.weight for cell in held.values()], dtype=np.float64)
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise BadStateError("the weight of a cell is not finite, or not above 0")
    try:
        with np.errstate(over="ignore"):  # what is not finite is refused
            sums = stacked([(cell.form, cell.sums) for cell in held.values()], weights, dimension)
    except ValueError as error:
        raise BadStateError(f"the statistics of a cell cannot be read: {error}") from None
    return Space(
        record.number,
        record.model_version,
        record.layout,
        tuple(held),
        sums,
        weights,
        record.moved,
        record.partitioned,
        record.profile,
        record.silhouette,
        record.scale,
    )


def _fragments(pet_id: str, head: Head, fields: Mapping[bytes, bytes]) -> dict[int, Fragment]:
    """The large clusters as they were rendered; none where they would be rendered otherwise now."""
    fragments: dict[int, Fragment] = {}
    for cluster in head.clusters if head.rendering == RENDERING else ():
        name = FRAGMENT % (-1 if cluster.number is None else cluster.number)
        if name in fields and cluster.number is not None and is_large(cluster, head.serving):
            _read(partial(check_fragment, pet_id, cluster.number), name, fields[name])
            fragments[cluster.number] = Fragment(label_of(cluster), fields[name])
    return fragments
