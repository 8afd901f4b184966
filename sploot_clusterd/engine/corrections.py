"""What users say of their clusters, made true, and kept true by anchors.

The cells of a cluster that a user corrected carry its anchor. Whatever happens later, cells of one anchor are in one
cluster of their space, and cells of different anchors are not (`constraints`); see Wagstaff and Cardie, "Clustering
with instance-level constraints", 2000, whose must-link and cannot-link these are.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import structs

from sploot_clusterd.engine.album import Anchor, Cluster
from sploot_clusterd.engine.anchors import anchored, hold, hold_cells, new_anchor, stand_for
from sploot_clusterd.engine.apart import part, unite
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.place import join, leave, relist
from sploot_clusterd.engine.precedence import in_time, note
from sploot_clusterd.engine.rows import Vectors, take_pin
from sploot_clusterd.engine.succession import find, succeed
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import (
    Apart,
    Correction,
    Job,
    Merge,
    Move,
    Rename,
    SetHero,
    Split,
    Stay,
    cluster_number,
)

_Hold = Callable[[Draft, int], int]
"""Gives the cluster of a key an anchor."""


def correct(draft: Draft, job: Job) -> None:
    """Makes the job's corrections true, in their order. The cap on cells is left to be kept afterwards.

    Raises BadJobError, with the draft half changed: `stale_correction` if one names what is no longer there, `invalid`
    if there are more anchors than the album can keep.
    """
    for place, correction in enumerate(job.corrections):
        try:
            timely = in_time(draft, job.pet_id, correction, job.sequence)
            _correct(draft, job, timely, place)
        except BadJobError as error:
            raise BadJobError(error.reason, f"payload.corrections[{place}]: {error.detail}") from None
        note(draft, job.pet_id, timely, job.sequence)
        draft.changes.corrections[str(correction.__struct_config__.tag)] += 1
    draft.revision += 1


def _correct(draft: Draft, job: Job, correction: Correction, place: int) -> None:
    match correction:
        case Merge(clusters=clusters):
            _merge(draft, [_cluster(draft, job.pet_id, cluster) for cluster in clusters])
        case Split(cluster=cluster, image_ids=image_ids, asked=asked):
            _split(draft, _cluster(draft, job.pet_id, cluster), image_ids, _held(asked=asked))
        case Move(image_ids=image_ids, to=cluster, asked=asked):
            _move(draft, image_ids, _cluster(draft, job.pet_id, cluster), _held(asked=asked))
        case Rename(cluster=cluster, label=label):
            _rename(draft, _cluster(draft, job.pet_id, cluster), label, job.sequence)
        case SetHero(cluster=cluster, image_id=image_id):
            _set_hero(draft, _cluster(draft, job.pet_id, cluster), image_id, job.sequence, place)
        case Apart(clusters=clusters):
            _keep_apart(draft, *(_cluster(draft, job.pet_id, cluster) for cluster in clusters))
        case Stay(cluster=cluster, image_ids=image_ids):
            _stay(draft, _cluster(draft, job.pet_id, cluster), image_ids)


def _merge(draft: Draft, keys: Sequence[int]) -> None:
    """One anchor for all, the oldest of theirs; in each space its clusters become the one that has the lowest id."""
    named = {draft.clusters[key].anchor for key in keys}
    united = sorted(anchor for anchor in named if anchor is not None)
    anchor = united[0] if united else new_anchor(draft)
    keys = sorted({*keys, *(key for key, cluster in draft.clusters.items() if cluster.anchor in united)})
    for key in keys:
        hold(draft, key, anchor)
    anchors = [draft.anchors.pop(other) for other in united] or [Anchor()]
    draft.anchors[anchor] = max(anchors, key=lambda other: other.named_at or (0, 0))
    unite(draft, set(united), anchor)
    clusters = [draft.clusters[key] for key in keys]
    for space in sorted({cluster.space for cluster in clusters}):
        _unite(draft, [cluster for cluster in clusters if cluster.space == space])


def _unite(draft: Draft, clusters: Sequence[Cluster]) -> None:
    """Puts the cells of clusters of one space into the oldest cluster."""
    oldest = min(clusters, key=lambda cluster: (cluster.number is None, cluster.number, cluster.key))
    cells = tuple(sorted(cell_id for cluster in clusters for cell_id in cluster.cells))
    draft.clusters[oldest.key] = structs.replace(oldest, cells=cells)
    draft.home.update(dict.fromkeys(cells, oldest.key))
    for cluster in clusters:
        if cluster is not oldest:
            del draft.clusters[cluster.key]
            succeed(draft, cluster, oldest.key)
            draft.changes.merged += 1


def _held(*, asked: bool) -> _Hold:
    """How clusters are held that a user spoke of: whole, or by their heroes if it was an answer."""
    return stand_for if asked else anchored


def _split(draft: Draft, key: int, image_ids: Iterable[str], held: _Hold) -> None:
    """The images of the cluster get an anchor of their own, and what is left keeps the cluster's.

    If nothing is left, the cluster is what was asked for: it keeps its id and its label.
    """
    placed = {image_id: home for image_id, home in _homes(draft, image_ids).items() if home == key}
    if not placed:
        raise _stale("image_ids: none of these images is in the cluster any more")
    whole = len(placed) == sum(draft.cells[cell_id].count for cell_id in draft.clusters[key].cells)
    old = anchored(draft, key) if whole else held(draft, key)
    space = draft.clusters[key].space
    if whole:
        draft.closed.add(_apart(draft, key, old))
        return
    anchor = new_anchor(draft)
    part(draft, old, anchor)
    for image_id in placed:
        _relocate(draft, image_id, anchor)
    parted = draft.anchored(space, anchor)
    if parted is not None:
        draft.clusters[parted] = structs.replace(draft.clusters[parted], number=draft.count_up("number"))
    draft.closed.add(anchor)
    draft.changes.split += 1


def _apart(draft: Draft, key: int, anchor: int) -> int:
    """The cluster's anchor; a new one with the same label if clusters of other spaces have its `anchor`, too."""
    if all(other.anchor != anchor for other in draft.clusters.values() if other.key != key):
        return anchor
    own = new_anchor(draft)
    draft.anchors[own] = draft.anchors[anchor]
    part(draft, anchor, own)
    hold(draft, key, own)
    return own


def _move(draft: Draft, image_ids: Iterable[str], to: int, held: _Hold) -> None:
    """The images get the anchor of the cluster. Those that they leave get anchors too, so as not to get them back."""
    placed = _homes(draft, image_ids)
    if not placed:
        raise _stale("image_ids: the pet has none of these images, or none with vectors")
    anchor = held(draft, to)
    for key in sorted(set(placed.values())):
        if draft.clusters[key].shown and (left := held(draft, key)) != anchor:
            part(draft, left, anchor)
    for image_id in placed:
        _relocate(draft, image_id, anchor)


def _rename(draft: Draft, key: int, label: str, at: EntryId) -> None:
    anchor = anchored(draft, key)
    named_at = draft.anchors[anchor].named_at
    if named_at is None or at >= named_at:
        draft.anchors[anchor] = Anchor(label, at)


def _set_hero(draft: Draft, key: int, image_id: str, at: EntryId, place: int) -> None:
    if _homes(draft, [image_id]).get(image_id) != key:
        raise _stale(f"image_id: {image_id} is not in the cluster any more")
    row = draft.row(image_id)
    if row.removed is not None and at < row.removed:
        raise _stale(f"image_id: {image_id} was removed since, and came again")
    row = take_pin(row, (*at, place))
    draft.set_row(image_id, row)
    relist(draft, image_id, row, _vectors(draft, image_id))


def _keep_apart(draft: Draft, one: int, other: int) -> None:
    """Anchors of their own, which no later grouping brings together. Their heroes stand for what the user saw."""
    if one == other:
        raise _stale("clusters: they are one cluster now")
    anchors = stand_for(draft, one), stand_for(draft, other)
    if anchors[0] == anchors[1]:
        _apart(draft, other, anchors[1])
    else:
        part(draft, *anchors)


def _stay(draft: Draft, key: int, image_ids: Iterable[str]) -> None:
    """The cluster's anchor holds them, with its hero."""
    placed = [image_id for image_id, home in _homes(draft, image_ids).items() if home == key]
    if not placed:
        raise _stale("image_ids: none of these images is in the cluster any more")
    anchor = stand_for(draft, key)
    for image_id in placed:
        hold_cells(draft, [draft.living(_vectors(draft, image_id).cell)], anchor)


def _cluster(draft: Draft, pet_id: str, cluster: str) -> int:
    """The key of the cluster that a public id leads to. Raises BadJobError."""
    number = cluster_number(pet_id, cluster)
    if number is None or number >= draft.counters.number:
        raise _stale(f"the pet never had {cluster}")
    if any(provisional.number == number for provisional in draft.provisional):
        raise _stale(f"{cluster} is provisional: its images have no vectors yet")
    key = find(draft, number)
    if key is None:
        raise _stale(f"{cluster} is gone: none of its images is left")
    return key


def _homes(draft: Draft, image_ids: Iterable[str]) -> dict[str, int]:
    """The cluster of each image that is in one, in the order given."""
    rows = {image_id: draft.row(image_id).vectors for image_id in image_ids}
    return {image_id: draft.home[draft.living(held.cell)] for image_id, held in rows.items() if held is not None}


def _relocate(draft: Draft, image_id: str, anchor: int) -> None:
    """Takes the image out of its cell into one of the anchor. A cluster that it leaves empty leads to its new one."""
    vectors = _vectors(draft, image_id)
    cell_id = draft.living(vectors.cell)
    if draft.cells[cell_id].anchor == anchor:
        return
    source = draft.home[cell_id]
    leave(draft, image_id, draft.row(image_id), vectors)
    row = join(draft, image_id, draft.row(image_id), vectors, anchor)
    draft.set_row(image_id, row)
    if not draft.clusters[source].cells:
        succeed(draft, draft.clusters.pop(source), draft.home[_vectors(draft, image_id).cell])


def _vectors(draft: Draft, image_id: str) -> Vectors:
    vectors = draft.row(image_id).vectors
    if vectors is None:
        raise ValueError("an image in a cluster has vectors")
    return vectors


def _stale(detail: str) -> BadJobError:
    return BadJobError("stale_correction", detail)
