"""The jobs of one call, one after the other. A job's corrections are of the album as it was shown: what groups images
anew comes after them.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sploot_clusterd.correcting import images_corrected
from sploot_clusterd.engine.as_seen import check_seen
from sploot_clusterd.engine.corrections import correct
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.fold import fold, what_is_missing
from sploot_clusterd.engine.groups import follow_settings, refresh
from sploot_clusterd.engine.label import relabel
from sploot_clusterd.engine.maintain import keep_cap, rebuild, rebuild_if_due
from sploot_clusterd.engine.memory import remember, remembered, says_otherwise
from sploot_clusterd.engine.place import refill
from sploot_clusterd.engine.provisional import regroup
from sploot_clusterd.engine.reclustering import recluster
from sploot_clusterd.engine.restoring import Snapshots, restore
from sploot_clusterd.engine.shown import Shown, forget_unseen, keep_heroes, keep_ids, number_strangers
from sploot_clusterd.engine.words import FOUNDED_ANEW, REBUILT
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import Job


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


def apply_jobs(draft: Draft, jobs: Sequence[Job], snapshots: Snapshots) -> tuple[Draft, list[Outcome]]:
    """The draft after the jobs, and what became of each. How jobs are spread over calls makes no difference."""
    outcomes: list[Outcome] = []
    for job in jobs:
        draft.checkpoint()
        draft.begin_job()
        shown = Shown(draft)
        draft, outcome = _apply_job(draft, job, snapshots)
        outcomes.append(outcome)
        applied = outcome.status is JobStatus.APPLIED
        went_back = applied and job.restore is not None
        if went_back:
            shown = Shown(draft)
        moves = draft.outdated and not went_back  # it is to be as it was; the next job moves it
        if moves or (applied and (job.force or draft.taken_back == FOUNDED_ANEW)):
            draft.need_all_rows()
            recluster(draft)
        elif draft.taken_back == REBUILT:
            for block in draft.blocks.values():
                rebuild(draft, block)
        draft.checkpoint()
        if moves or applied:
            _bring_up_to_date(draft, shown)
        if not draft.restored and (moves or (applied and job.corrections)):
            _go_on_from(draft, shown)
        forget_unseen(draft, shown)
    return draft, outcomes


def _apply_job(draft: Draft, job: Job, snapshots: Snapshots) -> tuple[Draft, Outcome]:
    """The draft after the job: the one given, unless its corrections may turn out to be stale, when all is undone."""
    if job.fetched:
        return draft, _take_fetched(draft, job)
    if remembered(draft, job) is not None:
        return draft, Outcome(JobStatus.REPEATED, says_otherwise=says_otherwise(draft, job))
    try:
        if job.restore:
            tried = restore(draft, job, job.restore, snapshots)
        elif job.corrections:
            tried = _corrected(draft, job)
        else:
            fold(tried := draft, job)
    except BadJobError as error:
        return draft, Outcome(JobStatus.REJECTED, error)
    remember(tried, job)
    return tried, Outcome(JobStatus.APPLIED)


def _take_fetched(draft: Draft, job: Job) -> Outcome:
    """What it says of images is said once, so its id need not be remembered. It always makes a new view where there is
    one, for that tells how many are still out; and it brings no pet back.
    """
    missing = what_is_missing(draft, job)
    if not (draft.newest > (0, 0) or missing.image_ids):
        return Outcome(JobStatus.REPEATED)
    try:
        fold(draft, missing)
    except BadJobError as error:
        return Outcome(JobStatus.REJECTED, error)
    draft.revision += 1
    return Outcome(JobStatus.APPLIED)


def _corrected(draft: Draft, job: Job) -> Draft:
    """A new draft after a job with corrections. Raises BadJobError.

    They are of the album as it was shown: until they are made nothing is grouped anew. They come before what else the
    job says, for that may move what they speak of; but those that speak of images that come with it come after it. What
    a user saw was seen before either.
    """
    check_seen(draft, job)
    named = set().union(*map(images_corrected, job.corrections))
    coming = {image.image_id for image in job.images if draft.row(image.image_id).vectors is None}
    coming.update(image_id for image_id in job.image_ids if not draft.row(image_id).exists)
    if named.isdisjoint(coming):
        try:
            return _in_turn(draft, lambda tried: correct(tried, job), lambda tried: fold(tried, job))
        except BadJobError:
            pass  # what they lack may be what the job brings
    return _in_turn(draft, lambda tried: fold(tried, job), lambda tried: correct(tried, job))


def _in_turn(draft: Draft, *steps: Callable[[Draft], None]) -> Draft:
    tried = draft.fork()
    tried.held = True
    for step in steps:
        step(tried)
    _let_go(tried)
    return tried


def _let_go(draft: Draft) -> None:
    """What corrections spoke of need not stay as it was any longer."""
    draft.held = False
    for block in draft.blocks.values():
        keep_cap(draft, block)


def _go_on_from(draft: Draft, shown: Shown) -> None:
    """Ids and heroes that a reader may have seen stay, whatever was in between."""
    if keep_ids(draft, shown):
        refresh(draft)
        relabel(draft)
    keep_heroes(draft, shown)


def _bring_up_to_date(draft: Draft, shown: Shown) -> None:
    """Brings everything up to date that follows from cells and lists, so that after each job the album is whole.

    Ids go on from what was `shown` before it.
    """
    follow_settings(draft)
    if draft.blocks:  # else nothing has vectors
        rebuild_if_due(draft)
        if not draft.restored:
            keep_ids(draft, shown)
        number_strangers(draft, shown)
        refill(draft)
        refresh(draft)
        relabel(draft)
        kept = {place.space for place in draft.hidden.values()}
        for number in [number for number, block in draft.blocks.items() if not block.ids and number not in kept]:
            del draft.blocks[number]
    if draft.provisional_changed:
        regroup(draft)
