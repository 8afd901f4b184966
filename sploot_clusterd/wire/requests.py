"""What callers post: a body in, a checked request out; and the envelope in which the stream carries it."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from sploot_clusterd.checks import Limits, check_corrections, check_limits, insights
from sploot_clusterd.model import CorrectionsRequest, JobPayload, JobRequest, OutgoingEnvelope
from sploot_clusterd.wire.decoding import check_amount, check_nesting, decoded

_request: Final = msgspec.json.Decoder(JobRequest)
_corrections: Final = msgspec.json.Decoder(CorrectionsRequest)
_encoder: Final = msgspec.json.Encoder()


def decode_request(body: bytes, limits: Limits) -> JobRequest:
    """An HTTP body as a checked request. Raises BadJobError: `malformed` if it is no JSON, else `invalid`."""
    check_nesting(body)
    check_amount(body, limits)
    request = decoded(_request, body)
    check_limits(request, limits)
    for _ in insights(request, limits):  # vectors are unpacked to be checked; the consumer does it again
        pass
    return request


def decode_corrections(pet_id: str, body: bytes, limits: Limits) -> JobRequest:
    """The body of a pet's corrections as a checked job. Raises BadJobError, as above."""
    check_amount(body, limits)
    request = decoded(_corrections, body)
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
