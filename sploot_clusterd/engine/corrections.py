"""What users say of their clusters, made true, and kept true by anchors.

The cells of a cluster that a user corrected carry its anchor. Whatever happens later, cells of one anchor are in one
cluster of their space, and cells of different anchors are not (`constraints`); see Wagstaff and Cardie, "Clustering
with instance-level constraints", 2000, whose must-link and cannot-link these are.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import structs

from sploot_clusterd.correcting import clusters_named, images_corrected
from sploot_clusterd.engine.addressing import clusters_found, find_cluster, homes, placed_in, stale, vectors_of
from sploot_clusterd.engine.album import Cluster
from sploot_clusterd.engine.anchors import anchored, hold_cells, link, new_mark, reroot, stand_for
from sploot_clusterd.engine.apart import part
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.forgetting import make_room, settle_oldest, settle_own
from sploot_clusterd.engine.hiding import hide_cluster, hide_images, unhide_cluster, unhide_images
from sploot_clusterd.engine.place import relist
from sploot_clusterd.engine.precedence import in_time, note
from sploot_clusterd.engine.relocation import relocate, remember_shown
from sploot_clusterd.engine.rows import Pin, take_pin
from sploot_clusterd.engine.succession import succeed
from sploot_clusterd.engine.undo import take_back
from sploot_clusterd.engine.words import MOST_WORDS, Anchor, Word
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import (
    Apart,
    Correction,
    Hide,
    Job,
    Merge,
    Move,
    NotHere,
    Rename,
    SetHero,
    Split,
    Stay,
    Undo,
    Unhide,
)

_Hold = Callable[[Draft, int], int]
"""Holds the cluster of a key; gives a mark of it."""


def correct(draft: Draft, job: Job) -> None:
    """Makes the job's corrections true, in their order. The cap on cells is left to be kept afterwards.

    Raises BadJobError, with the draft half changed: `stale_correction` if one names what is no longer there, `invalid`
    if there are more anchors than the album can keep. Raises NeedsAllRowsError if one takes back what wants them.
    """
    number = draft.words[-1].number + 1 if draft.words else 0
    draft.word = Word(number, job.job_id, job.sequence, job.actor, first_cell=draft.counters.cell)
    for place, correction in enumerate(job.corrections):
        try:
            timely = in_time(draft, job.pet_id, correction, job.sequence)
            _prepare(draft, job.pet_id, timely)
            _correct(draft, job, timely, place)
        except BadJobError as error:
            raise BadJobError(error.reason, f"payload.corrections[{place}]: {error.detail}") from None
        note(draft, job.pet_id, timely, job.sequence)
        draft.say(said=[] if isinstance(timely, Undo) else [timely])
        draft.changes.count(str(correction.__struct_config__.tag))
        if draft.final:
            settle_own(draft)
    if draft.word.said:
        draft.words = (*draft.words, draft.word)
    draft.word = None
    draft.anchors_changed()
    while len(draft.words) > MOST_WORDS:
        settle_oldest(draft)
    draft.revision += 1


def _prepare(draft: Draft, pet_id: str, correction: Correction) -> None:
    """Writes down how the clusters that are spoken of were shown, and makes room for marks."""
    if isinstance(correction, Undo):
        return
    keys = clusters_found(draft, pet_id, clusters_named(correction))
    keys |= set(homes(draft, images_corrected(correction)).values())
    anchors = {draft.clusters[key].anchor for key in keys} - {None}
    keys |= {key for key, cluster in draft.clusters.items() if cluster.anchor in anchors}
    remember_shown(draft, keys)
    marks = [len({draft.cells[cell_id].anchor for cell_id in draft.clusters[key].cells}) for key in keys]
    make_room(draft, sum(marks) + 2)


def _correct(draft: Draft, job: Job, correction: Correction, place: int) -> None:
    keys = [find_cluster(draft, job.pet_id, cluster) for cluster in clusters_named(correction)]
    match correction:
        case Merge(label=label, image_id=hero):
            mark = _merge(draft, keys)
            if label is not None:
                draft.say(names=[(mark, label)])
            if hero is not None:
                _set_hero(draft, _home_in(draft, mark, hero), hero, (*job.sequence, place))
        case Apart():
            _keep_apart(draft, *keys)
        case Rename(label=label):
            draft.say(names=[(anchored(draft, *keys), label)])
        case SetHero(image_id=image_id):
            _set_hero(draft, keys[0], image_id, (*job.sequence, place))
        case Hide(cluster=str()):
            hide_cluster(draft, *keys)
        case Unhide(cluster=str()):
            unhide_cluster(draft, *keys)
        case Undo(job_id=job_id):
            take_back(draft, job_id)
        case _:
            _place_images(draft, correction, *keys)


def _place_images(draft: Draft, correction: Correction, key: int = -1) -> None:
    """What is said of images, most of it of the cluster of the key."""
    match correction:
        case Split(image_ids=image_ids, asked=asked):
            _split(draft, key, image_ids, _held(asked=asked))
        case Move(image_ids=image_ids, asked=asked):
            _move(draft, image_ids, key, _held(asked=asked))
        case Stay(image_ids=image_ids):
            _stay(draft, key, image_ids)
        case NotHere(image_ids=image_ids):
            _bar(draft, key, image_ids)
        case Hide(image_ids=list() as image_ids):
            hide_images(draft, image_ids)
        case Unhide(image_ids=list() as image_ids):
            unhide_images(draft, image_ids)


def _merge(draft: Draft, keys: Sequence[int]) -> int:
    """One anchor for all, the oldest of theirs; in each space its clusters become the one that has the lowest id.

    Returns one of its marks.
    """
    anchors = {draft.clusters[key].anchor for key in keys} - {None}
    keys = sorted({*keys, *(key for key, cluster in draft.clusters.items() if cluster.anchor in anchors)})
    first, *others = [anchored(draft, key) for key in keys]
    link(draft, first, *others)
    reroot(draft)
    clusters = [draft.clusters[key] for key in keys]
    for space in sorted({cluster.space for cluster in clusters}):
        _unite(draft, [cluster for cluster in clusters if cluster.space == space])
    return first


def _home_in(draft: Draft, mark: int, image_id: str) -> int:
    """The cluster of the mark's anchor that the image is in. Raises BadJobError."""
    key = homes(draft, [image_id]).get(image_id)
    if key is None or draft.clusters[key].anchor != draft.root(mark):
        raise stale(f"image_id: {image_id} is in none of the clusters")
    return key


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
    placed = placed_in(draft, key, image_ids)
    whole = len(placed) == sum(draft.cells[cell_id].count for cell_id in draft.clusters[key].cells)
    old = anchored(draft, key) if whole else held(draft, key)
    space = draft.clusters[key].space
    if whole:
        draft.closed.add(_apart(draft, key, old))
        return
    mark = new_mark(draft, Anchor(firm=draft.final))
    part(draft, old, mark)
    for image_id in placed:
        relocate(draft, image_id, mark)
    parted = draft.anchored(space, mark)
    if parted is not None:
        draft.clusters[parted] = structs.replace(draft.clusters[parted], number=draft.count_up("number"))
    draft.closed.add(mark)
    draft.changes.split += 1


def _apart(draft: Draft, key: int, mark: int) -> int:
    """The anchor of a cluster that is held; a new one with the same label if clusters of other spaces have it, too."""
    root = draft.clusters[key].anchor
    if root is None or all(other.anchor != root for other in draft.clusters.values() if other.key != key):
        return mark if root is None else root
    marks = {draft.cells[cell_id].anchor for cell_id in draft.clusters[key].cells}
    label = draft.constraints.labels.get(root)
    named_at = draft.word.at if label is not None and draft.word is not None else None
    hidden = (draft.word.at, True) if draft.word is not None and root in draft.constraints.hidden else None
    own = {
        held: new_mark(draft, Anchor(label, named_at, firm=draft.final, before=held, hidden=hidden))
        for held in sorted(mark for mark in marks if mark is not None)
    }
    for cell_id in draft.clusters[key].cells:
        cell = draft.cells[cell_id]
        if cell.anchor is not None:
            draft.cells[cell_id] = structs.replace(cell, anchor=own[cell.anchor])
    first, *others = own.values()
    link(draft, first, *others)
    part(draft, root, first)
    draft.touched.add(key)
    reroot(draft)
    return first


def _move(draft: Draft, image_ids: Iterable[str], to: int, held: _Hold) -> None:
    """The images get the anchor of the cluster. Those that they leave get anchors too, so as not to get them back."""
    placed = homes(draft, image_ids)
    if not placed:
        raise stale("image_ids: the pet has none of these images, or none with vectors")
    target = held(draft, to)
    for key in sorted(set(placed.values())):
        if draft.clusters[key].shown and draft.root(left := held(draft, key)) != draft.root(target):
            part(draft, left, target)
    mark: int | None = None
    for image_id in placed:
        cell_id = draft.living(vectors_of(draft, image_id).cell)
        if draft.root(draft.cells[cell_id].anchor) == draft.root(target):
            hold_cells(draft, draft.home[cell_id], [cell_id])
            continue
        if mark is None:
            mark = target if draft.final else new_mark(draft, Anchor(firm=False))
            link(draft, target, mark)
            reroot(draft)
        relocate(draft, image_id, mark)


def _set_hero(draft: Draft, key: int, image_id: str, pin: Pin) -> None:
    if homes(draft, [image_id]).get(image_id) != key:
        raise stale(f"image_id: {image_id} is not in the cluster any more")
    row = draft.row(image_id)
    if row.removed is not None and pin[:2] < row.removed:
        raise stale(f"image_id: {image_id} was removed since, and came again")
    chosen = take_pin(row, pin)
    if chosen.pinned is not None and chosen != row and draft.word is not None:
        before = draft.word.pins[image_id][1] if image_id in draft.word.pins else row.pinned
        draft.say(pins={image_id: (chosen.pinned, before)})
    draft.set_row(image_id, chosen)
    relist(draft, image_id, chosen, vectors_of(draft, image_id))


def _keep_apart(draft: Draft, one: int, other: int) -> None:
    """Anchors of their own, which no later grouping brings together. Their heroes stand for what the user saw."""
    if one == other:
        raise stale("clusters: they are one cluster now")
    marks = stand_for(draft, one), stand_for(draft, other)
    if draft.root(marks[0]) == draft.root(marks[1]):
        _apart(draft, other, anchored(draft, other))
    else:
        part(draft, *marks)


def _stay(draft: Draft, key: int, image_ids: Iterable[str]) -> None:
    """The cluster's anchor holds them, with its hero."""
    placed = placed_in(draft, key, image_ids)
    stand_for(draft, key)
    hold_cells(draft, key, [draft.living(vectors_of(draft, image_id).cell) for image_id in placed])


def _bar(draft: Draft, key: int, image_ids: Iterable[str]) -> None:
    """The images are never in the cluster again, for which its hero stands, or another one. Elsewhere they are free."""
    placed = placed_in(draft, key, image_ids)
    left = Counter({cell_id: draft.cells[cell_id].count for cell_id in draft.clusters[key].cells})
    left.subtract(draft.living(vectors_of(draft, image_id).cell) for image_id in placed)
    largest, count = max(left.items(), key=lambda each: (each[1], -each[0]))
    if not count:
        raise stale("image_ids: the cluster has no other images, so there is nothing that these do not belong to")
    stands = stand_for(draft, key) if draft.clusters[key].hero not in placed else hold_cells(draft, key, [largest])
    mark = new_mark(draft, Anchor(firm=False, barred=(stands,)))
    for image_id in placed:
        relocate(draft, image_id, mark)
