"""The change feed, for other services."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from sploot_clusterd.changes import Page, Place
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.web.answers import RefusedError, Response, answer
from sploot_clusterd.web.backend import Changes
from sploot_clusterd.web.contract import FeedGone


class After(Struct):
    """The query."""

    partition: Annotated[int, Meta(ge=0)] = 0
    after: Place = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    wait: Annotated[float, Meta(ge=0.0, le=30.0)] = 0.0


class Feeding:
    """Those that need the feed alone."""

    def __init__(self, changes: Changes | None, in_flight: InFlight) -> None:
        """`changes` is None where the feed is off."""
        self._changes = changes
        self._in_flight = in_flight

    async def feed(self, _request: web.BaseRequest, asked: After) -> Response:
        """Events behind a place, as soon as there is one. 410 says that some of them are not here any more."""
        changes = self._changes
        if changes is None:
            raise RefusedError(501, "the feed is off: set feed.enabled (FEED_ENABLED) in every process")
        if asked.partition >= changes.partitions:
            raise BadJobError("invalid", f"partition: expected `int` <= {changes.partitions - 1}")
        found = await changes.read(asked.partition, asked.after, asked.limit)
        if asked.wait and found.is_whole and not found.events:
            with self._in_flight.client_awaited():
                await changes.wait_beyond(asked.partition, found.newest, asked.wait)
            found = await changes.read(asked.partition, asked.after, asked.limit)
        if not found.is_whole:
            detail = f"events after {asked.after} are not here any more: take `newest` for your place, read all views"
            return answer(FeedGone(detail, found.newest), 410)
        last = found.events[-1].id if found.events else asked.after
        return answer(Page(asked.partition, found.events, last, found.newest))
