"""What is around a job in the stream. As the structs of `model`, they hold no cycles (gc=False)."""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sploot_clusterd.model import FetchedKind, Id, JobRequest
from sploot_clusterd.snapshot import Restore


class Envelope(Struct, frozen=True, gc=False):
    """The JSON in a stream entry's `payload`, as the reference producer writes it. Its `attempts` is not ours."""

    pet_id: Id
    payload: JobRequest
    job_id: Id | None = None
    attempts: Any = 0
    enqueued_at: Any = None
    actor: Any = None
    """Who sent it over HTTP, where it has corrections."""
    fetched: FetchedKind | None = None
    """Where we made it of what a storage service answered."""
    restore: Restore | None = None
    """Where it goes back to a former version."""
    traceparent: Any = None
    """Of the span that sent it, where that is traced; and its tracestate."""
    tracestate: Any = None


class OutgoingEnvelope(Struct, frozen=True, gc=False):
    """The envelope as we write it: the request's bytes go through as they came."""

    job_id: str
    pet_id: str
    payload: msgspec.Raw
    enqueued_at: str
    attempts: int = 0
    actor: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    tracestate: str | UnsetType = UNSET


class FetchedEnvelope(OutgoingEnvelope, frozen=True, gc=False, kw_only=True):
    """Around a job of what a storage service answered."""

    fetched: FetchedKind


class RestoreEnvelope(OutgoingEnvelope, frozen=True, gc=False, kw_only=True):
    """Around a job that goes back to a former version."""

    restore: Restore
