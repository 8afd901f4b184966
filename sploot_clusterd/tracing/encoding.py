"""Spans as OTLP, for a fraction of what the SDK's own spans and exporter take.

In Protocol Buffers a message is its fields one after the other. So what spans have in common is encoded once, by the
protocol's own classes, and put behind what is each one's own: ids and times, whose places and lengths never change.
"""

import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from sploot_clusterd import __version__
from sploot_clusterd.spans import PET, Context, Kind, Sort, Span, Stage, Visit, new_span_id, new_trace_id

_SCOPE: Final = "sploot_clusterd"
_SAMPLED: Final = 1
_KINDS: Final = {
    Kind.INTERNAL: Message.SPAN_KIND_INTERNAL,
    Kind.SERVER: Message.SPAN_KIND_SERVER,
    Kind.CLIENT: Message.SPAN_KIND_CLIENT,
    Kind.PRODUCER: Message.SPAN_KIND_PRODUCER,
    Kind.CONSUMER: Message.SPAN_KIND_CONSUMER,
}
_FAILED: Final = Message(status=Status(code=Status.STATUS_CODE_ERROR)).SerializeToString()


def _tag(number: int, wire_type: int) -> int:
    """What begins a field; of those up to 15 one byte."""
    return number << 3 | wire_type


_FIXED64, _BYTES = 1, 2
_IDS: Final = b"%c\x10%%b%c\x08%%b" % (
    _tag(Message.TRACE_ID_FIELD_NUMBER, _BYTES),
    _tag(Message.SPAN_ID_FIELD_NUMBER, _BYTES),
)
_PARENT: Final = b"%c\x08%%b" % _tag(Message.PARENT_SPAN_ID_FIELD_NUMBER, _BYTES)
_BEGAN: Final = _tag(Message.START_TIME_UNIX_NANO_FIELD_NUMBER, _FIXED64)
_ENDED: Final = _tag(Message.END_TIME_UNIX_NANO_FIELD_NUMBER, _FIXED64)
_times: Final = struct.Struct("<BQBQ").pack


class Request:
    """One request's spans, as they are added; `size` is how many there are."""

    def __init__(self, resource: Mapping[str, object]) -> None:
        """`resource` is what all spans of this process have in common."""
        self._resource = resource
        self._spans: list[bytes] = []
        # Spans are measured by a clock that is never set; when it began is asked again for each request.
        self._epoch_ns = time.time_ns() - time.perf_counter_ns()

    @property
    def size(self) -> int:
        return len(self._spans)

    def add(self, ended: Span | Stage | Visit) -> None:
        if isinstance(ended, Span):
            self._add_span(ended)
        elif isinstance(ended, Visit):
            self._add_visit(ended)
        else:
            self._add_stage(ended)

    def encoded(self) -> bytes:
        """An ExportTraceServiceRequest."""
        scope = ScopeSpans(scope=InstrumentationScope(name=_SCOPE, version=__version__))
        of_scope = [scope.SerializeToString(), *(_field(ScopeSpans.SPANS_FIELD_NUMBER, span) for span in self._spans)]
        attributes = [_key_value(key, value) for key, value in self._resource.items()]
        resource = ResourceSpans(resource=Resource(attributes=attributes)).SerializeToString()
        of_resource = resource + _field(ResourceSpans.SCOPE_SPANS_FIELD_NUMBER, b"".join(of_scope))
        return _field(ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER, of_resource)

    def _add_span(self, span: Span) -> None:
        context = span.context
        parts = [
            _IDS % (context.trace_id, context.span_id),
            _PARENT % span.parent_id if span.parent_id else b"",
            self._times(span.began, span.ended),
            _of_sort(span.sort),
            *_attributes(span.attributes.items()),
        ]
        if context.state or span.links:
            parts.append(_rare(context.state, span.links))
        if span.error and not span.sort.error:
            parts.append(_failed(span.error))
        self._spans.append(b"".join(parts))

    def _add_visit(self, visit: Visit) -> None:
        sort, began, ended, pet = visit
        ids = _IDS % (new_trace_id(), new_span_id())
        told = _attribute(PET, pet) if pet else b""
        self._spans.append(ids + self._times(began, ended) + _of_sort(sort) + told)

    def _add_stage(self, stage: Stage) -> None:
        """All but the ids is alike."""
        alike = b"".join(
            (
                self._times(stage.began, stage.ended),
                _of_sort(stage.sort),
                *_attributes(stage.attributes.items()),
            )
        )
        for parent in stage.parents:
            ids, below = _IDS % (parent.trace_id, new_span_id()), _PARENT % parent.span_id
            self._spans.append(ids + below + alike + (_rare(parent.state) if parent.state else b""))

    def _times(self, began: float, ended: float) -> bytes:
        """Nanoseconds since the epoch, of times by `time.perf_counter`."""
        return _times(_BEGAN, self._epoch_ns + int(began * 1e9), _ENDED, self._epoch_ns + int(ended * 1e9))


def _field(number: int, body: bytes) -> bytes:
    """A message in a message."""
    tag, left = _tag(number, _BYTES), len(body)
    if 0x7F < left < 0x4000:  # noqa: PLR2004 - nearly all of them
        return bytes((tag, left & 0x7F | 0x80, left >> 7)) + body
    head = [tag]
    while left > 0x7F:  # noqa: PLR2004 - seven bits a byte, and whether more follow
        head.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((*head, left)) + body


@lru_cache(maxsize=1024)
def _of_sort(sort: Sort) -> bytes:
    message: bytes = Message(name=sort.name, kind=_KINDS[sort.kind], flags=_SAMPLED).SerializeToString()
    told = b"".join(_attributes(sort.attributes.items()))
    return message + told + (_failed(sort.error) if sort.error else b"")


@lru_cache(maxsize=256)
def _failed(error: str) -> bytes:
    return _attribute("error.type", error) + _FAILED


def _rare(state: str, links: Sequence[Context] = ()) -> bytes:
    told = [
        Message.Link(trace_id=each.trace_id, span_id=each.span_id, trace_state=each.state, flags=int(each.sampled))
        for each in links
    ]
    message: bytes = Message(trace_state=state, links=told).SerializeToString()
    return message


def _attributes(pairs: Iterable[tuple[str, object]]) -> list[bytes]:
    return [_attribute(key, value) for key, value in pairs]


@lru_cache(maxsize=2048, typed=True)
def _attribute(key: str, value: object) -> bytes:
    """Most are the same again and again."""
    message: bytes = Message(attributes=[_key_value(key, value)]).SerializeToString()
    return message


def _key_value(key: str, value: object) -> KeyValue:
    match value:
        case bool():
            return KeyValue(key=key, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=key, value=AnyValue(double_value=value))
        case _:
            return KeyValue(key=key, value=AnyValue(string_value=str(value)))
