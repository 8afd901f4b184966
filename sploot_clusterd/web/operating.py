"""What those do who run the fleet."""

from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from sploot_clusterd import wire
from sploot_clusterd.config import HttpSettings
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.web.answers import Response, answer
from sploot_clusterd.web.backend import Halting
from sploot_clusterd.web.bodies import read_body

_LONGEST: Final = timedelta(days=7)


class Operating:
    """Those that tell the whole fleet."""

    def __init__(self, halting: Halting, http: HttpSettings, in_flight: InFlight) -> None:
        self._halting = halting
        self._http = http
        self._in_flight = in_flight

    async def pause(self, request: web.BaseRequest) -> Response:
        """No jobs are taken until then; submitting goes on."""
        asked = wire.decode_pause(await read_body(request, self._http, self._in_flight))
        now = datetime.now(UTC)
        until = asked.until if asked.until.tzinfo else asked.until.replace(tzinfo=UTC)
        if not now < until <= now + _LONGEST:
            raise BadJobError("invalid", "until: expected a time that is to come, within 7 days")
        await self._halting.begin(asked.reason, until)
        return answer({"status": "paused"})

    async def resume(self, _request: web.BaseRequest) -> Response:
        """Jobs are taken again."""
        return answer({"status": "resumed" if await self._halting.end() else "noop"})
