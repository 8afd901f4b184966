"""A storage service for tests: the upstream contract over albums in memory, which can be told to misbehave.

    async with StorageService.serving(albums) as service:
        settings.insights.url = service.url

As a process, with labelled albums of a file or made-up ones, and another port and token where that is asked for:

    python -m tests.insights.storage_service --albums pets-dev.npz --port 9100 --token t

It is told of its faults, and asked what it saw, over HTTP too: POST and GET /control, with the fields of `Faults`.
"""

# ruff: noqa: T201 - as a process it prints where it listens

import argparse
import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from sploot_clusterd.evaluate.albums import LabelledAlbum, read_albums
from tests.engine.synthetic import Fleet

TOKEN = "a-token-of-the-storage-service"
MODEL = "insights@1"
Kept = Mapping[str, Any]
"""An image's insight, as it is answered."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Shares are of the requests, 0 to 1."""

    seconds: float = 0.0
    """How long each answer takes."""
    failing: float = 0.0
    """Share that is answered 500."""
    resets: float = 0.0
    """Share that is answered by a closed connection."""
    lost: float = 0.0
    """Share whose connection is closed in the middle of the answer."""
    missing_first: int = 0
    """How often an image is answered 404 before it is there."""
    status: int = 0
    """What everything is answered, if it is not 0."""
    retry_after: str = ""
    """The header of such an answer."""
    drips: bool = False
    """Answers come a byte a second."""


@dataclass
class StorageService:
    """What is kept, what was asked, and what was told. `insights` by image, `pets` by pet."""

    insights: dict[str, bytes] = field(default_factory=dict)
    pets: dict[str, list[str]] = field(default_factory=dict)
    token: str = TOKEN
    faults: Faults = Faults()
    asked: Counter[str] = field(default_factory=Counter)
    """How often each image's insight was asked for."""
    lists: Counter[str] = field(default_factory=Counter)
    told: list[dict[str, Any]] = field(default_factory=list)
    answered: int = 0
    at_once: int = 0
    most_at_once: int = 0
    traceparents: list[str] = field(default_factory=list)
    """Those of its requests."""
    port: int = 0

    def keep(self, pet_id: str, image_id: str, insight: Kept) -> None:
        """From now on the image is known, and the pet's."""
        self.insights[image_id] = json.dumps({"source_image_id": image_id, **insight}).encode()
        self.pets.setdefault(pet_id, []).append(image_id)

    def keep_album(self, pet_id: str, album: LabelledAlbum) -> list[str]:
        """Every image of it; their ids in order of arrival."""
        image_ids = [f"{pet_id}_{at}" for at in range(len(album))]
        for at, image_id in enumerate(image_ids):
            self.keep(pet_id, image_id, insight_of(album, at))
        return image_ids

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    @asynccontextmanager
    async def serving(
        cls, albums: Iterable[LabelledAlbum] = (), *, port: int = 0, **fields: Any
    ) -> AsyncIterator[Self]:
        """Listens on loopback; `albums` are those of pets `pet-0`, `pet-1`, ..."""
        service = cls(**fields)
        for album in albums:
            service.keep_album(f"pet-{album.number}", album)
        runner = await service.start(port)
        try:
            yield service
        finally:
            await runner.cleanup()

    async def start(self, port: int = 0) -> web.AppRunner:
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.port = runner.addresses[0][1]
        return runner

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/internal/insights/{image_id}", self._guarded(self._insight))
        app.router.add_get("/internal/pets/{pet_id}/images-with-embeddings", self._guarded(self._images))
        app.router.add_post("/internal/insights", self._guarded(self._tell))
        app.router.add_get("/control", self._seen)
        app.router.add_post("/control", self._control)
        return app

    def _guarded(self, handler: Any) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.at_once += 1
            self.traceparents += request.headers.getall("traceparent", ())
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                if self.faults.seconds:
                    await asyncio.sleep(self.faults.seconds)
                if request.headers.get("Authorization") != f"Bearer {self.token}":
                    return web.json_response({"detail": "Unauthorized"}, status=401)
                return await self._sent(request, self._harmed(request) or await handler(request))
            finally:
                self.at_once -= 1

        return handle

    def _harmed(self, request: web.Request) -> web.Response | None:
        faults, drawn = self.faults, random.random()
        if faults.status:
            headers = {"Retry-After": faults.retry_after} if faults.retry_after else {}
            return web.Response(status=faults.status, headers=headers)
        if drawn < faults.failing:
            return web.json_response({"detail": "Internal Server Error"}, status=500)
        if drawn < faults.failing + faults.resets and request.transport:
            request.transport.abort()
        return None

    async def _sent(self, request: web.Request, answer: web.Response) -> web.StreamResponse:
        """As it is; or in drips, or half of it."""
        body = answer.body
        if not isinstance(body, bytes) or not (self.faults.drips or random.random() < self.faults.lost):
            self.answered += 1
            return answer
        response = web.StreamResponse(status=answer.status, headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        if self.faults.drips:
            for at in range(len(body)):
                await response.write(body[at : at + 1])
                await asyncio.sleep(1)
        await response.write(body[: len(body) // 2])
        if request.transport:
            request.transport.abort()
        return response

    async def _insight(self, request: web.Request) -> web.Response:
        image_id = request.match_info["image_id"]
        self.asked[image_id] += 1
        if image_id not in self.insights or self.asked[image_id] <= self.faults.missing_first:
            return web.json_response({"detail": "Not Found"}, status=404)
        return web.Response(body=self.insights[image_id], content_type="application/json")

    async def _images(self, request: web.Request) -> web.Response:
        pet_id = request.match_info["pet_id"]
        self.lists[pet_id] += 1
        return web.json_response({"image_ids": self.pets.get(pet_id, [])})

    async def _tell(self, request: web.Request) -> web.Response:
        self.told.append(await request.json())
        return web.json_response({"status": "ok"}, status=201)

    async def _seen(self, _: web.Request) -> web.Response:
        seen = {"answered": self.answered, "asked": self.asked, "lists": self.lists, "told": self.told}
        return web.json_response({**seen, "faults": asdict(self.faults), "most_at_once": self.most_at_once})

    async def _control(self, request: web.Request) -> web.Response:
        self.faults = replace(Faults(), **await request.json())
        return web.json_response(asdict(self.faults))


def insight_of(album: LabelledAlbum, at: int) -> Kept:
    """What the service would say of the album's image number `at`."""
    embedding = album.embedding[at].astype(float).tolist()
    quality = None if album.quality is None else float(album.quality[at])
    known = {"embedding": embedding, "quality_score": quality, "processor_version": MODEL}
    return {"has_embedding": any(embedding), "pose_category": None, "species": "cat", "tags": {"furry": True}, **known}


async def _serve(asked: argparse.Namespace) -> None:
    albums = read_albums(asked.albums) if asked.albums else Fleet(64).albums(asked.pets)
    async with StorageService.serving(albums[: asked.pets], port=asked.port, token=asked.token) as service:
        print(json.dumps({"url": service.url, "pets": len(service.pets), "images": len(service.insights)}), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--albums", type=Path, help="labelled albums, as `clusterd eval` reads them")
    parser.add_argument("--pets", type=int, default=200, help="at most so many of them (default: 200)")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=TOKEN)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
