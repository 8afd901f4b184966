"""Many jobs in one request: a line each, and a line each in the answer."""

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from sploot_clusterd import wire
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.web.answers import NDJSON, NO_STORE, RefusedError, Response, refusal_of
from sploot_clusterd.web.auth import missing
from sploot_clusterd.web.spans import Sending

MOST_LINES: Final = 1000
"""Of a request. It keeps one request from holding up the others, and its answer from growing without bound."""
_encoder: Final = msgspec.json.Encoder()


class Line(NamedTuple):
    """One that is not blank: its number in the body, and its job or why it has none."""

    number: int
    pet_id: str = ""
    job_id: str = ""
    envelope: bytes = b""
    error: Exception | None = None
    corrects: bool = False


def corrections_refused() -> RefusedError:
    """What is said of a job with corrections whose caller may submit, and not correct."""
    return missing("correct", " (the job has corrections)")


def check_length(body: bytes) -> None:
    """Raises RefusedError if there are too many lines, blank ones too."""
    if body.count(b"\n", 0, -1) >= MOST_LINES:
        raise RefusedError(422, f"a batch has at most {MOST_LINES} lines: send the others in another one")


def decode(
    body: bytes, limits: LimitsSettings, *, actor: str, may_correct: bool, sending: Sending | None = None
) -> list[Line]:
    """`may_correct`: whether jobs may have corrections, then as said by the `actor`; `sending` is told of each. Raises
    RefusedError if all lines are blank.
    """
    lines = [
        _decode_line(n, text, limits, actor=actor, may_correct=may_correct, sending=sending)
        for n, text in enumerate(body.split(b"\n"), 1)
        if text.strip()
    ]
    if not lines:
        raise RefusedError(422, "a batch has at least one line, with a job in it")
    return lines


def _decode_line(
    number: int,
    text: bytes,
    limits: LimitsSettings,
    *,
    actor: str,
    may_correct: bool,
    sending: Sending | None,
) -> Line:
    try:
        job = wire.decode_request(text, limits)
    except BadJobError as error:
        return Line(number, error=error)
    if job.corrects and not may_correct:
        return Line(number, error=corrections_refused())
    job_id = job.job_id or uuid.uuid4().hex
    context = sending.carried(job.pet_id, job.metadata) if sending else None
    envelope = wire.encode_envelope(job, text, job_id, time.time(), actor, context=context)
    return Line(number, job.pet_id, job_id, envelope, corrects=job.corrects)


def answer_lines(lines: Sequence[Line], refusals: Iterable[Exception | None]) -> Response:
    """`refusals` are the store's, one for each line that has an envelope, None where it was taken."""
    left = iter(refusals)
    results: list[Mapping[str, Any]] = []
    headers: dict[str, str] = {}
    for line in lines:
        error = line.error or next(left)
        if error is None:
            results.append({"status": "accepted", "job_id": line.job_id})
            continue
        refused = refusal_of(error)
        if refused is None:
            raise error
        headers.update(refused.headers)  # Retry-After, wherever a line may be sent again
        results.append({"detail": refused.detail, "line": line.number, "status": refused.status})
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Response(200, _encoder.encode_lines(results), f"Content-Type: {NDJSON}\r\n{NO_STORE}{fields}")
