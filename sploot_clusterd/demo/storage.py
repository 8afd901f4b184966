"""The storage service that the demo's daemon asks: docs/insights.md has its contract. It knows the sample pets."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

from aiohttp import hdrs, web

from sploot_clusterd.demo.pets import MODEL, Pet, Photo

TOKEN: Final = "demo-token-of-the-storage-service"  # noqa: S105 - it guards made-up pets
_SECONDS: Final = 0.2
"""How long an answer takes: as long as one takes that comes from afar, so that the provisional view can be seen."""


class SampleStorage:
    """Serves on `listener`, a bound socket of loopback."""

    def __init__(self, pets: Sequence[Pet], listener: socket.socket) -> None:
        self._photos = {photo.image_id: photo for pet in pets for photo in pet.photos}
        self._lists = {pet.pet_id: pet.listed for pet in pets}
        self._listener = listener
        app = web.Application()
        app.router.add_get("/internal/insights/{image_id}", self._insight)
        app.router.add_get("/internal/pets/{pet_id}/images-with-embeddings", self._images)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def start(self) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _insight(self, request: web.Request) -> web.Response:
        await _admitted(request)
        photo = self._photos.get(request.match_info["image_id"])
        if photo is None:
            raise web.HTTPNotFound
        return web.json_response(_answer(photo))

    async def _images(self, request: web.Request) -> web.Response:
        await _admitted(request)
        return web.json_response({"image_ids": self._lists.get(request.match_info["pet_id"], [])})


async def _admitted(request: web.Request) -> None:
    if request.headers.get(hdrs.AUTHORIZATION) != f"Bearer {TOKEN}":
        raise web.HTTPUnauthorized
    await asyncio.sleep(_SECONDS)


def _answer(photo: Photo) -> dict[str, object]:
    return {
        "source_image_id": photo.image_id,
        "has_embedding": True,
        "embedding": photo.vector,
        "quality_score": photo.quality,
        "pose_category": photo.look,
        "processor_version": MODEL,
    }
