"""Spans as OTLP, for a fraction of what the SDK's own spans and exporter take.

In Protocol Buffers a message is its fields one after the other. So what spans have in common is encoded once, by the
protocol's own classes, and put behind what is each one's own: ids and times, whose places and lengths never change.
"""

import random
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from struct import Struct, calcsize, unpack
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from sploot_clusterd import __version__
from sploot_clusterd.spans import MESSAGE_ID, PET, Context, Ended, Kind, Sort, Span, Stage, Told, Visits

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
_TRACE_ID: Final = bytes((_tag(Message.TRACE_ID_FIELD_NUMBER, _BYTES), 16))
_SPAN_ID: Final = bytes((_tag(Message.SPAN_ID_FIELD_NUMBER, _BYTES), 8))
_PARENT_ID: Final = bytes((_tag(Message.PARENT_SPAN_ID_FIELD_NUMBER, _BYTES), 8))
_BEGAN: Final = _tag(Message.START_TIME_UNIX_NANO_FIELD_NUMBER, _FIXED64)
_ENDED: Final = _tag(Message.END_TIME_UNIX_NANO_FIELD_NUMBER, _FIXED64)
_times: Final = Struct("<BQBQ").pack
_SPANS: Final = ScopeSpans.SPANS_FIELD_NUMBER
_AFTER_TRACE_ID: Final = 16 + len(_SPAN_ID) + 8
_PARENT_BYTES: Final = len(_PARENT_ID) + 8
_TIMES_BYTES: Final = calcsize("<BQBQ")
_SHORT: Final = 0x7F
"""The most that a length of one byte can say."""


class Piece:
    """Some spans as fields of a ScopeSpans, one behind the other, as they are added."""

    def __init__(self) -> None:
        self.size = 0
        """How many spans there are."""
        self.encoded = bytearray()
        # Spans are measured by a clock that is never set; when it began is asked again for each piece.
        self._epoch_ns = time.time_ns() - time.perf_counter_ns()

    def add(self, ended: Told) -> int:
        """How many bytes it was. What fails leaves nothing behind."""
        if isinstance(ended, Visits):
            encoded = self._visits(ended)
        elif isinstance(ended, Stage):
            encoded = self._stage(ended)
        elif isinstance(ended, Ended):
            encoded = self._runs(ended)
        else:
            encoded = self._span(ended)
        self.encoded += encoded
        self.size += ended.size
        return len(encoded)

    def _span(self, span: Span) -> bytes:
        context = span.context
        rest = [_PARENT_ID, span.parent_id] if span.parent_id else []
        rest += self._times(span.began, span.ended), _of_sort(span.sort)
        rest += [_attribute(key, value) for key, value in span.attributes.items()]
        if context.state or span.links:
            rest.append(_rare(context.state, span.links))
        if span.error and not span.sort.error:
            rest.append(_failed(span.error))
        return b"".join((_begun(sum(map(len, rest))), context.trace_id, _SPAN_ID, context.span_id, *rest))

    def _runs(self, ended: Ended) -> bytes:
        """What is alike comes first. Most are first runs, and without a state: ids are all that is each one's own."""
        alike = self._times(ended.began, ended.ended) + _of_sort(ended.sort)
        encoded: list[bytes] = []
        for trace_id, span_id, sampled, state, parent_id, before, message_id, pet, _ in ended.runs:
            message, of_pet = _before_message(len(message_id)), _of_pet(pet)
            more = b""
            if parent_id:
                more += _PARENT_ID + parent_id
            if state or before:
                more += _rare(state, [Context(trace_id, before, sampled, state)] if before else ())
            size = len(alike) + len(message) + len(message_id) + len(of_pet) + len(more)
            encoded += _begun(size), trace_id, _SPAN_ID, span_id, alike, message, message_id, of_pet, more
        return b"".join(encoded)

    def _visits(self, visits: Visits) -> bytes:
        ids = unpack("16s8s" * visits.size, random.randbytes(24 * visits.size))  # noqa: S311 - as a span's
        encoded: list[bytes] = []
        for (sort, began, ended, pet), trace_id, span_id in zip(visits.visits, ids[::2], ids[1::2], strict=True):
            begun, alike = _of_visits(sort, pet)
            encoded += begun, trace_id, _SPAN_ID, span_id, self._times(began, ended), alike
        return b"".join(encoded)

    def _stage(self, stage: Stage) -> bytes:
        """All but the ids is alike, as most parents have no state: it comes first, and all spans are joined at once."""
        told = [_attribute(key, value) for key, value in stage.attributes.items()]
        alike = b"".join((self._times(stage.began, stage.ended), _of_sort(stage.sort), *told))
        own = unpack("8s" * len(stage.parents), random.randbytes(8 * len(stage.parents)))  # noqa: S311 - as a span's
        traces, parents, _, states, *_ = zip(*stage.parents, strict=True)
        begun = map(_before_ids, repeat(alike), states) if any(states) else repeat(_before_ids(alike))
        fields = begun, traces, repeat(_PARENT_ID), parents, repeat(_SPAN_ID), own
        return b"".join(chain.from_iterable(zip(*fields, strict=False)))

    def _times(self, began: float, ended: float) -> bytes:
        """Nanoseconds since the epoch, of times by `time.perf_counter`."""
        return _times(_BEGAN, self._epoch_ns + int(began * 1e9), _ENDED, self._epoch_ns + int(ended * 1e9))


def request(resource: Mapping[str, object], pieces: Sequence[Piece]) -> list[bytes | bytearray]:
    """An ExportTraceServiceRequest, in parts. `resource` is what all spans of this process have in common."""
    scope = ScopeSpans(scope=InstrumentationScope(name=_SCOPE, version=__version__)).SerializeToString()
    attributes = [_key_value(key, value) for key, value in resource.items()]
    of_resource = ResourceSpans(resource=Resource(attributes=attributes)).SerializeToString()
    size = len(scope) + sum(len(piece.encoded) for piece in pieces)
    of_resource += _head(ResourceSpans.SCOPE_SPANS_FIELD_NUMBER, size)
    head = _head(ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER, len(of_resource) + size)
    return [head + of_resource + scope, *(piece.encoded for piece in pieces)]


def _before_ids(alike: bytes, state: str = "") -> bytes:
    """All of a stage's span up to its trace's id."""
    more = _rare(state) if state else b""
    size = len(_TRACE_ID) + _AFTER_TRACE_ID + _PARENT_BYTES + len(alike) + len(more)
    return b"".join((_head(_SPANS, size), alike, more, _TRACE_ID))


@lru_cache(maxsize=1024)
def _begun(size: int) -> bytes:
    """What comes before the trace's id, of a span in a ScopeSpans that has `size` bytes behind its ids."""
    return _head(_SPANS, len(_TRACE_ID) + _AFTER_TRACE_ID + size) + _TRACE_ID


@lru_cache(maxsize=1024)
def _head(number: int, size: int) -> bytes:
    """What begins a field that is a message, a text or bytes of this size."""
    head = [_tag(number, _BYTES)]
    while size > _SHORT:  # seven bits a byte, and whether more follow
        head.append(size & _SHORT | _SHORT + 1)
        size >>= 7
    return bytes((*head, size))


@lru_cache(maxsize=4096)
def _of_visits(sort: Sort, pet: str) -> tuple[bytes, bytes]:
    """What comes before the trace's id, and what behind the times."""
    alike = _of_sort(sort) + (_of_pet(pet) if pet else b"")
    return _begun(_TIMES_BYTES + len(alike)), alike


@lru_cache(maxsize=1024)
def _of_sort(sort: Sort) -> bytes:
    message: bytes = Message(name=sort.name, kind=_KINDS[sort.kind], flags=_SAMPLED).SerializeToString()
    told = b"".join(_attribute(key, value) for key, value in sort.attributes.items())
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


def _attribute(key: str, value: object) -> bytes:
    """Texts are ids, as a rule, so most are new; other values are the same again and again."""
    if not isinstance(value, str):
        return _measured(key, value)
    return _text(key, value.encode())


def _text(key: str, text: bytes) -> bytes:
    return _before_text(key, len(text)) + text


@lru_cache(maxsize=4096)
def _of_pet(pet: str) -> bytes:
    return _attribute(PET, pet)


@lru_cache(maxsize=1024)
def _before_text(key: str, size: int) -> bytes:
    """What begins the attribute of a text of so many bytes."""
    name: bytes = KeyValue(key=key).SerializeToString()
    value = _head(AnyValue.STRING_VALUE_FIELD_NUMBER, size)
    begun = name + _head(KeyValue.VALUE_FIELD_NUMBER, len(value) + size) + value
    return _head(Message.ATTRIBUTES_FIELD_NUMBER, len(begun) + size) + begun


@lru_cache(maxsize=64)
def _before_message(size: int) -> bytes:
    """As most are of one length, this is found faster."""
    return _before_text(MESSAGE_ID, size)


@lru_cache(maxsize=2048, typed=True)
def _measured(key: str, value: object) -> bytes:
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
