"""Jobs into an album: the engine's one way to change anything."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sploot_clusterd.engine.album import Album
from sploot_clusterd.engine.algorithm import load_algorithm
from sploot_clusterd.engine.codec import encode_changes
from sploot_clusterd.engine.corrections import correct
from sploot_clusterd.engine.draft import Changes, Draft
from sploot_clusterd.engine.fold import fold
from sploot_clusterd.engine.groups import follow_settings, refresh
from sploot_clusterd.engine.label import label_of, relabel
from sploot_clusterd.engine.maintain import rebuild_if_due
from sploot_clusterd.engine.memory import remember, remembered, says_otherwise
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.place import refill
from sploot_clusterd.engine.profile import NO_PROFILES, Profiles
from sploot_clusterd.engine.provisional import regroup
from sploot_clusterd.engine.reclustering import recluster
from sploot_clusterd.engine.render import cluster_fragment, provisional_fragment, provisional_label, render
from sploot_clusterd.engine.rows import encode_row
from sploot_clusterd.engine.sample import Fresh
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import Job

_DAY_MS = 86_400_000


class JobStatus(enum.Enum):
    APPLIED = "applied"
    REPEATED = "repeated"
    REJECTED = "rejected"


@dataclass(slots=True)
class Outcome:
    """What became of one job. REPEATED: it changed nothing. REJECTED: it never can be applied; `error` says why."""

    status: JobStatus
    error: BadJobError | None = None
    says_otherwise: bool = False
    """The album remembers another job under its id."""


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
) -> Applied:
    """Applies the jobs in their order; how they are spread over calls makes no difference to clusters and rows.

    Only where several of them have `force`, the last one's reclustering serves all: what it makes of the images is the
    same, though ids, labels and heroes may go back to what was before, not to what the others would have made of it.

    `rows` holds the stored rows of the images named by the jobs, or, with `complete`, of all images. The album given is
    not changed. A space whose model version has another generation in `profiles.adopt` moves to it first.

    Raises NeedsAllRowsError if only `complete` will do, NeedsProfileError if a generation is not in `profiles`,
    BadStateError if a row cannot be read, ConfigError if the algorithm is not there.
    """
    draft = Draft(album, rows, params, load_algorithm(params.algorithm), profiles, complete=complete)
    draft, outcomes = _apply_jobs(draft, jobs)
    if not draft.revision and not any(outcome.status is JobStatus.APPLIED for outcome in outcomes):
        return Applied(album, outcomes, {}, [], changed=False, changes=draft.changes)
    updated = _freeze(draft, album, now_ms)
    if album.version and not draft.revision:
        updated = _as_it_was(album, updated, params)
    writes, deletes = encode_changes(album, updated)
    expired = _expired(draft) if complete else set()
    written = {
        image_id: raw
        for image_id, row in draft.rows.items()
        if image_id not in expired and (raw := encode_row(row)) != rows.get(image_id)
    }
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
    )


def _apply_jobs(draft: Draft, jobs: Sequence[Job]) -> tuple[Draft, list[Outcome]]:
    """One reclustering serves all jobs that ask for it, in the place of the last: it starts from the images anyway."""
    last = _last_force(draft, jobs)
    pending = False
    if draft.outdated:
        recluster(draft)
        _settle(draft)
    outcomes: list[Outcome] = []
    for at, job in enumerate(jobs):
        forces = job.force and remembered(draft, job) is None
        draft, outcome = _apply_job(draft, job)
        outcomes.append(outcome)
        if forces and outcome.status is JobStatus.APPLIED:
            draft.need_all_rows()
            pending = True
        if pending and at == last:
            recluster(draft)
            pending = False
        elif outcome.status is not JobStatus.APPLIED:
            continue
        _settle(draft)
    if pending:  # asked for by the second copy of a job whose first copy was rejected
        recluster(draft)
        _settle(draft)
    return draft, outcomes


def _last_force(draft: Draft, jobs: Sequence[Job]) -> int | None:
    """The place of the last job that asks for a reclustering and was not applied before, in this call or another."""
    if not any(job.force for job in jobs):
        return None
    places: dict[str, int] = {}
    for at, job in enumerate(jobs):
        if remembered(draft, job) is None:
            places.setdefault(job.job_id, at)
    return max((at for at in places.values() if jobs[at].force), default=None)


def _apply_job(draft: Draft, job: Job) -> tuple[Draft, Outcome]:
    """The draft after the job: the one given, unless corrections may yet turn out to be stale, when all is undone."""
    if remembered(draft, job) is not None:
        return draft, Outcome(JobStatus.REPEATED, says_otherwise=says_otherwise(draft, job))
    tried = draft.fork() if job.corrections else draft
    try:
        fold(tried, job)
        if job.corrections:
            correct(tried, job)
    except BadJobError as error:
        return draft, Outcome(JobStatus.REJECTED, error)
    remember(tried, job)
    return tried, Outcome(JobStatus.APPLIED)


def _settle(draft: Draft) -> None:
    """Brings everything up to date that follows from cells and lists, so that after each job the album is whole."""
    follow_settings(draft)
    rebuild_if_due(draft)
    refill(draft)
    refresh(draft)
    relabel(draft)
    if draft.provisional_changed:
        regroup(draft)
    for number in [number for number, block in draft.blocks.items() if not block.ids]:
        del draft.blocks[number]


def _as_it_was(album: Album, updated: Album, params: Params) -> Album:
    """What jobs that said nothing made of the album, under its old version, unless other settings changed its view."""
    same = replace(updated, version=album.version, updated_ms=album.updated_ms)
    return same if render(same, params) == render(album, params) else updated


def _freeze(draft: Draft, album: Album, now_ms: int) -> Album:
    return Album(
        album.pet_id,
        version=album.version + 1,
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
        segments=tuple(draft.segments),
        chunks=tuple(draft.chunks),
        provisional=draft.provisional,
        serving=draft.serving,
        fragments=_fragments(draft, album),
    )


def _fragments(draft: Draft, old: Album) -> dict[int, tuple[str, bytes]]:
    """Every shown cluster as JSON, by number; those of the old album where neither cluster nor label changed."""
    params = draft.params
    ready = old.fragments if old.serving == params.serving else {}
    fragments: dict[int, tuple[str, bytes]] = {}
    for key, cluster in draft.clusters.items():
        if not cluster.shown or cluster.number is None:
            continue
        label = label_of(cluster)
        held = ready.get(cluster.number)
        if held is None or held[0] != label or old.clusters.get(key) is not cluster:
            raw = cluster_fragment(old.pet_id, cluster, draft.cells, params, draft.served.get(key))
            held = (label, raw)
        fragments[cluster.number] = held
    for provisional in draft.provisional:
        if provisional.last == provisional.first or provisional.number is None:
            continue
        held = ready.get(provisional.number)
        if held is None or draft.provisional_changed:
            raw = provisional_fragment(old.pet_id, provisional, draft.chunks, params)
            held = (provisional_label(provisional), raw)
        fragments[provisional.number] = held
    return fragments


def _expired(draft: Draft) -> set[str]:
    """Images that are only a tombstone, and that too old to be of use."""
    oldest = draft.newest.ms - draft.params.tombstone_days * _DAY_MS
    return {
        image_id
        for image_id, row in draft.all_rows().items()
        if not row.exists and row.removed is not None and row.removed[0] < oldest
    }
