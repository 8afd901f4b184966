"""What callers may ask under /internal. Handlers return an answer or raise; `routing` does the rest."""

import asyncio
import re
import uuid
from datetime import UTC, datetime
from typing import Final

from aiohttp import hdrs, web

from sploot_clusterd import wire
from sploot_clusterd.model import ID_PATTERN, NAMED_ID_PATTERN, JobRequest
from sploot_clusterd.web.answers import JSON, RefusedError, Reply, answer
from sploot_clusterd.web.bodies import read_body
from sploot_clusterd.web.keys import DECODING, ETAGS, LIMITS, PET_ID, STORE

_ID: Final = re.compile(ID_PATTERN)
_NAMED_ID: Final = re.compile(NAMED_ID_PATTERN)
_LARGE: Final = 256 * 1024
"""Bytes. Below it decoding takes a millisecond or two, hardly more than to hand it to a thread."""


async def view(request: web.BaseRequest) -> Reply:
    """GET: the stored view, byte for byte, with a strong ETag of them."""
    pet_id = _pet_id(request)
    stored = await request[STORE].view(pet_id)
    if stored is None:
        raise RefusedError(404, "cluster state not found")
    etag = request[ETAGS].of(pet_id, stored)
    known = request.headers.getall(hdrs.IF_NONE_MATCH, ())
    if etag in known or (known and _names(",".join(known), etag)):
        return Reply(304, fields=f"{hdrs.ETAG}: {etag}\r\n")
    return Reply(200, stored, f"Content-Type: {JSON}\r\n{hdrs.ETAG}: {etag}\r\n")


async def submit(request: web.BaseRequest) -> Reply:
    """POST: a job for the stream. 202 means that Redis has it."""
    body = await read_body(request)
    job = await _decoded(body, request)
    job_id = job.job_id or uuid.uuid4().hex
    await request[STORE].submit(wire.encode_envelope(job, body, job_id, datetime.now(UTC)))
    return answer({"status": "accepted"}, 202)


async def correct(request: web.BaseRequest) -> Reply:
    """POST: a user's corrections, as a job for the stream. 202 means that Redis has it."""
    pet_id = _pet_id(request)
    if not _ID.match(pet_id):
        raise RefusedError(422, f"pet_id: jobs are taken of no pet called {pet_id}; it can be read and erased")
    job = wire.decode_corrections(pet_id, await read_body(request), request[LIMITS])
    if not await request[STORE].has_album(pet_id):
        raise RefusedError(404, "no job of this pet was applied yet: there is nothing to correct")
    job_id = job.job_id or uuid.uuid4().hex
    await request[STORE].submit(wire.encode_envelope(job, wire.encode_request(job), job_id, datetime.now(UTC)))
    return answer({"status": "accepted"}, 202)


async def invalidate(request: web.BaseRequest) -> Reply:
    """POST: drops the view; the album stays."""
    removed = await request[STORE].invalidate(_pet_id(request))
    return answer({"status": "removed" if removed else "noop"}, 202)


async def erase(request: web.BaseRequest) -> Reply:
    """DELETE: nothing is kept of the pet."""
    erased = await request[STORE].erase(_pet_id(request))
    return answer({"status": "erased" if erased else "noop"})


async def redis_health(request: web.BaseRequest) -> Reply:
    """GET: asks Redis now."""
    return answer({"status": "ok", "ping_ms": round(await request[STORE].ping(), 3)})


def _pet_id(request: web.BaseRequest) -> str:
    """The path's. `.` and `..` are taken, for there may be such pets from before, to be read and erased."""
    pet_id = request[PET_ID]
    longest = request[LIMITS].id_length
    if len(pet_id) > longest or not _NAMED_ID.match(pet_id):
        raise RefusedError(422, f"pet_id: expected 1 to {longest} of the characters A-Z a-z 0-9 . _ : -")
    return pet_id


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header's list has `etag`, weak or strong (RFC 9110, 13.1.2). Ours holds no comma to split at."""
    return if_none_match.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))


async def _decoded(body: bytes, request: web.BaseRequest) -> JobRequest:
    """The job in a body. A large one is decoded beside the loop, one at a time, so that readers wait half as long."""
    if len(body) < _LARGE:
        return wire.decode_request(body, request[LIMITS])
    async with request[DECODING]:
        return await asyncio.to_thread(wire.decode_request, body, request[LIMITS])
