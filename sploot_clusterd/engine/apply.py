"""Jobs into an album: the engine's one way to change anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import structs

from sploot_clusterd.engine.album import Album
from sploot_clusterd.engine.album_encoding import encode_changes
from sploot_clusterd.engine.algorithm import load_algorithm
from sploot_clusterd.engine.draft import Changes, Draft
from sploot_clusterd.engine.fold import images_named
from sploot_clusterd.engine.fragment import Fragment, fragment_of
from sploot_clusterd.engine.jobs import JobStatus, Outcome, apply_jobs
from sploot_clusterd.engine.label import label_of
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.profile import NO_PROFILES, Profiles
from sploot_clusterd.engine.render import cluster_view, provisional_view, render
from sploot_clusterd.engine.restoring import NO_SNAPSHOTS, Snapshots
from sploot_clusterd.engine.rows import encode_row
from sploot_clusterd.engine.sample import Fresh
from sploot_clusterd.model import Job

_DAY_MS = 86_400_000


@dataclass(slots=True)
class Applied:
    """A new album, and what of it to write and delete: fields of its hash, and rows by their images. Nothing of either
    where `changed` is False. Where jobs said nothing and are only remembered, the version stays, and so does the view.
    """

    album: Album
    outcomes: list[Outcome]
    writes: dict[bytes, bytes]
    deletes: list[bytes]
    changed: bool
    changes: Changes
    rows: Mapping[str, bytes] = field(default_factory=dict)
    dropped_rows: Sequence[str] = ()
    fresh: Sequence[Fresh] = ()
    """Images whose vectors were taken in: the fleet's sample may want them."""
    new_wants: Sequence[str] = ()
    """Images that the jobs name and that the album has without vectors."""
    old_wants: Sequence[str] = ()
    """Images that the jobs name and that it has with them, or not at all."""


# BLAS may raise the flag for lanes that it reads past the end of a row and throws away. Vectors are checked to be
# finite where they come in, and an album where it is read.
@np.errstate(invalid="ignore")
def apply(
    album: Album,
    jobs: Sequence[Job],
    rows: Mapping[str, bytes],
    params: Params,
    now_ms: int,
    *,
    profiles: Profiles = NO_PROFILES,
    complete: bool = False,
    with_wants: bool = False,
    with_faces: bool = False,
    snapshots: Snapshots = NO_SNAPSHOTS,
    checkpoint: Callable[[], None] = lambda: None,
) -> Applied:
    """Applies the jobs in their order; how they are spread over calls makes no difference to clusters and rows.

    `with_wants`: it is to be told which images want vectors; `with_faces`: the album is to be asked for its `news_of`,
    which is quicker then.

    A job's corrections are of the album as it was shown: what groups images anew for the job comes after them.

    `rows` holds the stored rows of the images named by the jobs, or, with `complete`, of all images. The album given is
    not changed. A space whose model version has another generation in `profiles.adopt` moves to it. `checkpoint` is
    called between the steps of what may take long: there the caller may let others by.

    Raises NeedsAllRowsError if only `complete` will do, NeedsProfileError if a generation is not in `profiles`,
    NeedsSnapshotError if a job goes back to an album that is not in `snapshots`,
    BadStateError if a row cannot be read, ConfigError if the algorithm is not there.
    """
    draft = Draft(
        album, rows, params, load_algorithm(params.algorithm), profiles, complete=complete, checkpoint=checkpoint
    )
    draft, outcomes = apply_jobs(draft, jobs, snapshots)
    if not draft.revision and not any(outcome.status is JobStatus.APPLIED for outcome in outcomes):
        return Applied(album, outcomes, {}, [], changed=False, changes=draft.changes)
    if draft.counters.tombstones > params.most_tombstones:
        draft.need_all_rows()
    expired = _expired(draft) if complete else set()
    checkpoint()
    updated = _freeze(draft, album, now_ms, with_faces=with_faces)
    checkpoint()
    if album.version and not draft.revision:
        updated = _as_it_was(album, updated, params)
    vectors = {row.vectors.cell: row.vectors.data for row in draft.rows.values() if row.vectors is not None}
    writes, deletes = encode_changes(album, updated, vectors)
    written = {
        image_id: raw
        for image_id, row in draft.rows.items()
        if image_id not in expired and (raw := encode_row(row)) != rows.get(image_id)
    }
    new_wants, old_wants = _wants(draft, jobs) if with_wants else ((), ())
    return Applied(
        updated,
        outcomes,
        writes,
        deletes,
        changed=True,
        changes=draft.changes,
        rows=written,
        dropped_rows=[image_id for image_id in sorted(expired) if image_id in rows],
        fresh=draft.fresh,
        new_wants=new_wants,
        old_wants=old_wants,
    )


def _wants(draft: Draft, jobs: Sequence[Job]) -> tuple[list[str], list[str]]:
    """Which images of the jobs want vectors, and which do not; of all where one went back to a former version."""
    new_wants: list[str] = []
    old_wants: list[str] = []
    for image_id in sorted(draft.rows if any(job.restore for job in jobs) else images_named(jobs)):
        row = draft.row(image_id)
        (new_wants if row.exists and row.vectors is None else old_wants).append(image_id)
    return new_wants, old_wants


def _as_it_was(album: Album, updated: Album, params: Params) -> Album:
    """What jobs that said nothing made of the album, under its old version, unless other settings changed its view."""
    same = structs.replace(updated, version=album.version, updated_ms=album.updated_ms)
    return same if render(same, params) == render(album, params) else updated


def _freeze(draft: Draft, album: Album, now_ms: int, *, with_faces: bool) -> Album:
    return Album(
        album.pet_id,
        version=draft.version + 1,
        updated_ms=now_ms,
        newest_ms=draft.newest_ms,
        newest=draft.newest,
        counters=draft.counters,
        job=draft.job,
        spaces={number: block.freeze() for number, block in draft.blocks.items()},
        cells=draft.cells,
        clusters=draft.clusters,
        heirs=draft.heirs,
        anchors=draft.anchors,
        successors=draft.successors,
        corrected=draft.corrected,
        apart=draft.apart,
        words=draft.words,
        hidden=draft.hidden,
        veiled=draft.constraints.hidden,
        segments=tuple(draft.segments),
        chunks=tuple(draft.chunks),
        provisional=draft.provisional,
        serving=draft.serving,
        fragments=_fragments(draft, album, with_faces=with_faces),
    )


def _fragments(draft: Draft, old: Album, *, with_faces: bool) -> dict[int, Fragment]:
    """Every shown cluster as JSON, by number; those of the old album where neither cluster nor label changed."""
    params = draft.params
    ready = old.fragments if old.serving == params.serving else {}
    fragments: dict[int, Fragment] = {}
    hidden = draft.constraints.hidden
    for key, cluster in draft.clusters.items():
        if not cluster.shown or cluster.number is None or cluster.anchor in hidden:
            continue
        label = label_of(cluster)
        held = ready.get(cluster.number)
        if held is None or held.label != label or old.clusters.get(key) is not cluster:
            shown = cluster_view(old.pet_id, cluster, draft.cells, params, draft.served.get(key))
            held = fragment_of(shown, with_face=with_faces)
        fragments[cluster.number] = held
    for provisional in draft.provisional:
        if provisional.last == provisional.first or provisional.number is None:
            continue
        held = ready.get(provisional.number)
        if held is None or draft.provisional_changed:
            held = fragment_of(provisional_view(old.pet_id, provisional, draft.chunks, params), with_face=with_faces)
        fragments[provisional.number] = held
    return fragments


def _expired(draft: Draft) -> set[str]:
    """Images that are only a tombstone, and that too old to be of use. Of too many the older half, too: if it were one,
    each removal would have to read all rows.
    """
    params = draft.params
    oldest = draft.newest.ms - params.tombstone_days * _DAY_MS
    every = sorted((row.removed, name) for name, row in draft.all_rows().items() if row.removed and row.is_tombstone)
    kept = [each for each in every if each[0][0] >= oldest]
    if len(kept) > params.most_tombstones:
        kept = kept[-(params.most_tombstones // 2) :]
        draft.changes.tombstones_dropped += len(every) - len(kept)
    draft.counters = structs.replace(draft.counters, tombstones=len(kept))
    return {name for _, name in every[: len(every) - len(kept)]}
