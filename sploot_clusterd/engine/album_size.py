"""How much memory an album holds, in bytes: what the objects of CPython 3.11 take on 64-bit Linux.

It is wanted after each job, and an album shares with the one before what did not change: so only the rest is measured.
Texts, ids and dicts are measured one by one, for their sizes vary; what is around them is a constant of each kind.
"""

from collections.abc import Callable, Mapping, Sequence
from sys import getsizeof
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from sploot_clusterd.engine.album import Album, Cell, Chunk, Cluster, NewestJob, Segment, Space
from sploot_clusterd.engine.fragment import Fragment
from sploot_clusterd.engine.words import Anchor, Word

_ALBUM: Final = 2500
_SPACE: Final = 1000
_CELL: Final = 400
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
_FLOAT: Final = 32
_INT: Final = 32
_PAIR_OF_HEIRS: Final = 16

T = TypeVar("T")


def album_nbytes(album: Album, before: Album | None = None, nbytes_before: int = 0) -> int:
    """The album's size; that of the state before it, where it is known, makes this cheap."""
    old = before or Album(album.pet_id)
    return (
        (nbytes_before if before else _ALBUM + getsizeof(album.pet_id))
        + _difference(old.spaces, album.spaces, _space)
        + _difference(old.cells, album.cells, _cell)
        + _difference(old.clusters, album.clusters, _cluster)
        + _difference(old.anchors, album.anchors, _anchor)
        + _difference(old.fragments, album.fragments, _fragment)
        + _tables_difference(old.segments, album.segments, _segment)
        + _tables_difference(old.chunks, album.chunks, _chunk)
        + (_provisional(album) - _provisional(old) if _labels(album) != _labels(old) else 0)
        + _jobs_difference(old.job, album.job)
        + _SUCCESSOR * (len(album.successors) - len(old.successors))
        + _CORRECTED * (len(album.corrected.places) - len(old.corrected.places))
        + _APART * (len(album.apart) - len(old.apart))
        + _HIDDEN * (len(album.hidden) - len(old.hidden))
        + (sum(map(_word, album.words)) - sum(map(_word, old.words)) if album.words is not old.words else 0)
        + _PAIR_OF_HEIRS * (len(album.heirs) - len(old.heirs))
    )


def _difference(old: Mapping[int, T], new: Mapping[int, T], size: Callable[[T], int]) -> int:
    """By how much what is in `new` is larger than what is in `old`."""
    if not new and not old:
        return 0
    changed = [key for key, value in new.items() if old.get(key) is not value]
    replaced = [key for key in changed if key in old]
    grown = sum([size(new[key]) for key in changed]) - sum([size(old[key]) for key in replaced])
    if len(new) - len(changed) + len(replaced) < len(old):
        grown -= sum([size(old[key]) for key in old.keys() - new.keys()])
    return grown


def _tables_difference(old: Sequence[T], new: Sequence[T], size: Callable[[T], int]) -> int:
    """The same of tables, mostly all but the last of which are in both, in the same places."""
    if not new and not old:
        return 0
    same = 0
    for one, other in zip(old, new, strict=False):
        if one is not other:
            break
        same += 1
    return sum([size(table) for table in new[same:]]) - sum([size(table) for table in old[same:]])


def _jobs_difference(old: NewestJob, new: NewestJob) -> int:
    """Of what the newest job says, most of which it mostly says again."""
    same = (old.labels, old.coverage, old.model_version) == (new.labels, new.coverage, new.model_version)
    return 0 if same else _newest_job(new) - _newest_job(old)


def _space(space: Space) -> int:
    arrays = _buffer(space.sums) + _buffer(space.weights)
    return _SPACE + arrays + (8 + _INT) * len(space.ids) + getsizeof(space.model_version)


def _buffer(array: NDArray[np.floating]) -> int:
    """What it keeps alive: a view's array, which has room for more cells."""
    whole = array.base
    return whole.nbytes if isinstance(whole, np.ndarray) else array.nbytes


def _cell(cell: Cell) -> int:
    members = sum([len(member.image_id) for member in cell.members]) + _MEMBER * len(cell.members)
    votes = getsizeof(cell.votes) + sum(map(getsizeof, cell.votes)) + _INT * len(cell.votes)
    return _CELL + members + votes


def _cluster(cluster: Cluster) -> int:
    texts = sum([getsizeof(text) for text in (cluster.hero, cluster.matched, cluster.vote, cluster.given) if text])
    left = (getsizeof(cluster.left) + 2 * _INT * len(cluster.left)) if cluster.left else 0
    return _CLUSTER + _CELL_OF_CLUSTER * len(cluster.cells) + texts + left


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
    return _TABLE + _ids(chunk.images, _LISTING)


def _labels(album: Album) -> list[str | None]:
    return [cluster.label for cluster in album.provisional]


def _provisional(album: Album) -> int:
    return sum([_PROVISIONAL + getsizeof(label or "") for label in _labels(album)])


def _newest_job(job: NewestJob) -> int:
    labels = sum(map(getsizeof, job.labels)) + 8 * len(job.labels)
    coverage = getsizeof(job.coverage) + sum(map(getsizeof, job.coverage)) + _FLOAT * len(job.coverage)
    return labels + coverage + getsizeof(job.model_version or "")


def _ids(by_id: dict[str, T], value: int) -> int:
    """A dict whose keys are ids, which are ASCII, and whose values are of that size.

    A pet's ids are mostly of one length: two are looked at, for to fetch each from memory after each job took a tenth
    of its time.
    """
    longest = max(len(next(iter(by_id))), len(next(reversed(by_id)))) if by_id else 0
    return getsizeof(by_id) + (_ID + longest + value) * len(by_id)
