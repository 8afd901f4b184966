"""Back to a former version of a pet's clusters: the album of then is kept for a job, and the job is submitted."""

import time
import uuid
from typing import Final

from aiohttp import web

from sploot_clusterd import wire
from sploot_clusterd.config import HttpSettings, LimitsSettings
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.snapshot import Restore
from sploot_clusterd.web.answers import RefusedError, Response, accepted
from sploot_clusterd.web.backend import Backend, Past
from sploot_clusterd.web.bodies import read_body
from sploot_clusterd.web.spans import UNTRACED, Sending

OFF: Final = "history is off: set history.url (DATABASE_URL) to a database"


class Restoring:
    """Those that need both the store and history."""

    def __init__(
        self, store: Backend, past: Past | None, http: HttpSettings, limits: LimitsSettings, in_flight: InFlight
    ) -> None:
        """`past` is None where history is off."""
        self._store = store
        self._past = past
        self._http = http
        self._limits = limits
        self._in_flight = in_flight

    async def restore(self, request: web.BaseRequest, pet_id: str) -> Response:
        """Makes a former version the newest one, by a job. 202 means that Redis has it."""
        wanted = wire.decode_restore(pet_id, await read_body(request, self._http, self._in_flight), self._limits)
        if self._past is None:
            raise RefusedError(501, OFF)
        # The place first: whatever erases the pet from now on takes it away, or has deleted what would be read.
        version = int(wanted.version)
        name = await self._store.reserve_snapshot(pet_id)
        if name is None:
            raise RefusedError(404, "the pet was erased")
        found = await self._past.album(pet_id, version)
        if found is None or found.version != version:
            nearest = f": the last one before it is of version {found.version}" if found else ""
            raise RefusedError(404, f"history has no album of version {version} of this pet{nearest}")
        if not await self._store.keep_snapshot(pet_id, name, found.snapshot):
            raise RefusedError(404, "the pet was erased meanwhile")
        job_id, restore = wanted.job_id or uuid.uuid4().hex, Restore(version, name)
        sending = Sending.of(request)
        context = sending.carried(pet_id) if sending else None
        envelope = wire.encode_restore(pet_id, job_id, restore, time.time(), context=context)
        with sending or UNTRACED:
            await self._store.submit(pet_id, envelope)
        return accepted()
