"""The jobs of one call in the order in which they take effect: their own, but that nothing is grouped anew before the
corrections, which are of the album as it was shown.
"""

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sploot_clusterd.engine.corrections import correct
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.fold import fold, remember, remembered
from sploot_clusterd.engine.groups import follow_settings, refresh
from sploot_clusterd.engine.label import relabel
from sploot_clusterd.engine.maintain import keep_cap, rebuild_if_due
from sploot_clusterd.engine.place import refill
from sploot_clusterd.engine.provisional import regroup
from sploot_clusterd.engine.reclustering import recluster
from sploot_clusterd.engine.shown import Shown, forget_unseen, keep_heroes, keep_ids
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import Job, images_corrected


class JobStatus(enum.Enum):
    APPLIED = "applied"
    REPEATED = "repeated"
    REJECTED = "rejected"


@dataclass(slots=True)
class Outcome:
    """What became of one job. REPEATED: it changed nothing. REJECTED: it never can be applied; `error` says why."""

    status: JobStatus
    error: BadJobError | None = None


def apply_jobs(draft: Draft, jobs: Sequence[Job]) -> tuple[Draft, list[Outcome]]:
    """The draft after the jobs, and what became of each.

    Corrections that turn out to be refused must not have changed when the rest took effect: then all is done again
    without waiting for them.
    """
    shown = Shown(draft)
    if not any(job.corrections for job in jobs):
        return _in_order(draft, jobs, set(), -1, shown)
    refused: set[int] = set()
    while True:
        tried, early = _correct_first(draft.fork(), jobs, refused)
        waiting = {at for at, job in enumerate(jobs) if job.corrections} - early - refused
        done, outcomes = _in_order(tried, jobs, early, max(waiting, default=-1), shown)
        rejected = {at for at, outcome in enumerate(outcomes) if outcome.status is JobStatus.REJECTED}
        more = {at for at in rejected - refused if jobs[at].corrections}
        if not more:
            return done, outcomes
        refused |= more


def _in_order(
    draft: Draft, jobs: Sequence[Job], early: Collection[int], held: int, shown: Shown
) -> tuple[Draft, list[Outcome]]:
    """Applies the jobs, of which those in `early` have made their corrections; nothing is grouped anew before the job
    in the place `held`. Ids and heroes go on from job to job, and in the end from what was `shown` before the call.

    One reclustering serves all jobs that ask for it, in the place of the last: it starts from the images anyway.
    """
    last = max(held, _last_force(draft, jobs))
    pending = False
    draft.held = held >= 0
    since = shown
    moves = draft.outdated and not draft.held
    if moves:
        recluster(draft)
    if moves or early:
        _bring_up_to_date(draft, since)
        since = Shown(draft)
    outcomes: list[Outcome] = []
    for at, job in enumerate(jobs):
        forces = job.force and remembered(draft, job) is None
        draft, outcome = _apply_job(draft, job, corrected=at in early)
        outcomes.append(outcome)
        draft.held = at < held
        if forces and outcome.status is JobStatus.APPLIED:
            draft.need_all_rows()
            pending = True
        if (pending and at == last) or (at == held and draft.outdated):
            recluster(draft)
            pending = pending and at < last
        elif outcome.status is not JobStatus.APPLIED and at != held:
            continue
        _bring_up_to_date(draft, since)
        if at + 1 < len(jobs):
            since = Shown(draft)
    if pending:  # asked for by the second copy of a job whose first copy was rejected
        recluster(draft)
        _bring_up_to_date(draft, since)
    if len(jobs) > 1 or moves or early:
        _go_on_from(draft, shown)
    return draft, outcomes


def _go_on_from(draft: Draft, shown: Shown) -> None:
    """Ids and heroes of the view before stay, whatever was in between."""
    if keep_ids(draft, shown):
        refresh(draft)
        relabel(draft)
    keep_heroes(draft, shown)
    forget_unseen(draft, shown)


def _correct_first(draft: Draft, jobs: Sequence[Job], refused: Collection[int]) -> tuple[Draft, set[int]]:
    """Makes corrections of the album as it was shown, before anything else can move what they speak of.

    Returns the draft and the places of their jobs. Those that speak of what comes with these jobs have to wait for it,
    and so do all after them, for of two corrections the later one counts.
    """
    first: set[int] = set()
    ids: set[str] = set()
    come: set[str] = set()
    named: set[str] = set()
    draft.held = True
    for at, job in enumerate(jobs):
        come |= {each.image_id for each in job.images if each.vectors and draft.row(each.image_id).vectors is None}
        if job.corrections and at not in refused and job.job_id not in ids and remembered(draft, job) is None:
            named.update(*map(images_corrected, job.corrections))
            if named & come or len(named) > draft.params.max_cells:  # each image may found a cell
                break
            tried = draft.fork()
            try:
                correct(tried, job)
            except BadJobError:
                break
            first.add(at)
            draft = tried
        ids.add(job.job_id)
    _let_go(draft)
    return draft, first


def _last_force(draft: Draft, jobs: Sequence[Job]) -> int:
    """The place of the last job that asks for a reclustering and was not applied before, in this call or another; -1 if
    there is none.
    """
    if not any(job.force for job in jobs):
        return -1
    places: dict[str, int] = {}
    for at, job in enumerate(jobs):
        if remembered(draft, job) is None:
            places.setdefault(job.job_id, at)
    return max((at for at in places.values() if jobs[at].force), default=-1)


def _apply_job(draft: Draft, job: Job, *, corrected: bool) -> tuple[Draft, Outcome]:
    """The draft after the job: the one given, unless corrections may yet turn out to be stale, when all is undone.

    A job that the album remembers takes its first place in the order, where nothing of it is new.
    """
    first = remembered(draft, job)
    before = draft.revision
    corrects = first is None and len(job.corrections) > 0 and not corrected
    tried = draft.fork() if corrects else draft
    try:
        tried.held |= corrects
        fold(tried, job, first or job.sequence)
        if corrects:
            correct(tried, job)
            _let_go(tried)
    except BadJobError as error:
        return draft, Outcome(JobStatus.REJECTED, error)
    if first is None:
        remember(tried, job.job_id, job.sequence)
    return tried, Outcome(JobStatus.REPEATED if tried.revision == before else JobStatus.APPLIED)


def _let_go(draft: Draft) -> None:
    """What corrections spoke of need not stay as it was any longer."""
    draft.held = False
    for block in draft.blocks.values():
        keep_cap(draft, block)


def _bring_up_to_date(draft: Draft, since: Shown) -> None:
    """Brings everything up to date that follows from cells and lists, so that after each job the album is whole.

    Ids go on from what was there at `since`.
    """
    follow_settings(draft)
    rebuild_if_due(draft)
    keep_ids(draft, since)
    refill(draft)
    refresh(draft)
    relabel(draft)
    if draft.provisional_changed:
        regroup(draft)
    for number in [number for number, block in draft.blocks.items() if not block.ids]:
        del draft.blocks[number]
