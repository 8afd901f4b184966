"""Spans as OTLP, for a fraction of what the SDK's own spans and exporter take."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from sploot_clusterd import __version__
from sploot_clusterd.spans import Context
from sploot_clusterd.tracing import fields
from sploot_clusterd.tracing.ended import EndedSpan
from sploot_clusterd.tracing.fields import PARENT_ID, SPAN_ID, TRACE_ID
from sploot_clusterd.tracing.rows import Rows, filled

_SCOPE: Final = "sploot_clusterd"
_times: Final = Struct("<BQBQ").pack


class Batch:
    """Spans of one request, as fields of a ScopeSpans, one behind the other, as they are added."""

    def __init__(self) -> None:
        self.size = 0
        """How many spans there are."""
        self.encoded = bytearray()
        # Spans are measured by a clock that is never set, the same in all processes; when it began is asked again for
        # each batch.
        self._epoch_ns = time.time_ns() - time.perf_counter_ns()

    def add(self, ended: EndedSpan | Rows) -> int:
        """How many bytes it was. What fails leaves nothing behind."""
        encoded = filled(ended, self._epoch_ns) if isinstance(ended, Rows) else self._span(ended)
        self.encoded += encoded
        self.size += ended.size
        return len(encoded)

    def _span(self, span: EndedSpan) -> bytes:
        context = span.context
        rest = [PARENT_ID, span.parent_id] if span.parent_id else []
        rest += self._times(span.began, span.ended), fields.of_sort(span.sort)
        rest += [fields.attribute(key, value) for key, value in span.attributes.items()]
        if context.state or span.links:
            rest.append(_rare(context.state, span.links))
        if span.error and not span.sort.error:
            rest.append(fields.failed(span.error))
        return b"".join((_begun(sum(map(len, rest))), context.trace_id, SPAN_ID, context.span_id, *rest))

    def _times(self, began: float, ended: float) -> bytes:
        """Nanoseconds since the epoch, of times by `time.perf_counter`."""
        return _times(fields.BEGAN, self._epoch_ns + int(began * 1e9), fields.ENDED, self._epoch_ns + int(ended * 1e9))


def request(resource: Mapping[str, object], batch: Batch) -> tuple[bytes, bytearray]:
    """An ExportTraceServiceRequest, in two parts. `resource` is what all spans of this process have in common."""
    scope = ScopeSpans(scope=InstrumentationScope(name=_SCOPE, version=__version__)).SerializeToString()
    attributes = [fields.key_value(key, value) for key, value in resource.items()]
    of_resource = ResourceSpans(resource=Resource(attributes=attributes)).SerializeToString()
    size = len(scope) + len(batch.encoded)
    of_resource += fields.head(ResourceSpans.SCOPE_SPANS_FIELD_NUMBER, size)
    head = fields.head(ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER, len(of_resource) + size)
    return head + of_resource + scope, batch.encoded


@lru_cache(maxsize=1024)
def _begun(size: int) -> bytes:
    """What comes before the trace's id, of a span that has `size` bytes behind its ids."""
    return fields.begun_span(fields.IDS_BYTES + size) + TRACE_ID


def _rare(state: str, links: Sequence[Context]) -> bytes:
    told = [
        Message.Link(trace_id=each.trace_id, span_id=each.span_id, trace_state=each.state, flags=int(each.sampled))
        for each in links
    ]
    message: bytes = Message(trace_state=state, links=told).SerializeToString()
    return message
