"""One pet's jobs and its stored state in, one commit out: pure computation, on the loop or in the pool."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sploot_clusterd.engine import (
    Album,
    Applied,
    Changes,
    NeedsAllRowsError,
    NeedsProfileError,
    Params,
    Profiles,
    Verdict,
    apply,
    decode_album,
    new_album,
    render,
    work_estimate,
)
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.ingest.book import Book
from sploot_clusterd.ingest.outcomes import Failure
from sploot_clusterd.model import EntryId, Job
from sploot_clusterd.store import Commit, Entry, Loaded

_SECONDS_A_BYTE = 1e-9
"""What decoding an album costs, roughly: a gigabyte a second."""


class Work(NamedTuple):
    entry: Entry
    job: Job


class Task(NamedTuple):
    """A pet's jobs and what was loaded for them. `album` is the one in memory if it is current; `all_rows` holds every
    row, where the plan asked for them.
    """

    pet_id: str
    works: Sequence[Work]
    loaded: Loaded
    album: Album | None
    all_rows: Mapping[str, bytes] | None = None


class Plan(NamedTuple):
    """What is to be committed for a pet, and which of its jobs failed. `applied` says, a work each, whether it changed
    anything; `album` is the state after it, None where the pet has none, `changes` what is new in it, if anything, and
    `moved` whether it moved to a newer profile. What it turned out to need is to be loaded, to plan again. `overtaken`:
    the album moved on meanwhile, and all has to begin anew.
    """

    pet_id: str
    commit: Commit
    works: Sequence[Work] = ()
    applied: Sequence[bool] = ()
    album: Album | None = None
    changes: Changes | None = None
    moved: bool = False
    failures: Sequence[Failure] = ()
    needs_all_rows: bool = False
    needs_profile: tuple[str, int] | None = None
    overtaken: bool = False


class Planner:
    """Applies jobs by one set of engine parameters, and the profiles of the book."""

    def __init__(self, params: Params, book: Book) -> None:
        self._params = params
        self._book = book

    def estimate(self, task: Task) -> float:
        """Seconds that `plan` will take, roughly."""
        stored = sum(map(len, task.loaded.fields.values())) if task.loaded.fields and task.album is None else 0
        album = task.album or new_album(task.pet_id)
        return work_estimate(album, [work.job for work in task.works]) + stored * _SECONDS_A_BYTE

    def plan(self, task: Task) -> Plan:
        """The commit that takes every work to an outcome. Raises nothing: what goes wrong is a failure of its job."""
        try:
            return self._planned(task)
        except NeedsAllRowsError:
            return Plan(task.pet_id, _commit(task, ()), needs_all_rows=True)
        except NeedsProfileError as error:
            return Plan(task.pet_id, _commit(task, ()), needs_profile=(error.model_version, error.generation))
        except BadStateError as error:
            errors: dict[EntryId, Exception] = {work.entry.id: error for work in _current(task)}
        except Exception as error:  # noqa: BLE001 - whatever a job provokes must not stop the others
            errors = self._culprits(task) or {work.entry.id: error for work in _current(task)}
        rest = [work for work in task.works if work.entry.id not in errors]
        failures = [Failure(w.entry, errors[w.entry.id], w.job) for w in task.works if w.entry.id in errors]
        plan = self.plan(task._replace(works=rest)) if rest else Plan(task.pet_id, _commit(task, ()))
        return plan._replace(failures=[*plan.failures, *failures])

    def failed(self, task: Task, error: Exception) -> Plan:
        """Nothing of the pet can be applied; what was accepted before an erasure is settled all the same."""
        current = _current(task)
        erased = [work for work in task.works if work not in current]
        failures = [Failure(work.entry, error, work.job) for work in current]
        return Plan(task.pet_id, _commit(task, erased), erased, [False] * len(erased), failures=failures)

    def _planned(self, task: Task) -> Plan:
        current = _current(task)
        if not current:  # all were accepted before the pet was erased
            return Plan(task.pet_id, _commit(task, task.works), task.works, [False] * len(task.works))
        album = _album(task)
        # With every row at hand a move costs nothing more.
        reading = self._book.read(album, at_once=task.all_rows is not None)
        applied = self._apply(task, album, current, reading.profiles)
        outcomes = iter(applied.outcomes)
        works: list[Work] = []
        changed: list[bool] = []
        failures: list[Failure] = []
        for work in task.works:
            outcome = next(outcomes) if _is_current(task, work) else None
            if outcome and outcome.error:
                failures.append(Failure(work.entry, outcome.error, work.job))
            else:
                works.append(work)
                changed.append(outcome is not None and outcome.verdict is Verdict.APPLIED)
        has_album = applied.changed or bool(task.loaded.token)
        wants_view = applied.changed or (has_album and not task.loaded.has_view)
        commit = Commit(
            task.pet_id,
            [work.entry.key for work in works],
            task.loaded.token,
            task.loaded.erased,
            version=applied.album.version if applied.changed else None,
            writes=applied.writes,
            deletes=applied.deletes,
            rows=applied.rows,
            dropped_rows=applied.dropped_rows,
            view=render(applied.album, self._params) if wants_view else b"",
            used_profiles=reading.used_profiles(applied.album),
            offers=self._book.offers(task.pet_id, applied.fresh) if applied.changed else (),
        )
        return Plan(
            task.pet_id,
            commit,
            works,
            changed,
            applied.album if has_album else None,
            applied.changes if applied.changed else None,
            _has_moved(album, applied.album),
            failures,
        )

    def _apply(self, task: Task, album: Album, works: Sequence[Work], profiles: Profiles) -> Applied:
        return apply(
            album,
            [work.job for work in works],
            task.loaded.rows if task.all_rows is None else task.all_rows,
            self._params,
            int(time.time() * 1000),
            profiles=profiles,
            complete=task.all_rows is not None or not task.loaded.token,
        )

    def _culprits(self, task: Task) -> dict[EntryId, Exception]:
        """The jobs that fail even alone, with their errors; empty where it takes several together."""
        album = _album(task)
        profiles = self._book.read(album, at_once=True).profiles._replace(adopt={})
        culprits: dict[EntryId, Exception] = {}
        for work in _current(task):
            try:
                self._apply(task, album, [work], profiles)
            except (NeedsAllRowsError, NeedsProfileError):
                continue
            except Exception as error:  # noqa: BLE001 - as above
                culprits[work.entry.id] = error
        return culprits


def _album(task: Task) -> Album:
    """Raises BadStateError."""
    if task.album is not None:
        return task.album
    return decode_album(task.pet_id, task.loaded.fields or {}) if task.loaded.token else new_album(task.pet_id)


def _has_moved(before: Album, after: Album) -> bool:
    both = before.spaces.keys() & after.spaces.keys()  # one whose last image has gone is gone
    return any(after.spaces[number].profile > before.spaces[number].profile for number in both)


def _current(task: Task) -> list[Work]:
    """The works that were accepted after the pet's last erasure."""
    return [work for work in task.works if _is_current(task, work)]


def _is_current(task: Task, work: Work) -> bool:
    return task.loaded.erased is None or work.job.sequence > task.loaded.erased


def _commit(task: Task, works: Sequence[Work]) -> Commit:
    return Commit(task.pet_id, [work.entry.key for work in works], task.loaded.token, task.loaded.erased)
