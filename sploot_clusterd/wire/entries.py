"""Stream entries: in any of the accepted forms in, a checked job out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.entry_ids import HIGHEST_ID, EntryId
from sploot_clusterd.envelopes import Envelope
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import (
    FetchedKind,
    Job,
    JobPayload,
    JobRequest,
)
from sploot_clusterd.snapshot import Restore
from sploot_clusterd.wire.decoding import decoded, must_be_json
from sploot_clusterd.wire.limits import check_limits
from sploot_clusterd.wire.size import check_amount, check_nesting
from sploot_clusterd.wire.vectors import insights


class _OwnEnvelope(Envelope, frozen=True, gc=False):
    """As we write it: its ids are the request's, where they are checked. Each check is a call of `re`."""

    pet_id: str
    job_id: str | None = None


class _Form(msgspec.Struct):
    """Just enough of an entry's JSON to tell which of the accepted forms it has."""

    payload: Any = None
    fields: Any = None


class _Fields(msgspec.Struct):
    """A flat entry's fields in JSON: the form in which a dead letter of one can be replayed."""

    fields: dict[str, str]


class _Told(NamedTuple):
    """What an entry tells: a request, its job id, what it is of what we fetched, where it goes back to, who sent it,
    and what trace it belongs to.
    """

    request: JobRequest
    job_id: str | None
    fetched: FetchedKind | None = None
    restore: Restore | None = None
    actor: str | None = None
    carried: Sequence[object] = ()


_LONGEST_NAME: Final = 64
_LONGEST_ACTOR: Final = 128
_TEXTS: Final = frozenset({"pet_id", "job_id", "reason", "model_version"})
_FORCE: Final = {"true": b"true", "1": b"true", "false": b"false", "0": b"false"}
_REQUEST_KEYS: Final = frozenset(JobRequest.__struct_fields__) - {"payload"}
_PAYLOAD_KEYS: Final = frozenset(JobPayload.__struct_fields__)

_request: Final = msgspec.json.Decoder(JobRequest)
_envelope: Final = msgspec.json.Decoder(Envelope)
_own: Final = msgspec.json.Decoder(_OwnEnvelope)
_form: Final = msgspec.json.Decoder(_Form)
CARRIED_ATTEMPTS: Final = b"carried_attempts"
"""The field with the attempts of an entry that another partition had before."""
_fields: Final = msgspec.json.Decoder(_Fields)
_encoder: Final = msgspec.json.Encoder()


def decode_entry(entry_id: EntryId, fields: Mapping[bytes, bytes], limits: LimitsSettings) -> Job:
    """A stream entry, in whichever accepted form, as a job. Raises BadJobError (malformed, invalid, mismatch)."""
    if entry_id == HIGHEST_ID:
        raise BadJobError("invalid", "the entry's id is the highest possible one: let Redis give the id (XADD ... *)")
    sequence = first_id(entry_id, fields.get(b"first_id"))
    raw = fields.get(b"payload")
    for name, value in fields.items():
        where = "the body" if name == b"payload" else name.decode(errors="replace")[:_LONGEST_NAME]
        check_amount(value, limits, where, wrapped=True)
    told = _Told(*_from_flat(texts(fields))) if raw is None else _from_json(raw)
    request = told.request
    check_limits(request, limits)
    payload = request.payload or JobPayload()
    return Job(  # of 19 names each call would look at every one
        request.pet_id,
        told.job_id or str(sequence),
        sequence,
        bool(request.force),
        payload.image_ids or (),
        payload.labels or (),
        payload.coverage or {},
        payload.quality_score,
        payload.model_version,
        tuple(insights(request, limits)),
        payload.removed_image_ids or (),
        payload.corrections or (),
        _trace(request.metadata),
        told.carried or _carried(request.metadata),
        fetched=told.fetched,
        restore=told.restore,
        actor=told.actor,
        seen=(payload.seen or {}) if not payload.anyway else {},
    )


def texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    """A flat entry's fields. Raises BadJobError if they are no UTF-8."""
    texts = {}
    for key, value in fields.items():
        if key in (b"first_id", CARRIED_ATTEMPTS):
            continue
        try:
            texts[key.decode()] = value.decode()
        except UnicodeDecodeError:
            where = key.decode(errors="replace")[:_LONGEST_NAME]
            raise BadJobError("malformed", f"{where}: the fields of a flat entry are UTF-8") from None
    return texts


def first_id(entry_id: EntryId, text: bytes | None) -> EntryId:
    """The place in the order: a replayed job keeps its first one, and cannot take a later one than it has.

    Raises BadJobError.
    """
    if text is None:
        return entry_id
    try:
        return min(EntryId.parse(text.decode()), entry_id)
    except ValueError:
        raise BadJobError("invalid", "first_id: expected a stream entry id, as in 1700000000000-0") from None


def _from_json(raw: bytes) -> _Told:
    """What `payload` tells. Our own form is tried first: it is nearly all of the traffic."""
    try:
        envelope = _decoded_envelope(raw)
    except (ValueError, RecursionError):
        form = decoded(_form, raw)
    else:
        check_nesting(raw, around=1)
        return _opened(envelope)
    if form.fields is not None:
        return _Told(*_from_flat(decoded(_fields, raw).fields))
    if isinstance(form.payload, dict) and not form.payload.keys().isdisjoint({"pet_id", "payload"}):
        check_nesting(raw, around=1)
        return _opened(decoded(_envelope, raw))
    check_nesting(raw)
    request = decoded(_request, raw)
    return _Told(request, request.job_id)


def _decoded_envelope(raw: bytes) -> Envelope:
    """Raises what the decoder does."""
    own = _own.decode(raw)
    is_ours = own.pet_id == own.payload.pet_id and own.job_id in (None, own.payload.job_id)
    return own if is_ours else _envelope.decode(raw)


def _opened(envelope: Envelope) -> _Told:
    request = envelope.payload
    if envelope.pet_id != request.pet_id:
        raise BadJobError(
            "mismatch", f"pet_id: the envelope says {envelope.pet_id[:128]}, payload.pet_id {request.pet_id[:128]}"
        )
    actor = envelope.actor[:_LONGEST_ACTOR] if isinstance(envelope.actor, str) else None
    carried = (envelope.traceparent, envelope.tracestate) if envelope.traceparent else ()
    return _Told(request, request.job_id or envelope.job_id, envelope.fetched, envelope.restore, actor, carried)


def _from_flat(texts: Mapping[str, str]) -> tuple[JobRequest, str | None]:
    """One field a key: texts as they are, everything else as JSON."""
    request: dict[str, Any] = {}
    payload: dict[str, Any] = {}
    for key, text in texts.items():
        home = request if key in _REQUEST_KEYS else payload if key in _PAYLOAD_KEYS else None
        if home is not None:
            home[key] = text if key in _TEXTS else msgspec.Raw(_flat_json(key, text))
    raw = _encoder.encode({**request, "payload": payload})
    check_nesting(raw)
    checked = decoded(_request, raw)
    return checked, checked.job_id


def _flat_json(key: str, text: str) -> bytes:
    if key == "force":
        try:
            return _FORCE[text.lower()]
        except KeyError:
            raise BadJobError("invalid", "force: expected true, false, 1 or 0") from None
    raw = text.encode()
    must_be_json(raw, within=key)  # pasted in unread it could close the object and add keys of its own
    return raw


def _carried(metadata: Mapping[str, Any] | None) -> Sequence[object]:
    return (metadata["traceparent"], metadata.get("tracestate")) if metadata and "traceparent" in metadata else ()


def _trace(metadata: Mapping[str, Any] | None) -> str | None:
    trace = (metadata or {}).get("traceparent")
    return trace[:128] if isinstance(trace, str) else None
