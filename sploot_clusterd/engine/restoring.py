"""Back to an album as it was: clusters, corrections and labels of then, with the images that came since.

Of an image that was there then all is as it was, though it was sent again since, or removed; only vectors that it did
not have yet stay. What came since joins the clusters of then as it would have joined them. Jobs in between are still
remembered, so that none takes effect a second time; of corrections none that was accepted before counts any more.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from msgspec import structs

from sploot_clusterd.engine.album import Album, Corrected, Counters
from sploot_clusterd.engine.album_decoding import decode_album
from sploot_clusterd.engine.block import Block
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.maintain import keep_cap
from sploot_clusterd.engine.place import join
from sploot_clusterd.engine.provisional import enlist, strike
from sploot_clusterd.engine.relocation import keep_away
from sploot_clusterd.engine.rows import EMPTY, NOWHERE, Row, Vectors, decode_row
from sploot_clusterd.engine.succession import MOST_LED
from sploot_clusterd.engine.vector_format import VectorFormat
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadJobError, BadStateError, ClusterdError
from sploot_clusterd.model import Job
from sploot_clusterd.snapshot import Restore, Snapshot

Snapshots = Mapping[str, Snapshot | None]
"""By their names; None of one that is not kept any more."""
NO_SNAPSHOTS: Final[Snapshots] = {}


class NeedsSnapshotError(ClusterdError):
    """A job goes back to an album that is not at hand: get it and call again."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the snapshot {name!r} is not at hand")
        self.name = name


def restore(draft: Draft, job: Job, wanted: Restore, snapshots: Snapshots) -> Draft:
    """A new draft, of the album as it was then and what came since. What follows from its cells is left to be done.

    Raises BadJobError if it cannot be had, or what came since does not go with it; NeedsSnapshotError,
    NeedsAllRowsError, NeedsProfileError.
    """
    then, was = _read(job.pet_id, wanted, snapshots)
    now = draft.all_rows()
    restored = Draft(
        _base(draft, then, job.sequence),
        {},
        draft.params,
        draft.algorithm,
        draft.profiles,
        complete=True,
        checkpoint=draft.checkpoint,
    )
    restored.changes, restored.fresh = draft.changes, draft.fresh
    restored.provisional_changed = True
    restored.revision = draft.revision + 1
    since = list[tuple[str, Row]]()
    for image_id in sorted({*was, *now}):
        row, is_new = _chosen(was.get(image_id, EMPTY), now.get(image_id, EMPTY))
        restored.rows[image_id] = row
        if is_new:
            since.append((image_id, row))
    tombstones = sum(row.is_tombstone for row in restored.rows.values())
    restored.counters = structs.replace(restored.counters, tombstones=tombstones)
    _add(draft, restored, since)
    _lead_on(draft, restored)
    return restored


def _read(pet_id: str, wanted: Restore, snapshots: Snapshots) -> tuple[Album, dict[str, Row]]:
    """The album of then, and its rows."""
    if wanted.snapshot not in snapshots:
        raise NeedsSnapshotError(wanted.snapshot)
    snapshot = snapshots[wanted.snapshot]
    if snapshot is None:
        raise BadJobError(
            "snapshot_gone", f"the album as of version {wanted.version} is not at hand any more: ask for it again"
        )
    try:
        album = decode_album(pet_id, snapshot.fields)
        return album, {image_id: decode_row(raw) for image_id, raw in snapshot.rows.items()}
    except BadStateError as error:
        raise BadJobError("invalid", f"the album as of version {wanted.version} cannot be read: {error}") from None


def _base(draft: Draft, then: Album, at: EntryId) -> Album:
    """The album of then, but for what is never given twice, and what is not to be forgotten."""
    pairs = zip(structs.astuple(draft.counters), structs.astuple(then.counters), strict=True)
    return structs.replace(
        then,
        version=max(draft.version, then.version),
        newest=max(draft.newest, then.newest),
        counters=Counters(*map(max, pairs)),
        corrected=Corrected(at, dict.fromkeys(then.corrected.places, at)),
        segments=tuple(draft.segments),
    )


def _chosen(was: Row, now: Row) -> tuple[Row, bool]:
    """The image's row, and whether it, or all that there is to place it by, came since."""
    if was.exists and (was.vectors is not None or now.vectors is None):
        return was, False
    if now.exists:
        return structs.replace(now, pinned=None), True
    return max(was, now, key=lambda row: row.removed or (0, 0)), False


def _add(draft: Draft, restored: Draft, since: list[tuple[str, Row]]) -> None:
    """Puts images into the album of then, in the order in which they came."""
    turns = {name: place.turn for name, place in draft.hidden.items()}
    turns |= {name: listing.turn for chunk in draft.chunks for name, listing in chunk.images.items()}
    for image_id, row in since:
        if row.vectors is None:
            enlist(restored, image_id, row, turns.get(image_id))
    placed = [(row.vectors, image_id, row) for image_id, row in since if row.vectors is not None]
    for held, image_id, row in sorted(placed, key=lambda each: (each[0].at, each[0].position, each[1])):
        restored.checkpoint()
        strike(restored, image_id)  # it may have been there without vectors
        vectors = _carried(draft.blocks[held.space], restored, held)
        restored.rows[image_id] = structs.replace(row, vectors=vectors)
        if image_id in restored.hidden:  # it had no vectors then
            keep_away(restored, image_id, restored.hidden[image_id], vectors)
        else:
            restored.rows[image_id] = join(restored, image_id, restored.rows[image_id], vectors)
            keep_cap(restored, restored.blocks[vectors.space])


def _carried(source: Block, restored: Draft, held: Vectors) -> Vectors:
    """The vectors in the space that their model version has in the album of then, as that keeps them; it is opened, or
    widened, where it did not know them.
    """
    version, old, known = source.model_version, source.vector_format, restored.block_for(source.model_version)
    wanted = old
    if known is not None:
        shorter, longer = sorted((old.layout, known.vector_format.layout), key=len)
        if longer[: len(shorter)] != shorter:
            raise BadJobError("dimension", f"images that came since have vectors of other lengths by {version!r}")
        wanted = VectorFormat(longer, known.vector_format.profile)
    target = restored.open_block(version, wanted)
    new = target.vector_format
    data = held.data if new == old else new.keep(old.whole(held.data))
    return structs.replace(held, space=target.number, data=data, cell=NOWHERE)


def _lead_on(draft: Draft, restored: Draft) -> None:
    """Numbers that were given since lead to the clusters that have most of their images. One that has no number yet
    takes them over.
    """
    living = {cluster.number for cluster in restored.clusters.values()}
    living |= {cluster.number for cluster in restored.provisional}
    shared = Counter[tuple[int, int]]()
    for image_id, row in restored.rows.items():
        before, after = _cluster_of(draft, draft.row(image_id)), _cluster_of(restored, row)
        if before is not None and after is not None:
            shared[before, after] += 1
    led = dict[int, int]()
    for (old, new), _ in sorted(shared.items(), key=lambda each: (-each[1], each[0])):
        number, heir = draft.clusters[old].number, restored.clusters[new]
        if number is None or number in living or number in led:
            continue
        if heir.number is None:
            restored.clusters[new] = structs.replace(heir, number=number, hero=draft.clusters[old].hero)
            restored.touched.add(new)
            living.add(number)
        else:
            led[number] = heir.number
    for number, to in draft.successors.items():
        if (target := to if to in living else led.get(to)) is not None:
            led.setdefault(number, target)
    known = {number: to for number, to in {**led, **restored.successors}.items() if number not in living}
    restored.successors = dict(sorted(known.items())[-MOST_LED:])


def _cluster_of(draft: Draft, row: Row) -> int | None:
    """The key of the cluster that the image is in, if it is in any."""
    if row.vectors is None:
        return None
    cell_id = row.vectors.cell
    return draft.home.get(cell_id if cell_id in draft.cells else draft.heirs.get(cell_id, NOWHERE))
