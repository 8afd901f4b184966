"""What became of jobs, as callers are told."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sploot_clusterd.errors import Reason
from sploot_clusterd.model import Id

Count = Annotated[int, Meta(ge=0)]
State = Literal["queued", "retrying", "applied", "dead"]


class JobState(Struct, gc=False):
    """What is known of one job; what does not go with its state is null."""

    job_id: Id
    state: State
    at: str
    """When that came to be so, RFC 3339."""
    version: Count | None = None
    """Of one that was applied: the view's, from which on it is in there; null where only a repetition is known."""
    attempts: Count | None = None
    """Of one that failed: how many runs did."""
    next_at: str | None = None
    """Of one that is to be tried again: when."""
    reason: Reason | None = None
    """Of a dead letter."""
    error: str | None = None


class Jobs(Struct):
    """Some of a pet's jobs, those that were heard of last first."""

    pet_id: Id
    jobs: list[JobState]
    next: str | None
    """Where the next page begins (`after`); null at the end."""
    complete: bool
    """Whether all that waits was looked through: else one that came by XADD may be missing."""
