"""What callers may ask under /internal: a method a route. Each gives an answer or raises; `routing` does the rest."""

import asyncio
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from aiohttp import web

from sploot_clusterd import wire
from sploot_clusterd.config import HttpSettings, LimitsSettings
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.model import JobPayload, JobRequest
from sploot_clusterd.web import batch
from sploot_clusterd.web.answers import JSON, NDJSON, NO_STORE, RefusedError, Response, accepted, answer
from sploot_clusterd.web.auditing import will_correct
from sploot_clusterd.web.auth import actor_of, may
from sploot_clusterd.web.backend import Backend, Expired, Looks
from sploot_clusterd.web.bodies import read_body
from sploot_clusterd.web.etags import Etags
from sploot_clusterd.web.spans import UNTRACED, Sending

T = TypeVar("T")

_FORGOTTEN_WITHIN: Final = 2.0
"""Seconds until a DELETE says that history has still to follow."""
_LOOK_EVERY: Final = 0.05
_LARGE: Final = 256 * 1024
"""Bytes. Below it decoding takes a millisecond or two, hardly more than to hand it to a thread."""


class Handlers:
    """Those that need the store. A path's ids come checked."""

    def __init__(
        self,
        store: Backend,
        expired: Expired,
        http: HttpSettings,
        limits: LimitsSettings,
        in_flight: InFlight,
        *,
        looks: Looks,
        remembers: bool,
    ) -> None:
        """`remembers`: there is a history, which forgets erased pets too."""
        self._store = store
        self._remembers = remembers
        self._expired = expired
        self._looks = looks
        self._in_flight = in_flight
        self._http = http
        self._limits = limits
        self._etags = Etags()
        self._decoding = asyncio.Lock()

    async def view(self, request: web.BaseRequest, pet_id: str) -> Response:
        """The stored view, byte for byte, with a strong ETag of them. One that expired is stored again first."""
        stored = await self._store.view(pet_id)
        if stored is None:
            stored = await self._expired.revive(pet_id)
        if stored is None:
            raise RefusedError(404, "cluster state not found")
        return self._etags.answer(request, pet_id, stored)

    async def submit(self, request: web.BaseRequest) -> Response:
        """A job for the stream. 202 means that Redis has it."""
        body = await read_body(request, self._http, self._in_flight)
        if len(body) < _LARGE:
            job = wire.decode_request(body, self._limits)
        else:
            job = await self._beside_the_loop(wire.decode_request, body)
        if job.corrects:
            if not may(request, "correct"):
                raise batch.corrections_refused()
            will_correct(request, (job.pet_id,))
        return await self._accept(request, job, body)

    async def submit_batch(self, request: web.BaseRequest) -> Response:
        """Jobs for the stream, in their order. 200 tells of each line whether Redis has it."""
        body = await read_body(request, self._http, self._in_flight, NDJSON)
        batch.check_length(body)
        sending = Sending.of(request)
        decode = partial(batch.decode, actor=actor_of(request), may_correct=may(request, "correct"), sending=sending)
        lines = await self._beside_the_loop(decode, body)  # a thousand small jobs take as long as a large one
        will_correct(request, {line.pet_id for line in lines if line.corrects})
        with sending or UNTRACED:
            refusals = await self._store.submit_all([(line.pet_id, line.envelope) for line in lines if not line.error])
        return batch.answer_lines(lines, refusals)

    async def correct(self, request: web.BaseRequest, pet_id: str) -> Response:
        """A user's corrections, as a job for the stream. 202 means that Redis has it."""
        body = await read_body(request, self._http, self._in_flight)
        job, dry_run = wire.decode_corrections(pet_id, body, self._limits)
        if dry_run:
            return await self._preview(job)
        if not await self._store.has_album(pet_id):
            raise RefusedError(404, "no job of this pet was applied yet: there is nothing to correct")
        return await self._accept(request, job, wire.encode_request(job))

    async def _preview(self, job: JobRequest) -> Response:
        """What would come of the corrections. Nothing is changed."""
        payload = job.payload or JobPayload()
        try:
            found = await self._looks.preview(job.pet_id, payload)
        except BadJobError as error:
            raise RefusedError(409, error.detail) from None
        if found is None:
            raise RefusedError(404, "no job of this pet was applied yet: there is nothing to correct")
        return Response(200, found, f"Content-Type: {JSON}\r\n{NO_STORE}")

    async def invalidate(self, _request: web.BaseRequest, pet_id: str) -> Response:
        """Drops the view; the album stays."""
        removed = await self._store.invalidate(pet_id)
        return answer({"status": "removed" if removed else "noop"}, 202)

    async def erase(self, _request: web.BaseRequest, pet_id: str) -> Response:
        """Nothing is kept of the pet; 202 says that history, where there is one, has still to follow."""
        erased = await self._store.erase(pet_id)
        if self._remembers and not await self._is_forgotten(pet_id):
            return answer({"status": "pending"}, 202)
        return answer({"status": "erased" if erased else "noop"})

    async def _is_forgotten(self, pet_id: str) -> bool:
        """By history, within some time. Who writes it does so as soon as it hears of the erasure."""
        deadline = time.monotonic() + _FORGOTTEN_WITHIN
        with self._in_flight.client_awaited():
            while await self._store.is_erasing(pet_id):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(_LOOK_EVERY)
        return True

    async def redis_health(self, _request: web.BaseRequest) -> Response:
        """Asks Redis now."""
        return answer({"status": "ok", "ping_ms": round(await self._store.ping(), 3)})

    async def _accept(self, request: web.BaseRequest, job: JobRequest, body: bytes) -> Response:
        job_id = job.job_id or uuid.uuid4().hex
        sending = Sending.of(request, job.metadata)
        context = sending.carried(job.pet_id, job.metadata) if sending else None
        envelope = wire.encode_envelope(job, body, job_id, time.time(), actor_of(request), context=context)
        with sending or UNTRACED:
            await self._store.submit(job.pet_id, envelope)
        return accepted()

    async def _beside_the_loop(self, decode: Callable[[bytes, LimitsSettings], T], body: bytes) -> T:
        """Decodes a large body in a thread, one at a time, so that readers wait half as long."""
        async with self._decoding:
            return await asyncio.to_thread(decode, body, self._limits)
