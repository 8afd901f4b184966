"""A server over a store in memory, and a client that can send any bytes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession

from sploot_clusterd.config import SCOPES, Grant, Scope, Secret
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web import Auditor, HttpServer, Tokens
from sploot_clusterd.web.route import PARAMETER, Route
from sploot_clusterd.web.routes import ROUTES
from tests.web.fake_store import FakeStore
from tests.web.raw_corpus import TOKEN

JOBS = "/internal/cluster-jobs"
PET = "/internal/pets/{pet_id}"
CLUSTERS = "/internal/pets/pet_123/clusters"
VIEW = b'{"pet_id":"pet_123","clusters":[]}'
JOB = b'{"pet_id":"pet_123","job_id":"job_456","payload":{"image_ids":["img_001"]}}'
CORRECTING = (
    b'{"pet_id":"pet_123","payload":{"corrections":[{"op":"rename","cluster":"pet_123-cluster-0","label":"x"}]}}'
)
"""A job with corrections."""
RESTORE = b'{"version":3}'
CORRECTIONS = b'{"corrections":[{"op":"rename","cluster":"pet_123-cluster-0","label":"On the beach"}]}'


IDS = {"pet_id": "pet_123", "version": "3", "image_id": "img_001", "job_id": "pet_123", "cluster_id": "pet_123"}
IDS |= {"letter_id": "5000-0"}


def tokens() -> Tokens:
    """One that is good for all, and one for each scope."""
    each = (Grant("", scope, frozenset({scope}), (Secret(token_for(scope)),)) for scope in SCOPES)
    return Tokens([Secret(TOKEN)], each)


def token_for(scope: Scope) -> str:
    """A token that is good for this alone."""
    return f"token-that-may-{scope}"


def query_for(path: str) -> str:
    """What a GET of the path may have behind it, where it has to have something."""
    return "?q=pet_123" if path.endswith("/find") else ""


def body_for(path: str) -> bytes:
    """What a POST to the path may send."""
    if path.endswith("/pause"):
        return b'{"reason":"a deploy","until":"%s"}' % (datetime.now(UTC) + timedelta(hours=1)).isoformat().encode()
    if "/dead-letters/" in path:
        return b"{}" if "{" in path or "5000-0" in path else b'{"all":true}'
    return {"corrections": CORRECTIONS, "restore": RESTORE}.get(path.rpartition("/")[2], JOB)


def path_of(route: Route[Any]) -> str:
    """With ids that the fake store knows."""
    return PARAMETER.sub(lambda each: IDS[each[1]], route.path) + query_for(route.path)


GUARDED = [(route.method, path_of(route)) for route in ROUTES if route.guarded]
"""Method and path of each route that wants a token."""


class FakeFleet:
    """One that has three things to tell."""

    async def follow(self) -> AsyncIterator[object]:
        for n in range(3):
            yield {"n": n}
            await self.at_event()

    async def at_event(self) -> None:
        """What a test has happen between two events."""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Service:
    """A running server and what stands behind it."""

    server: HttpServer
    store: FakeStore
    tokens: Tokens
    metrics: Metrics
    health: Health
    in_flight: InFlight
    auditor: Auditor
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that ends with the test at the latest."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.writers.append(writer)
        return reader, writer

    async def send(self, data: bytes) -> Reply:
        """Sends bytes as they are and reads one answer, and no more."""
        reader, writer = await self.connect()
        writer.write(data)
        reply = await read_reply(reader)
        writer.close()
        return reply

    async def end(self) -> None:
        await self.server.stop()
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"media_cluster_{name}", labels) or 0.0


async def closed(reader: asyncio.StreamReader, seconds: float = 30.0) -> bytes:
    """What still comes until the server ends the connection."""
    try:
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionResetError:
        return b""  # closed while a byte of ours was on the way


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    async with asyncio.timeout(30):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(head[0].split(" ")[1]), headers, body)


async def ask(client: ClientSession, method: str, path: str, **more: Any) -> tuple[int, Any]:
    """The status and the JSON of the answer."""
    async with client.request(method, path, **more) as answer:
        assert answer.content_type == "application/json"
        return answer.status, json.loads(await answer.read())


def raw(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request with the token, as bytes."""
    fields = {"Host": "x", "X-Internal-Token": TOKEN, "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


Serve = Callable[..., Awaitable[Service]]
