"""From bytes of strangers to checked jobs: one decoder for both doors, HTTP bodies and stream entries.

What comes out is checked; what is wrong raises `BadJobError` with a text that names the field and what is allowed.
Nothing else may escape, whatever the bytes are.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from sploot_clusterd.checks import Limits, check_corrections, check_limits, insights, is_deeper
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import (
    CLUSTER_PATTERN,
    ID_PATTERN,
    OPS,
    TEXT_PATTERN,
    CorrectionsRequest,
    EntryId,
    Envelope,
    Job,
    JobPayload,
    JobRequest,
    OutgoingEnvelope,
)

T = TypeVar("T")


class _Form(msgspec.Struct):
    """Just enough of an entry's JSON to tell which of the accepted forms it has."""

    payload: Any = None
    fields: Any = None


class _Fields(msgspec.Struct):
    """A flat entry's fields in JSON: the form in which a dead letter of one can be replayed."""

    fields: dict[str, str]


_LONGEST_ERROR: Final = 512
_LEVELS: Final = 64
"""How deep a request may nest: ten times what the contract needs, and far from where a decoder gives up, which depends
on the interpreter and on who calls it. What one door takes the other must not refuse.
"""
_TOO_DEEP: Final = f"not JSON that can be read: lists and objects nested more than {_LEVELS} levels deep"
_TEXTS: Final = frozenset({"pet_id", "job_id", "reason", "model_version"})
_FORCE: Final = {"true": b"true", "1": b"true", "false": b"false", "0": b"false"}
_REQUEST_KEYS: Final = frozenset(JobRequest.__struct_fields__) - {"payload"}
_PAYLOAD_KEYS: Final = frozenset(JobPayload.__struct_fields__)

_request = msgspec.json.Decoder(JobRequest)
_corrections = msgspec.json.Decoder(CorrectionsRequest)
_envelope = msgspec.json.Decoder(Envelope)
_form = msgspec.json.Decoder(_Form)
_fields = msgspec.json.Decoder(_Fields)
_encoder = msgspec.json.Encoder()


def decode_request(body: bytes, limits: Limits) -> JobRequest:
    """An HTTP body as a checked request. Raises BadJobError: `malformed` if it is no JSON, else `invalid`."""
    _check_nesting(body)
    request = _decode(_request, body)
    check_limits(request, limits)
    for _ in insights(request, limits):  # vectors are unpacked to be checked; the consumer does it again
        pass
    return request


def decode_corrections(pet_id: str, body: bytes, limits: Limits) -> JobRequest:
    """The body of a pet's corrections as a checked job. Raises BadJobError, as above."""
    request = _decode(_corrections, body)
    check_corrections("corrections", request.corrections, pet_id, limits)
    check_limits(JobRequest(pet_id, request.job_id), limits)
    return JobRequest(pet_id, request.job_id, payload=JobPayload(corrections=request.corrections))


def encode_request(request: JobRequest) -> bytes:
    """The request as the body that says the same."""
    return _encoder.encode(request)


def encode_envelope(request: JobRequest, body: bytes, job_id: str, now: datetime) -> bytes:
    """What the stream carries of a checked request: its bytes as they came, in the reference's envelope."""
    stamp = now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return _encoder.encode(OutgoingEnvelope(job_id, request.pet_id, msgspec.Raw(body), f"{stamp}Z"))


def decode_entry(entry_id: EntryId, fields: Mapping[bytes, bytes], limits: Limits) -> Job:
    """A stream entry, in whichever accepted form, as a job. Raises BadJobError (malformed, invalid, mismatch)."""
    sequence = _first_id(entry_id, fields.get(b"first_id"))
    raw = fields.get(b"payload")
    request, job_id = _from_flat(_texts(fields)) if raw is None else _from_json(raw)
    check_limits(request, limits)
    payload = request.payload or JobPayload()
    return Job(
        pet_id=request.pet_id,
        job_id=job_id or str(sequence),
        sequence=sequence,
        force=bool(request.force),
        image_ids=payload.image_ids or (),
        labels=payload.labels or (),
        coverage=payload.coverage or {},
        quality_score=payload.quality_score,
        model_version=payload.model_version,
        images=tuple(insights(request, limits)),
        removed=payload.removed_image_ids or (),
        corrections=payload.corrections or (),
        trace=_trace(request.metadata),
    )


def flat_payload(fields: Mapping[bytes, bytes]) -> bytes:
    """A flat entry as JSON that `decode_entry` takes back, for its dead letter. No byte is lost, UTF-8 or not."""
    texts = {k.decode(errors="surrogateescape"): v.decode(errors="surrogateescape") for k, v in fields.items()}
    return json.dumps({"fields": texts}).encode()


def claimed_ids(fields: Mapping[bytes, bytes]) -> tuple[str, str]:
    """(pet_id, job_id) that a bad entry claims to have, to find and erase it by; empty where it names none."""
    try:
        raw = fields.get(b"payload")
        given = _texts(fields) if raw is None else msgspec.json.decode(raw)
    except (ValueError, RecursionError, BadJobError):
        return "", ""
    outer = _dict(_dict(given).get("fields")) or _dict(given)
    inner = _dict(outer.get("payload"))
    pet_id, job_id = (outer.get(key, inner.get(key)) for key in ("pet_id", "job_id"))
    return _short(pet_id), _short(job_id)


def first_place(entry_id: EntryId, fields: Mapping[bytes, bytes]) -> EntryId:
    """The place in the order that an entry has, whatever else is wrong with it: put back, it keeps its first one."""
    try:
        return _first_id(entry_id, fields.get(b"first_id"))
    except BadJobError:
        return entry_id


def other_pet(fields: Mapping[bytes, bytes]) -> str:
    """The pet that a mismatch's body names, where `claimed_ids` tells that of its envelope: to erase it by either."""
    given = _dict(msgspec.json.decode(fields.get(b"payload", b"null")))
    return _short(_dict(given.get("payload")).get("pet_id"))


def _from_json(raw: bytes) -> tuple[JobRequest, str | None]:
    """The request in `payload`, and its job id. Our own form is tried first: it is nearly all of the traffic."""
    try:
        envelope = _envelope.decode(raw)
    except (ValueError, RecursionError):
        form = _decode(_form, raw)
    else:
        _check_nesting(raw, around=1)
        return _opened(envelope)
    if form.fields is not None:
        return _from_flat(_decode(_fields, raw).fields)
    if isinstance(form.payload, dict) and not form.payload.keys().isdisjoint({"pet_id", "payload"}):
        _check_nesting(raw, around=1)
        return _opened(_decode(_envelope, raw))
    _check_nesting(raw)
    request = _decode(_request, raw)
    return request, request.job_id


def _opened(envelope: Envelope) -> tuple[JobRequest, str | None]:
    request = envelope.payload
    if envelope.pet_id != request.pet_id:
        raise BadJobError(
            "mismatch", f"pet_id: the envelope says {envelope.pet_id[:128]}, payload.pet_id {request.pet_id[:128]}"
        )
    return request, request.job_id or envelope.job_id


def _from_flat(texts: Mapping[str, str]) -> tuple[JobRequest, str | None]:
    """One field a key: texts as they are, everything else as JSON."""
    request: dict[str, Any] = {}
    payload: dict[str, Any] = {}
    for key, text in texts.items():
        home = request if key in _REQUEST_KEYS else payload if key in _PAYLOAD_KEYS else None
        if home is not None:
            home[key] = text if key in _TEXTS else msgspec.Raw(_flat_json(key, text))
    raw = _encoder.encode({**request, "payload": payload})
    _check_nesting(raw)
    decoded = _decode(_request, raw)
    return decoded, decoded.job_id


def _flat_json(key: str, text: str) -> bytes:
    if key == "force":
        try:
            return _FORCE[text.lower()]
        except KeyError:
            raise BadJobError("invalid", "force: expected true, false, 1 or 0") from None
    try:
        msgspec.json.decode(text)  # pasted in unread it could close the object and add keys of its own
    except (ValueError, RecursionError):
        raise BadJobError("malformed", f"{key}: expected JSON in this field of a flat entry") from None
    return text.encode()


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    try:
        return {key.decode(): value.decode() for key, value in fields.items() if key != b"first_id"}
    except UnicodeDecodeError:
        raise BadJobError("malformed", "the fields of a flat entry are UTF-8") from None


def _first_id(entry_id: EntryId, given: bytes | None) -> EntryId:
    """A replayed job keeps its first place in the order, and cannot take a later one than it has."""
    if given is None:
        return entry_id
    try:
        return min(EntryId.parse(given.decode()), entry_id)
    except ValueError:
        raise BadJobError("invalid", "first_id: expected a stream entry id, as in 1700000000000-0") from None


def _trace(metadata: Mapping[str, Any] | None) -> str | None:
    trace = (metadata or {}).get("traceparent")
    return trace[:128] if isinstance(trace, str) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(value: object) -> str:
    return value[:128] if isinstance(value, str) else ""


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        _must_be_json(raw)  # the decoder stops at the first wrong type: what follows may be no JSON at all
        raise BadJobError("invalid", _explain(str(error))) from None
    except (ValueError, RecursionError):
        _must_be_json(raw)
        raise


def _check_nesting(raw: bytes, around: int = 0) -> None:
    """`around`: the levels of what the request is wrapped in."""
    if is_deeper(raw, _LEVELS + around):
        raise BadJobError("malformed", _TOO_DEEP)


def _must_be_json(raw: bytes) -> None:
    try:
        msgspec.json.decode(raw)
    except RecursionError:
        raise BadJobError("malformed", _TOO_DEEP) from None
    except ValueError as error:  # DecodeError and UnicodeDecodeError among them
        raise BadJobError("malformed", f"not JSON: {error}"[:_LONGEST_ERROR]) from None


_WHERE: Final = re.compile(r"^(?P<what>.*) - at `(?:key` in `)?\$\.?(?P<path>.*)`\Z", re.DOTALL)
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>\w+)`")
_ONE_OF_OPS: Final = f"expected {', '.join(OPS[:-1])} or {OPS[-1]}"
_RULES: Final = {
    CLUSTER_PATTERN: "a cluster's id as the view has it, pet_123-cluster-0",
    ID_PATTERN: "1 or more of the characters A-Z a-z 0-9 . _ : -",
    TEXT_PATTERN: "1 to 128 printable characters",
}


def _explain(text: str) -> str:
    """The decoder's message, field first: `payload.images[0].quality: expected ...`."""
    found = _WHERE.match(text)
    path, what = (found["path"], found["what"]) if found else ("", text)
    if missing := _MISSING.match(what):
        path, what = ".".join(filter(None, (path, missing["field"]))), "this field is required"
    if path.endswith(".op"):
        what = _ONE_OF_OPS
    for pattern, rule in _RULES.items():
        what = what.replace(f"`str` matching regex {pattern!r}", rule)
    return f"{path or 'the body'}: {what[:1].lower()}{what[1:]}"[:_LONGEST_ERROR]
