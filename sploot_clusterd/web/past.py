"""What was: versions of a pet's clusters, where an image was. From history's database."""

from datetime import datetime
from typing import Annotated, Final, TypeVar

from aiohttp import web
from msgspec import Meta, Struct

from sploot_clusterd.errors import BadJobError
from sploot_clusterd.past import EventId, encode
from sploot_clusterd.web.answers import RefusedError, Response
from sploot_clusterd.web.backend import Past
from sploot_clusterd.web.restoring import OFF

T = TypeVar("T")

Limit = Annotated[int, Meta(ge=1, le=1000)]
LARGEST_VERSION: Final = 10**15


class AskedVersions(Struct):
    """The query."""

    before: EventId | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    """In a query seconds since 1970 are taken for one, too."""
    limit: Limit = 100


class AskedStays(Struct):
    """The query."""

    before: Annotated[int, Meta(ge=1, le=LARGEST_VERSION)] | None = None
    limit: Limit = 100


class LookingBack:
    """Those that need history alone."""

    def __init__(self, past: Past | None) -> None:
        """`past` is None where history is off."""
        self._asked = past

    async def latest_clusters(self, _request: web.BaseRequest, pet_id: str) -> Response:
        """The newest version that history has: it is there too where the view expired."""
        return _answer(await self._past.latest(pet_id), "history has nothing of this pet")

    async def clusters_at_version(self, _request: web.BaseRequest, pet_id: str, version: str) -> Response:
        """A former version, or the newest."""
        number = _version(version)
        return _answer(await self._past.version(pet_id, number), f"history has no version {number} of this pet")

    async def clusters_history(self, _request: web.BaseRequest, pet_id: str, asked: AskedVersions) -> Response:
        """Versions, the newest first, a page at a time."""
        at_ms = None if asked.at is None else int(asked.at.timestamp() * 1000)
        found = await self._past.versions(pet_id, asked.before, at_ms, asked.limit)
        return _answer(found, "history has nothing of this pet")

    async def image_clusters(self, _request: web.BaseRequest, image_id: str, asked: AskedStays) -> Response:
        """Clusters that an image was in, the last first, a page at a time."""
        found = await self._past.whereabouts(image_id, asked.before, asked.limit)
        return _answer(found, "history has nothing of this image")

    @property
    def _past(self) -> Past:
        if self._asked is None:
            raise RefusedError(501, OFF)
        return self._asked


def _answer(found: object, missing: str) -> Response:
    if found is None:
        raise RefusedError(404, missing)
    return Response(200, encode(found))


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_VERSION):
        raise BadJobError("invalid", f"version: expected a whole number from 0 to {LARGEST_VERSION}")
    return int(text)
