"""Fields of OTLP's messages, as bytes.

In Protocol Buffers a message is its fields one after the other. So what spans have in common is encoded once, by the
protocol's own classes, and put beside what is each one's own: ids and times, whose places and lengths never change.
"""

from functools import lru_cache
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from sploot_clusterd.spans import Kind, Sort

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
TRACE_ID: Final = bytes((_tag(Message.TRACE_ID_FIELD_NUMBER, _BYTES), 16))
"""What comes before a span's trace id, and so on."""
SPAN_ID: Final = bytes((_tag(Message.SPAN_ID_FIELD_NUMBER, _BYTES), 8))
PARENT_ID: Final = bytes((_tag(Message.PARENT_SPAN_ID_FIELD_NUMBER, _BYTES), 8))
BEGAN: Final = _tag(Message.START_TIME_UNIX_NANO_FIELD_NUMBER, _FIXED64)
ENDED: Final = _tag(Message.END_TIME_UNIX_NANO_FIELD_NUMBER, _FIXED64)
IDS_BYTES: Final = len(TRACE_ID) + 16 + len(SPAN_ID) + 8
_SPANS: Final = ScopeSpans.SPANS_FIELD_NUMBER
_SHORT: Final = 0x7F
"""The most that a length of one byte can say."""


@lru_cache(maxsize=1024)
def head(number: int, size: int) -> bytes:
    """What begins a field that is a message, a text or bytes of this size."""
    begun = [_tag(number, _BYTES)]
    while size > _SHORT:  # seven bits a byte, and whether more follow
        begun.append(size & _SHORT | _SHORT + 1)
        size >>= 7
    return bytes((*begun, size))


@lru_cache(maxsize=1024)
def begun_span(size: int) -> bytes:
    """What begins a span of a ScopeSpans."""
    return head(_SPANS, size)


@lru_cache(maxsize=1024)
def of_sort(sort: Sort) -> bytes:
    message: bytes = Message(name=sort.name, kind=_KINDS[sort.kind], flags=_SAMPLED).SerializeToString()
    told = b"".join(attribute(key, value) for key, value in sort.attributes.items())
    return message + told + (failed(sort.error) if sort.error else b"")


@lru_cache(maxsize=256)
def failed(error: str) -> bytes:
    return attribute("error.type", error) + _FAILED


def attribute(key: str, value: object) -> bytes:
    """Texts are ids, as a rule, so most are new; other values are the same again and again."""
    if not isinstance(value, str):
        return _measured(key, value)
    text = value.encode()
    return before_text(key, len(text)) + text


@lru_cache(maxsize=1024)
def before_text(key: str, size: int) -> bytes:
    """What begins the attribute of a text of so many bytes."""
    name: bytes = KeyValue(key=key).SerializeToString()
    value = head(AnyValue.STRING_VALUE_FIELD_NUMBER, size)
    begun = name + head(KeyValue.VALUE_FIELD_NUMBER, len(value) + size) + value
    return head(Message.ATTRIBUTES_FIELD_NUMBER, len(begun) + size) + begun


def before_state(size: int) -> bytes:
    """What begins a span's trace state."""
    return head(Message.TRACE_STATE_FIELD_NUMBER, size)


@lru_cache(maxsize=2048, typed=True)
def _measured(key: str, value: object) -> bytes:
    message: bytes = Message(attributes=[key_value(key, value)]).SerializeToString()
    return message


def key_value(key: str, value: object) -> KeyValue:
    match value:
        case bool():
            return KeyValue(key=key, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=key, value=AnyValue(double_value=value))
        case _:
            return KeyValue(key=key, value=AnyValue(string_value=str(value)))
