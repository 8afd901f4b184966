"""A store in memory, and a client that can send any bytes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sploot_clusterd.changes import Event, Events
from sploot_clusterd.config import SCOPES, Grant, Scope, Secret
from sploot_clusterd.errors import BacklogFullError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.past import PastClusters, PastVersions, Whereabouts
from sploot_clusterd.web import HttpServer, Tokens
from sploot_clusterd.web.route import PARAMETER, Route
from sploot_clusterd.web.routes import ROUTES
from tests.web.raw_corpus import TOKEN

JOBS = "/internal/cluster-jobs"
PET = "/internal/pets/{pet_id}"
CLUSTERS = "/internal/pets/pet_123/clusters"
ANOTHER = b',{"question":"belongs","image_id":"a","cluster":"pet_123-cluster-0","expected_gain":0.5,"image_ids":["a"]}'
SUGGESTED = [
    b'{"suggestions":[{"question":"same","clusters":["pet_123-cluster-0","pet_123-cluster-1"],"expected_gain":1.5}%s],'
    b'"version":7}' % more
    for more in (b"", ANOTHER)
]
"""One question, and two."""
VIEW = b'{"pet_id":"pet_123","clusters":[]}'
JOB = b'{"pet_id":"pet_123","job_id":"job_456","payload":{"image_ids":["img_001"]}}'
CORRECTING = (
    b'{"pet_id":"pet_123","payload":{"corrections":[{"op":"rename","cluster":"pet_123-cluster-0","label":"x"}]}}'
)
"""A job with corrections."""
CORRECTIONS = b'{"corrections":[{"op":"rename","cluster":"pet_123-cluster-0","label":"On the beach"}]}'


PAST = PastClusters("pet_123", 3, "a", "a.3", "1970-01-01T00:00:05.000Z", True, 0, 0, 0, [], [], None)
EVENT = Event("1-5000", 1, "1970-01-01T00:00:05.000Z", "", "erased", "pet_123", "a", "a.1", "", None)


IDS = {"pet_id": "pet_123", "version": "3", "image_id": "img_001"}


def path_of(route: Route[Any]) -> str:
    """With ids in the places of its parameters."""
    return PARAMETER.sub(lambda each: IDS[each[1]], route.path)


GUARDED = [(route.method, path_of(route)) for route in ROUTES if route.guarded]
"""Method and path of each route that wants a token."""


def tokens() -> Tokens:
    """One that is good for all, and one for each scope."""
    each = (Grant("", scope, frozenset({scope}), (Secret(token_for(scope)),)) for scope in SCOPES)
    return Tokens([Secret(TOKEN)], each)


def token_for(scope: Scope) -> str:
    """A token that is good for this alone."""
    return f"token-that-may-{scope}"


def body_for(path: str) -> bytes:
    """What a POST to the path may send."""
    return CORRECTIONS if path.endswith("/corrections") else JOB


@dataclass
class FakeStore:
    """The web's half of the store, who works out questions, who knows what changed, and what was.

    `error` is raised by whatever is called next; a batch has `room` before it.
    """

    views: dict[str, bytes] = field(default_factory=dict)
    jobs: list[bytes] = field(default_factory=list)
    error: Exception | None = None
    room: int = 0
    partitions: int = 2
    events: list[Event] = field(default_factory=lambda: [EVENT])
    asked: list[tuple[object, ...]] = field(default_factory=list)
    """Of history."""
    waited: list[tuple[int, str, float]] = field(default_factory=list)
    at_wait: Callable[[], None] = lambda: None

    async def view(self, pet_id: str) -> bytes | None:
        self._fail()
        return self.views.get(pet_id)

    async def suggestions(self, pet_id: str, limit: int) -> bytes | None:
        self._fail()
        return SUGGESTED[limit > 1] if pet_id in self.views else None

    async def read(self, partition: int, place: str, most: int) -> Events:
        """Its events are those of partition 1."""
        self._fail()
        events = self.events if partition == 1 else []
        places = ["", *(event.id for event in events)]
        found = events[places.index(place) :] if place in places else []
        return Events(found[:most], places[-1], place in places)

    async def latest(self, pet_id: str) -> PastClusters | None:
        self._fail()
        return PAST if pet_id in self.views else None

    async def version(self, pet_id: str, number: int) -> PastClusters | None:
        self._fail()
        return PAST if pet_id in self.views and number == PAST.version else None

    async def versions(self, pet_id: str, before: str | None, at_ms: int | None, limit: int) -> PastVersions | None:
        self._fail()
        self.asked.append((before, at_ms, limit))
        return PastVersions(pet_id, [], None) if pet_id in self.views else None

    async def whereabouts(self, image_id: str, before: int | None, limit: int) -> Whereabouts | None:
        self._fail()
        self.asked.append((before, limit))
        return Whereabouts(image_id, [], None) if image_id == "img_001" else None

    async def wait_beyond(self, partition: int, newest: str, seconds: float) -> None:
        self.waited.append((partition, newest, seconds))
        self.at_wait()

    async def submit(self, _pet_id: str, payload: bytes) -> None:
        self._fail()
        self.jobs.append(payload)

    async def submit_all(self, jobs: Sequence[tuple[str, bytes]]) -> Sequence[Exception | None]:
        payloads = [payload for _, payload in jobs]
        if isinstance(self.error, BacklogFullError | StoreUnavailableError):
            taken = min(self.room, len(payloads))
            self.jobs += payloads[:taken]
            return [None] * taken + [self.error] * (len(payloads) - taken)
        self._fail()
        self.jobs += payloads
        return [None] * len(payloads)

    async def has_album(self, pet_id: str) -> bool:
        self._fail()
        return pet_id in self.views

    async def invalidate(self, pet_id: str) -> bool:
        self._fail()
        return self.views.pop(pet_id, None) is not None

    async def erase(self, pet_id: str) -> bool:
        self._fail()
        return self.views.pop(pet_id, None) is not None

    async def ping(self) -> float:
        self._fail()
        return 0.25

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


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


async def closed(reader: asyncio.StreamReader, seconds: float = 5.0) -> bytes:
    """What still comes until the server ends the connection."""
    try:
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionResetError:
        return b""  # closed while a byte of ours was on the way


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(head[0].split(" ")[1]), headers, body)


def raw(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request with the token, as bytes."""
    fields = {"Host": "x", "X-Internal-Token": TOKEN, "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


Serve = Callable[..., Awaitable[Service]]
