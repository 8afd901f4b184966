"""How much memory an album holds, in bytes: what the objects of CPython 3.11 take on 64-bit Linux.

Texts, ids and dicts are measured one by one, for their sizes vary; what is around them is a constant of each kind.
"""

from collections.abc import Mapping
from sys import getsizeof
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sploot_clusterd.engine.album import Album, Cell, Cluster, NewestJob, Segment, Space
from sploot_clusterd.engine.fragment import Fragment
from sploot_clusterd.engine.listings import Chunk
from sploot_clusterd.engine.words import Anchor, Word

_ALBUM: Final = 2500
_SPACE: Final = 1000
_CELL: Final = 464
"""With an empty dict of votes."""
_MEMBER: Final = 340
_CLUSTER: Final = 500
_CELL_OF_CLUSTER: Final = 90
_PROVISIONAL: Final = 200
_ANCHOR: Final = 350
_SUCCESSOR: Final = 170
_CORRECTED: Final = 320
"""A key of `precedence` and a place."""
_APART: Final = 130
"""A pair of anchors."""
_HIDDEN: Final = 300
"""An image's id and place."""
_WORD: Final = 1500
_FACT: Final = 120
_WENT: Final = 500
"""An image that a word names, and its place."""
_DIGEST: Final = 40
_FRAGMENT: Final = 190
_FACE: Final = 160
"""Without its images, whose names are those of members or listings."""
_TABLE: Final = 150
"""A segment or a chunk, without its dict."""
_ENTRY_ID: Final = 130
_ID: Final = 50
"""Without its characters."""
_LISTING: Final = 190
"""An image's quality and turn."""
_NUMBER: Final = 32
_INT: Final = 32
_PAIR_OF_HEIRS: Final = 16


def album_nbytes(album: Album) -> int:
    """The album's size. It takes as long as the album is large: for some, rather than after each job."""
    return (
        _ALBUM
        + getsizeof(album.pet_id)
        + (_with_vectors(album) if album.spaces else 0)
        + sum(map(_anchor, album.anchors.values()))
        + sum(map(_fragment, album.fragments.values()))
        + sum(map(_segment, album.segments))
        + sum(map(_chunk, album.chunks))
        + _provisional(album)
        + _newest_job(album.job)
        + _SUCCESSOR * len(album.successors)
        + _CORRECTED * len(album.corrected.places)
        + _APART * len(album.apart)
        + _HIDDEN * len(album.hidden)
        + sum(map(_word, album.words))
        + _PAIR_OF_HEIRS * len(album.heirs)
    )


def _with_vectors(album: Album) -> int:
    return (
        sum(map(_space, album.spaces.values()))
        + sum(map(_cell, album.cells.values()))
        + sum(map(_cluster, album.clusters.values()))
    )


def _space(space: Space) -> int:
    arrays = _buffer(space.sums) + _buffer(space.weights)
    return _SPACE + arrays + (8 + _INT) * len(space.ids) + getsizeof(space.model_version)


def _buffer(array: NDArray[np.floating]) -> int:
    """What it keeps alive: a view's array, which has room for more cells."""
    whole = array.base
    return whole.nbytes if isinstance(whole, np.ndarray) else array.nbytes


def _cell(cell: Cell) -> int:
    size = _CELL + _MEMBER * len(cell.members)
    for member in cell.members:
        size += len(member.image_id)
    return size + _numbers(cell.votes) if cell.votes else size


def _cluster(cluster: Cluster) -> int:
    size = _CLUSTER + _CELL_OF_CLUSTER * len(cluster.cells)
    for text in (cluster.hero, cluster.matched, cluster.vote, cluster.given):
        if text:
            size += getsizeof(text)
    return size + getsizeof(cluster.left) + 2 * _INT * len(cluster.left) if cluster.left else size


def _anchor(anchor: Anchor) -> int:
    return _ANCHOR + getsizeof(anchor.label or "")


def _word(word: Word) -> int:
    facts = (word.holds, word.links, word.names, word.pairs, word.hides, word.pins, word.noted)
    cells = sum([len(was.cells) for was in word.shown])
    return _WORD + _FACT * sum(map(len, facts)) + _WENT * (len(word.places) + len(word.shown)) + _INT * cells


def _fragment(fragment: Fragment) -> int:
    face = _FACE + 8 * len(fragment.face.images) if fragment.face else 0
    return _FRAGMENT + getsizeof(fragment.label) + getsizeof(fragment.raw) + face


def _segment(segment: Segment) -> int:
    return _TABLE + _ids(segment.jobs, _ENTRY_ID) + _DIGEST * len(segment.digests)


def _chunk(chunk: Chunk) -> int:
    return _TABLE + _ids(chunk.images, _LISTING) + 8 * len(chunk.qualities)


def _provisional(album: Album) -> int:
    return sum([_PROVISIONAL + getsizeof(cluster.label or "") for cluster in album.provisional])


def _newest_job(job: NewestJob) -> int:
    labels = sum(map(getsizeof, job.labels)) + 8 * len(job.labels)
    return labels + _numbers(job.coverage) + getsizeof(job.model_version or "")


def _numbers(by_text: Mapping[str, float]) -> int:
    """A dict from labels to numbers."""
    return getsizeof(by_text) + sum(map(getsizeof, by_text)) + _NUMBER * len(by_text)


def _ids(by_id: dict[str, Any], value: int) -> int:
    """A dict whose keys are ids, which are ASCII, and whose values are of that size.

    A pet's ids are mostly of one length: two are looked at, for to fetch each from memory takes far longer.
    """
    longest = max(len(next(iter(by_id))), len(next(reversed(by_id)))) if by_id else 0
    return getsizeof(by_id) + (_ID + longest + value) * len(by_id)
