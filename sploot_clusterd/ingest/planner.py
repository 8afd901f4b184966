"""One pet's jobs and its stored state in, one commit out: pure computation, on the loop or in the pool."""

import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from sploot_clusterd.changes import encode_told
from sploot_clusterd.engine import (
    Album,
    Applied,
    JobStatus,
    NeedsAllRowsError,
    NeedsProfileError,
    NeedsSnapshotError,
    Params,
    Profiles,
    apply,
    decode_album,
    new_album,
    news_of,
    recluster_estimate,
    render,
    work_estimate,
)
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.ingest.batch import Delivery, Failure
from sploot_clusterd.ingest.plan import JobResult, Lacking, NeedsProfile, NeedsRows, NeedsSnapshot, PetJobs, Ready
from sploot_clusterd.ingest.profiles import ProfileRegistry, Snapshot
from sploot_clusterd.ingest.scheduling import LARGE
from sploot_clusterd.ingest.wanting import Wanting
from sploot_clusterd.snapshot import decode_snapshot
from sploot_clusterd.store import Commit, InsightNews, Offer

_LACKING = (NeedsAllRowsError, NeedsProfileError, NeedsSnapshotError)
_SECONDS_A_BYTE = 1e-9
"""What decoding an album costs, roughly: a gigabyte a second."""
_SECONDS_A_BYTE_AGAIN = 4e-7
"""What clustering an album again costs, by its size without rows: 0.4 s a megabyte."""


class Planner:
    """Applies jobs by one set of engine parameters, and the profiles of the registry."""

    def __init__(
        self,
        params: Params,
        profiles: ProfileRegistry,
        wanting: Wanting | None = None,
        checkpoint: Callable[[], None] = lambda: None,
        *,
        feeds: bool = False,
    ) -> None:
        """`checkpoint` is called between the steps of what takes long; `feeds`: commits tell the feed of changes."""
        self._params = params
        self._profiles = profiles
        self._wanting = wanting
        self._checkpoint = checkpoint
        self._feeds = feeds

    def estimate(self, pet: PetJobs) -> float:
        """Seconds that `plan` will take, roughly."""
        stored = sum(map(len, pet.loaded.fields.values())) if pet.loaded.fields and pet.album is None else 0
        album = pet.album or new_album(pet.pet_id)
        return work_estimate(album, [job for _, job in pet.jobs]) + stored * _SECONDS_A_BYTE

    def takes_long_with_rows(self, pet: PetJobs) -> bool:
        """Whether it is large work to cluster the album again from all its rows."""
        stored = sum(map(len, pet.loaded.fields.values())) if pet.loaded.fields else 0
        seconds = stored * _SECONDS_A_BYTE_AGAIN
        return (seconds if pet.album is None else recluster_estimate(pet.album)) > LARGE

    def plan(self, pet: PetJobs) -> Ready | Lacking:
        """The commit that takes every job to an outcome. Raises nothing: what goes wrong is a failure of its job."""
        try:
            return self._plan(pet)
        except _LACKING as error:
            return _lacking(pet, error)
        except BadStateError as error:
            return self.fail(pet, error)
        except Exception as error:  # noqa: BLE001 - whatever a job provokes must not stop the others
            culprits = self._culprits(pet)
            if not culprits:
                return self.fail(pet, error)
        failures = [Failure(*each, culprits[each.entry.id]) for each in pet.jobs if each.entry.id in culprits]
        rest = replace(pet, jobs=_behind(failures, [each for each in pet.jobs if each.entry.id not in culprits]))
        plan = self.plan(rest)
        every = [*plan.failures, *failures]
        return replace(plan, failures=every) if isinstance(plan, Ready) else plan._replace(failures=every)

    def fail(self, pet: PetJobs, error: Exception) -> Ready:
        """Nothing of the pet can be applied; what was accepted before an erasure is acknowledged all the same."""
        erased = [each for each in pet.jobs if not _is_current(pet, each)]
        failures = [Failure(*each, error) for each in pet.jobs if _is_current(pet, each)]
        return replace(_without_effect(pet, erased), failures=failures)

    def _plan(self, pet: PetJobs) -> Ready:
        current = _in_order(pet)
        if not current:
            return _without_effect(pet, pet.jobs)
        album = _album(pet)
        # With every row at hand a move costs nothing more.
        snapshot = self._profiles.snapshot(album, at_once=pet.all_rows is not None)
        applied = self._apply(pet, album, current, snapshot.profiles)
        self._checkpoint()
        results, failures = _results(pet, current, applied)
        return Ready(
            self._commit(pet, album, results, applied, snapshot),
            results,
            applied.album if applied.changed or pet.loaded.token else None,
            applied.changes if applied.changed else None,
            _has_moved(album, applied.album),
            failures,
        )

    def _apply(self, pet: PetJobs, album: Album, jobs: Sequence[Delivery], profiles: Profiles) -> Applied:
        return apply(
            album,
            [job for _, job in jobs],
            pet.loaded.rows if pet.all_rows is None else pet.all_rows,
            self._params,
            int(time.time() * 1000),
            profiles=profiles,
            complete=pet.all_rows is not None or not pet.loaded.token,
            with_wants=self._wanting is not None,
            with_faces=self._feeds,
            snapshots={name: None if raw is None else decode_snapshot(raw) for name, raw in pet.snapshots.items()},
            checkpoint=self._checkpoint,
        )

    def _commit(
        self, pet: PetJobs, album: Album, results: Sequence[JobResult], applied: Applied, snapshot: Snapshot
    ) -> Commit:
        new_version = applied.changed and applied.album.version != album.version
        needs_view = new_version or (pet.loaded.token and not pet.loaded.has_view)
        view = render(applied.album, self._params, with_wants=self._wanting is not None) if needs_view else b""
        insights: InsightNews | None = None
        if self._wanting is not None:
            view, insights = self._wanting.news(
                [each.delivery.job for each in results if each.changed],
                applied,
                view,
                is_new=not pet.loaded.token,
                view_before=lambda: render(album, self._params) if album.version else b"",
            )
        return Commit(
            pet.pet_id,
            [each.delivery.entry.key for each in results],
            pet.loaded.token,
            pet.loaded.erased,
            version=applied.album.version if applied.changed else None,
            writes=applied.writes,
            deletes=applied.deletes,
            rows=applied.rows,
            dropped_rows=applied.dropped_rows,
            view=view,
            used_profiles=snapshot.used_profiles(applied.album),
            offers=self._offers(pet, applied) if applied.fresh and applied.changed else (),
            insights=insights,
            jobs=[(each.delivery.job.job_id, each.changed) for each in results if _is_current(pet, each.delivery)],
            change=self._change(album, applied.album, results) if self._feeds and applied.changed else None,
        )

    def _offers(self, pet: PetJobs, applied: Applied) -> Sequence[Offer]:
        return self._profiles.offers(pet.pet_id, applied.fresh, is_new=not pet.loaded.token)

    def _change(self, before: Album, after: Album, results: Sequence[JobResult]) -> bytes:
        jobs = [each.delivery.job.job_id for each in results if each.changed]
        return encode_told(news_of(before, after, jobs, self._params))

    def _culprits(self, pet: PetJobs) -> dict[EntryId, Exception]:
        """The jobs that fail even alone, with their errors; empty where it takes several together."""
        album = _album(pet)
        profiles = self._profiles.snapshot(album, at_once=True).profiles._replace(adopt={})
        culprits: dict[EntryId, Exception] = {}
        for each in pet.jobs:
            if not _is_current(pet, each):
                continue
            try:
                self._apply(pet, album, [each], profiles)
            except _LACKING:
                continue
            except Exception as error:  # noqa: BLE001 - as above
                culprits[each.entry.id] = error
        return culprits


def _lacking(pet: PetJobs, error: NeedsAllRowsError | NeedsProfileError | NeedsSnapshotError) -> Lacking:
    match error:
        case NeedsProfileError():
            return NeedsProfile(pet, error.model_version, error.generation)
        case NeedsSnapshotError():
            return NeedsSnapshot(pet, error.name)
        case _:
            return NeedsRows(pet)


def _album(pet: PetJobs) -> Album:
    """Raises BadStateError."""
    if pet.album is not None:
        return pet.album
    return decode_album(pet.pet_id, pet.loaded.fields or {}) if pet.loaded.token else new_album(pet.pet_id)


def _is_current(pet: PetJobs, delivery: Delivery) -> bool:
    """Whether the job was accepted after the pet's last erasure."""
    return pet.loaded.erased is None or delivery.job.sequence > pet.loaded.erased


def _in_order(pet: PetJobs) -> list[Delivery]:
    """What was accepted after the pet's last erasure, by places."""
    current = [_placed(pet, each) for each in pet.jobs if _is_current(pet, each)]
    return sorted(current, key=lambda each: each.job.sequence) if len(current) > 1 else current


def _behind(failures: Sequence[Failure], jobs: Sequence[Delivery]) -> list[Delivery]:
    """The jobs; those that repeat one that failed are to take its place."""
    firsts: dict[str, EntryId] = {}
    for _, job, _ in failures:
        if job is not None:
            firsts.setdefault(job.job_id, job.repeats or job.sequence)
    return [
        each._replace(job=each.job._replace(repeats=firsts[each.job.job_id])) if each.job.job_id in firsts else each
        for each in jobs
    ]


def _placed(pet: PetJobs, delivery: Delivery) -> Delivery:
    """A repeat takes the place of what it repeats, if that was accepted after the erasure, too."""
    first, erased = delivery.job.repeats, pet.loaded.erased
    if first is None or first >= delivery.job.sequence or (erased is not None and first <= erased):
        return delivery
    return delivery._replace(job=delivery.job._replace(sequence=first))


def _without_effect(pet: PetJobs, jobs: Sequence[Delivery]) -> Ready:
    commit = Commit(pet.pet_id, [each.entry.key for each in jobs], pet.loaded.token, pet.loaded.erased)
    return Ready(commit, [JobResult(each, changed=False) for each in jobs])


def _results(pet: PetJobs, current: Sequence[Delivery], applied: Applied) -> tuple[list[JobResult], list[Failure]]:
    """What became of each job, in the order of the stream; of `current` ones the engine says so."""
    outcomes = {each.entry.key: outcome for each, outcome in zip(current, applied.outcomes, strict=True)}
    results: list[JobResult] = []
    failures: list[Failure] = []
    for each in pet.jobs:
        outcome = outcomes.get(each.entry.key)
        if outcome and outcome.error:
            failures.append(Failure(*each, outcome.error))
        else:
            changed = outcome is not None and outcome.status is JobStatus.APPLIED
            results.append(JobResult(each, changed, outcome is not None and outcome.says_otherwise))
    return results, failures


def _has_moved(before: Album, after: Album) -> bool:
    now = after.spaces  # one whose last image has gone is gone
    return bool(before.spaces) and any(now[n].profile > space.profile for n, space in before.spaces.items() if n in now)
