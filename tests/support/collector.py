"""An OpenTelemetry collector: a real HTTP server that decodes what it is sent, and can be told to misbehave."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.waiting import eventually

PROTOBUF = "application/x-protobuf"


class Got(NamedTuple):
    """A span as it was sent; ids in hex, "" where there is none. `links` are pairs of a trace's and a span's id."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    began: int
    ended: int
    attributes: dict[str, Any]
    links: Sequence[tuple[str, str]]
    failed: bool
    resource: dict[str, Any]


@dataclass
class Collector:
    """Answers `status` after `delay` seconds, and says that it rejects so many spans of each request."""

    url: str = ""
    status: int = 200
    delay: float = 0.0
    rejects: int = 0
    requests: int = 0
    largest: int = 0
    """Bytes of a request."""
    spans: list[Got] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Names of those that it did not take."""
    connections: set[object] = field(default_factory=set)
    """By where they come from."""
    authorization: str = ""
    """Of the last request."""

    def named(self, name: str) -> list[Got]:
        """Those whose name begins so, by their begin."""
        return sorted((span for span in self.spans if span.name.startswith(name)), key=lambda span: span.began)

    async def has(self, *names: str, timeout: float = 10.0) -> None:
        """Waits until there is one of each name at least."""
        await eventually(lambda: all(map(self.named, names)), what=f"spans {names}", timeout=timeout)

    async def handle(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.connections.add(request.transport.get_extra_info("peername"))
        self.authorization = request.headers.get("Authorization", "")
        assert request.headers["Content-Type"] == PROTOBUF
        body = await request.read()
        self.largest = max(self.largest, len(body))
        message = ExportTraceServiceRequest.FromString(body)
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.status == 200:
            self.spans += _spans(message)
        else:
            self.refused |= {span.name for span in _spans(message)}
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = self.rejects
        return web.Response(status=self.status, body=answer.SerializeToString(), content_type=PROTOBUF)


@asynccontextmanager
async def collecting(tls: ssl.SSLContext | None = None) -> AsyncIterator[Collector]:
    """One that listens."""
    collector = Collector()
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/traces", collector.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        collector.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()


def connected(spans: Sequence[Got]) -> bool:
    """Whether they are one trace with one root, in which each other one's parent is there."""
    ids = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent_id not in ids]
    return len({span.trace_id for span in spans}) == 1 and len(roots) == 1


def _spans(message: ExportTraceServiceRequest) -> list[Got]:
    return [
        Got(
            span.name,
            span.kind,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.trace_state,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            _values(span.attributes),
            [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
            span.status.code == 2,
            _values(of_resource.resource.attributes),
        )
        for of_resource in message.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
