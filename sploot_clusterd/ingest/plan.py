"""What a pet's jobs come to: a commit, or what it takes first to make one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from sploot_clusterd.engine import Album, Changes
from sploot_clusterd.ingest.batch import Delivery, Failure
from sploot_clusterd.store import Commit, Loaded


class PetJobs(Struct, frozen=True, gc=False):
    """A pet's jobs, and the state that they meet. `album` is the one in memory if it is current; `all_rows` holds every
    row, and `snapshots` albums as they were by name (None of one that is gone), where the planner asked for them.
    """

    pet_id: str
    jobs: Sequence[Delivery]
    loaded: Loaded
    album: Album | None
    all_rows: Mapping[str, bytes] | None = None
    snapshots: Mapping[str, bytes | None] = {}


class JobResult(Struct, frozen=True, gc=False):
    """`changed` is False of a repetition, and of a job that was accepted before the pet was erased.

    `says_otherwise`: the album remembers another job under its id.
    """

    delivery: Delivery
    changed: bool
    says_otherwise: bool = False


class Ready(Struct, frozen=True, gc=False):
    """A commit, and what it makes of each of its jobs; nothing to commit where it has none.

    `album` is the state after it, None where the pet has none, `changes` what is new in it, if anything, and `moved`
    whether it moved to a newer profile.
    """

    commit: Commit
    jobs: Sequence[JobResult] = ()
    album: Album | None = None
    changes: Changes | None = None
    moved: bool = False
    failures: Sequence[Failure] = ()


class NeedsRows(NamedTuple):
    """Every row of the pet is to be loaded, to plan `rest` again: the jobs that have not failed."""

    rest: PetJobs
    failures: Sequence[Failure] = ()


class NeedsProfile(NamedTuple):
    """A profile is to be fetched, to plan `rest` again."""

    rest: PetJobs
    model_version: str
    generation: int
    failures: Sequence[Failure] = ()


class NeedsSnapshot(NamedTuple):
    """An album as it was is to be fetched, to plan `rest` again."""

    rest: PetJobs
    name: str
    failures: Sequence[Failure] = ()


class Overtaken(NamedTuple):
    """The album moved on meanwhile: the pet is to be loaded, and `rest` applied, anew."""

    rest: PetJobs
    failures: Sequence[Failure] = ()


Lacking = NeedsRows | NeedsProfile | NeedsSnapshot
Plan = Ready | Lacking | Overtaken
"""`failures` are those of jobs that are neither in the commit nor in the `rest`."""
