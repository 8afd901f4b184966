"""What callers post: a body in, a checked request out; and the envelope in which the stream carries it."""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.envelopes import FetchedEnvelope, OutgoingEnvelope, RestoreEnvelope
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import (
    ID_PATTERN,
    NAMED_ID_PATTERN,
    CorrectionsRequest,
    FetchedKind,
    JobPayload,
    JobRequest,
    PauseRequest,
    RestoreRequest,
)
from sploot_clusterd.snapshot import Restore
from sploot_clusterd.spans import Context
from sploot_clusterd.timestamps import timestamp
from sploot_clusterd.wire.decoding import decoded
from sploot_clusterd.wire.limits import check_corrections, check_limits, check_seen
from sploot_clusterd.wire.size import check_amount, check_nesting
from sploot_clusterd.wire.vectors import insights

_request: Final = msgspec.json.Decoder(JobRequest)
_corrections: Final = msgspec.json.Decoder(CorrectionsRequest)
_pause: Final = msgspec.json.Decoder(PauseRequest)
_restore: Final = msgspec.json.Decoder(RestoreRequest)
_encoder: Final = msgspec.json.Encoder()
_id: Final = re.compile(ID_PATTERN)
_named_id: Final = re.compile(NAMED_ID_PATTERN)

_AFTER_PET: Final = len("-cluster-") + 15
"""What is behind the pet's id in that of a cluster."""

T = TypeVar("T")


def decode_request(body: bytes, limits: LimitsSettings) -> JobRequest:
    """An HTTP body as a checked request. Raises BadJobError: `malformed` if it is no JSON, else `invalid`."""
    check_nesting(body)
    check_amount(body, limits)
    request = decoded(_request, body)
    check_limits(request, limits)
    for _ in insights(request, limits):  # vectors are unpacked to be checked; the consumer does it again
        pass
    return request


def decode_corrections(pet_id: str, body: bytes, limits: LimitsSettings) -> tuple[JobRequest, bool]:
    """The body of a pet's corrections as a checked job, and whether it is only asked what would come of it.

    Raises BadJobError, as above.
    """
    if not _id.match(pet_id):
        raise BadJobError("invalid", f"pet_id: jobs are taken of no pet called {pet_id}; it can be read and erased")
    check_amount(body, limits)
    request = decoded(_corrections, body)
    check_corrections("corrections", request.corrections, pet_id, limits)
    check_seen("seen", request.seen or {}, pet_id, limits)
    check_limits(JobRequest(pet_id, request.job_id), limits)
    payload = JobPayload(corrections=request.corrections, seen=request.seen, anyway=request.anyway or None)
    return JobRequest(pet_id, request.job_id, payload=payload), request.dry_run


def decode_pause(body: bytes) -> PauseRequest:
    """The body of a pause. Raises BadJobError, as above."""
    check_nesting(body)
    return decoded(_pause, body)


def encode_request(request: JobRequest) -> bytes:
    """The request as the body that says the same."""
    return _encoder.encode(request)


def encode_envelope(
    request: JobRequest,
    body: bytes,
    job_id: str,
    now: float,
    actor: str | None = None,
    *,
    context: Context | None = None,
) -> bytes:
    """What the stream carries of a checked request: its bytes as they came, in the reference's envelope.

    `now` is in s since the epoch. Of one with corrections it tells who sent it, the `actor`; `context` is the span that
    sends it.
    """
    who = actor if actor is not None and request.corrects else UNSET
    carried = _carried(context)
    return _encoder.encode(
        OutgoingEnvelope(job_id, request.pet_id, msgspec.Raw(body), timestamp(int(now * 1000)), 0, who, *carried)
    )


def encode_fetched(
    request: JobRequest, job_id: str, kind: FetchedKind, now: float, *, context: Context | None = None
) -> bytes:
    """What the stream carries of a job that we made of a storage service's answers. `now` as above."""
    body = msgspec.Raw(encode_request(request))
    carried = _carried(context)
    return _encoder.encode(
        FetchedEnvelope(job_id, request.pet_id, body, timestamp(int(now * 1000)), 0, UNSET, *carried, fetched=kind)
    )


def decode_restore(pet_id: str, body: bytes, limits: LimitsSettings) -> RestoreRequest:
    """The body that asks for a former version of the pet. Raises BadJobError, as above."""
    if not _id.match(pet_id):
        raise BadJobError("invalid", f"pet_id: jobs are taken of no pet called {pet_id}; it can be read and erased")
    check_amount(body, limits)
    request = decoded(_restore, body)
    check_limits(JobRequest(pet_id, request.job_id), limits)
    return request


def encode_restore(pet_id: str, job_id: str, restore: Restore, now: float, *, context: Context | None = None) -> bytes:
    """What the stream carries of a job that goes back to a former version. `now` as above."""
    body = msgspec.Raw(encode_request(JobRequest(pet_id, job_id, reason="restore")))
    carried = _carried(context)
    return _encoder.encode(
        RestoreEnvelope(job_id, pet_id, body, timestamp(int(now * 1000)), 0, UNSET, *carried, restore=restore)
    )


def _carried(context: Context | None) -> tuple[str | UnsetType, str | UnsetType]:
    """The traceparent and the tracestate of an envelope."""
    return (UNSET, UNSET) if context is None else (context.traceparent, context.state or UNSET)


def check_id(name: str, text: str, limits: LimitsSettings) -> None:
    """Raises BadJobError (`invalid`) if what a path holds in the place `name` is no id.

    `.` and `..` are taken, for there may be such pets from before, to be read and erased.
    """
    longest = limits.id_length + (_AFTER_PET if name == "cluster_id" else 0)
    if len(text) > longest or not _named_id.match(text):
        rule = f"expected 1 to {longest} of the characters A-Z a-z 0-9 . _ : -"
        raise BadJobError("invalid", f"{name}: {rule}")


def query_decoder(kind: type[T]) -> Callable[[Mapping[str, str]], T]:
    """Decodes a query string's parameters, the first of each name; raises BadJobError (`invalid`)."""
    decoder = msgspec.json.Decoder(kind, strict=False)  # numbers and booleans are texts there

    def decode(query: Mapping[str, str]) -> T:
        try:
            raw = _encoder.encode(dict(query))
        except UnicodeEncodeError:  # bytes that are no UTF-8 reach us as surrogates
            raise BadJobError("invalid", "the query: expected UTF-8") from None
        return decoded(decoder, raw)

    return decode
