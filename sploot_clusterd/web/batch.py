"""Many jobs in one request: a line each, and a line each in the answer."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from sploot_clusterd import wire
from sploot_clusterd.checks import Limits
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.web.answers import NDJSON, RefusedError, Reply, refusal_of
from sploot_clusterd.web.bodies import read_body
from sploot_clusterd.web.keys import DECODING, LIMITS, STORE

MOST_LINES: Final = 1000
"""Of a request. It keeps one request from holding up the others, and its answer from growing without bound."""
_encoder: Final = msgspec.json.Encoder()


class _Line(NamedTuple):
    """One that is not blank: its number in the body, and its job or why it has none."""

    number: int
    job_id: str = ""
    envelope: bytes = b""
    error: Exception | None = None


async def submit_batch(request: web.BaseRequest) -> Reply:
    """POST: jobs for the stream, in their order. 200 tells of each line whether Redis has it."""
    body = await read_body(request, NDJSON)
    if body.count(b"\n", 0, -1) >= MOST_LINES:
        raise RefusedError(422, f"a batch has at most {MOST_LINES} lines: send the others in another one")
    async with request[DECODING]:  # beside the loop: a thousand small jobs take as long as a large one
        lines = await asyncio.to_thread(_checked, body, request[LIMITS])
    if not lines:
        raise RefusedError(422, "a batch has at least one line, with a job in it")
    refusals = iter(await request[STORE].submit_all([line.envelope for line in lines if not line.error]))
    return _reply([line if line.error else line._replace(error=next(refusals)) for line in lines])


def _checked(body: bytes, limits: Limits) -> list[_Line]:
    return [_checked_line(n, text, limits) for n, text in enumerate(body.split(b"\n"), 1) if text.strip()]


def _checked_line(number: int, text: bytes, limits: Limits) -> _Line:
    try:
        job = wire.decode_request(text, limits)
    except BadJobError as error:
        return _Line(number, error=error)
    job_id = job.job_id or uuid.uuid4().hex
    return _Line(number, job_id, wire.encode_envelope(job, text, job_id, datetime.now(UTC)))


def _reply(lines: Sequence[_Line]) -> Reply:
    results: list[Mapping[str, Any]] = []
    headers: dict[str, str] = {}
    for line in lines:
        if line.error is None:
            results.append({"status": "accepted", "job_id": line.job_id})
            continue
        refused = refusal_of(line.error)
        if refused is None:
            raise line.error
        headers.update(refused.headers)  # Retry-After, wherever a line may be sent again
        results.append({"detail": refused.detail, "line": line.number, "status": refused.status})
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Reply(200, _encoder.encode_lines(results), f"Content-Type: {NDJSON}\r\n{fields}")
