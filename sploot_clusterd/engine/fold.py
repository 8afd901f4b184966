"""One job into the draft: its events, image by image, and what it says of the pet as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from sploot_clusterd.correcting import images_corrected
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.hiding import announce, stays_hidden
from sploot_clusterd.engine.maintain import keep_cap
from sploot_clusterd.engine.place import join, leave, restate
from sploot_clusterd.engine.provisional import strike
from sploot_clusterd.engine.rows import (
    EMPTY,
    NOWHERE,
    Attributes,
    Listed,
    Row,
    Stamp,
    Vectors,
    remove,
    take_attributes,
    take_listed,
    take_vectors,
)
from sploot_clusterd.engine.sample import Fresh
from sploot_clusterd.engine.succession import left
from sploot_clusterd.engine.vector_format import VectorFormat
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import FloatVector, Job


@dataclass(slots=True)
class _Events:
    """What one job says of one image: at most one event for each register, the job's last."""

    removed: bool = False
    listed: Listed | None = None
    attributes: Attributes | None = None
    vectors: Vectors | None = None

    @property
    def only_removed(self) -> bool:
        return self.removed and self.listed is None and self.attributes is None

    def announces(self, row: Row) -> bool:
        """Whether an image of this row is announced here, unless it was removed since."""
        announced = self.listed or self.attributes
        return announced is not None and (row.removed is None or announced.at >= row.removed)


def images_named(jobs: Sequence[Job]) -> set[str]:
    """Every image that the jobs say anything of: the rows that applying them wants."""
    names: set[str] = set()
    for job in jobs:
        names.update(job.image_ids, job.removed, [insight.image_id for insight in job.images])
        for correction in job.corrections:
            names.update(images_corrected(correction))
    return names


def fold(draft: Draft, job: Job) -> None:
    """Applies the job's events at its place. Raises BadJobError before anything is changed."""
    _check_room(draft, job)
    sequence = job.sequence
    for position, (image_id, events) in _removals_first(job, _events(draft, job, sequence)):
        draft.checkpoint()
        old = draft.row(image_id)
        new = _fold_row(old, events, sequence)
        if new != old:
            _move(draft, image_id, old, new)
        if new.exists and new.vectors is None:
            announce(draft, image_id, draft.row(image_id), (*sequence, position) if events.announces(new) else None)
    _offer(draft, job, sequence)
    _take_job(draft, job, sequence)
    draft.newest = max(draft.newest, sequence)


def what_is_missing(draft: Draft, job: Job) -> Job:
    """Of a fetched job what is to be taken: nothing of images that were removed or got vectors meanwhile."""
    rows = {insight.image_id: draft.row(insight.image_id) for insight in job.images}
    return job._replace(
        image_ids=[image_id for image_id in job.image_ids if draft.row(image_id) == EMPTY],
        images=[each for each in job.images if (row := rows[each.image_id]).exists and row.vectors is None],
    )


def _check_room(draft: Draft, job: Job) -> None:
    """Raises BadJobError if the album would hold too many images without vectors: all are gone through by each job."""
    listed = sum([len(chunk.images) for chunk in draft.chunks])
    most = draft.params.most_announced
    if listed + len(draft.hidden) + len(job.image_ids) + len(job.images) <= most:
        return
    listed += sum([place.turn is not None for place in draft.hidden.values()])
    bare = {*job.image_ids, *(each.image_id for each in job.images)} - {e.image_id for e in job.images if e.vectors}
    new = sum(not draft.row(image_id).exists for image_id in bare.difference(job.removed))
    if new and (total := new + listed) > most:
        raise BadJobError(
            "invalid",
            f"image_ids: the album would have {total} images without vectors, expected at most {most} "
            "(albums.announced_images): send their vectors, or remove some",
        )


def _events(draft: Draft, job: Job, sequence: EntryId) -> dict[str, _Events]:
    """In the order of first mention. Vectors are checked and combined here, so that a bad job changes nothing."""
    events: dict[str, _Events] = {}
    for image_id in job.image_ids:
        events.setdefault(image_id, _Events()).listed = Listed(sequence, job.quality_score)
    vectors = _vectors(draft, job) if job.images else {}
    for position, insight in enumerate(job.images):
        event = events.setdefault(insight.image_id, _Events())
        at = _place_of(draft, job, insight.image_id)
        event.attributes = Attributes(at, insight.quality, insight.label, insight.captured_ms)
        if position in vectors:
            event.vectors = vectors[position]
    for image_id in job.removed:
        events.setdefault(image_id, _Events()).removed = True
    return events


def _removals_first(job: Job, events: Mapping[str, _Events]) -> Iterable[tuple[int, tuple[str, _Events]]]:
    """The events with their places. Images go before others come: so an anchor stays with what was shown with it."""
    placed = enumerate(events.items())
    return sorted(placed, key=lambda each: not each[1][1].only_removed) if job.removed else placed


def _vectors(draft: Draft, job: Job) -> dict[int, Vectors]:
    """The combined vectors of the job's insights, by position. Opens or widens their space."""
    given = {position: insight.vectors for position, insight in enumerate(job.images) if insight.vectors}
    if not given:
        return {}
    model_version = job.model_version or ""
    block = draft.block_for(model_version)
    vector_format = block.vector_format if block is not None else _new_format(draft, model_version, given.values())
    for vectors in given.values():
        vector_format = vector_format.with_kinds(vectors, model_version)
    packed = {position: vector_format.pack(vectors, draft.params.weights) for position, vectors in given.items()}
    space = draft.open_block(model_version, vector_format).number
    places = [_place_of(draft, job, insight.image_id) for insight in job.images]
    return {position: Vectors(places[position], position, space, data, NOWHERE) for position, data in packed.items()}


def _place_of(draft: Draft, job: Job, image_id: str) -> Stamp:
    """Where the job's word on an image stands in the order. What was fetched has the place of the image's announcement,
    and so overrides nothing that was said of it since, whenever it comes.
    """
    announced = draft.row(image_id).announced if job.fetched else None
    return announced or job.sequence


def _new_format(draft: Draft, model_version: str, given: Iterable[Mapping[str, FloatVector]]) -> VectorFormat:
    """That of a space to be opened: with the profile of its model version, unless that is of other vectors."""
    lengths = {kind: len(vector) for vectors in given for kind, vector in vectors.items()}
    profile = draft.adopted(model_version)
    return VectorFormat((), profile if profile is not None and profile.fits(lengths) else None)


def _fold_row(row: Row, events: _Events, sequence: EntryId) -> Row:
    if events.removed:
        row = remove(row, sequence)
    if events.listed is not None:
        row = take_listed(row, events.listed)
    if events.attributes is not None:
        row = take_attributes(row, events.attributes)
    if events.vectors is not None:
        row = take_vectors(row, events.vectors)
    return row


def _move(draft: Draft, image_id: str, old: Row, new: Row) -> None:
    """Moves the image from where its old row had it to where the new one wants it.

    One that a corrected cluster has stays in that: an image sent again keeps its place. One that is hidden stays so.
    """
    hidden = stays_hidden(draft, image_id, old, new)
    was, now = old.exists, new.exists
    stays = new.vectors is not None and new.vectors.cell != NOWHERE
    home = mark = None
    if old.placed is not None and not stays:
        cell_id = draft.living(old.placed.cell)
        home, mark = draft.home[cell_id], draft.cells[cell_id].anchor
        mark = draft.clusters[home].anchor if mark is None else mark
        leave(draft, image_id, old, old.placed)
    if new.vectors is not None and not stays and not hidden:
        new = _place(draft, image_id, new, home, mark)
    elif stays:
        restate(draft, image_id, old, new)
    if was and old.vectors is None and (new.vectors is not None or not now):
        strike(draft, image_id)
    draft.count_tombstones(new.is_tombstone - old.is_tombstone)
    draft.changes.images_added += now and not was
    draft.changes.images_updated += now and was
    draft.changes.images_removed += was and not now
    draft.set_row(image_id, new)


def _place(draft: Draft, image_id: str, row: Row, home: int | None, mark: int | None) -> Row:
    """Puts the image into its space. `home` is the cluster that had it before, `mark` the one that it takes along."""
    if row.vectors is None:
        return row
    placed = join(draft, image_id, row, row.vectors, mark)
    if home is not None and placed.vectors is not None:
        left(draft, home, placed.vectors.cell)
    keep_cap(draft, draft.blocks[row.vectors.space])
    return placed


def _offer(draft: Draft, job: Job, sequence: EntryId) -> None:
    """Names the images whose vectors are the job's now, for the fleet's sample: those of a removed one are gone."""
    if not job.images:
        return
    held = {insight.image_id: draft.row(insight.image_id).vectors for insight in job.images}
    draft.fresh += [
        Fresh(insight.image_id, job.model_version or "", insight.quality, insight.vectors)
        for position, insight in enumerate(job.images)
        if (vectors := held[insight.image_id])
        and (job.fetched or (vectors.at, vectors.position) == (sequence, position))
    ]


def _take_job(draft: Draft, job: Job, sequence: EntryId) -> None:
    """What the job says of labels, coverage, quality and model version, where no newer one said so."""
    held, at = draft.job, sequence
    news: dict[str, object] = {}
    if (job.labels or job.coverage) and _newer(at, held.labels_at):
        news |= {"labels_at": at, "labels": tuple(dict.fromkeys(job.labels)), "coverage": dict(job.coverage)}
        draft.provisional_changed = True
    if job.quality_score is not None and _newer(at, held.quality_at):
        news |= {"quality_at": at, "quality_score": job.quality_score}
    if job.model_version is not None and _newer(at, held.model_at):
        news |= {"model_at": at, "model_version": job.model_version}
    if news:
        draft.job = structs.replace(held, **news)
        draft.revision += 1


def _newer(at: EntryId, than: Stamp | None) -> bool:
    return than is None or at > than
