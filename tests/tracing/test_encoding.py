"""What is put together by hand is what the protocol's own classes read: ids, texts of any length, stages."""

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from sploot_clusterd.spans import OFF, Context, Kind, Sort, Span, Stage, Visit
from sploot_clusterd.tracing.encoding import Request

texts = st.text(max_size=40) | st.builds(lambda text, times: text * times, st.text(min_size=1), st.integers(1, 2000))
values = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
attributes = st.dictionaries(texts, values, max_size=4)
states = st.just("") | st.text("abc=,", min_size=1, max_size=400)
contexts = st.builds(
    Context, st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.just(True), states
)
sorts = st.builds(Sort, texts, st.sampled_from(Kind), attributes, texts)


def decoded(request: Request) -> list[Message]:
    message = ExportTraceServiceRequest.FromString(request.encoded())
    spans = [span for of in message.resource_spans for scope in of.scope_spans for span in scope.spans]
    assert len(spans) == request.size
    return spans


def told(span: Message) -> list[tuple[str, object]]:
    return [(each.key, getattr(each.value, each.value.WhichOneof("value"))) for each in span.attributes]


@given(contexts, sorts, attributes, texts, st.lists(contexts, max_size=3))
def test_a_span(context: Context, sort: Sort, more: dict, error: str, links: list[Context]):
    span = Span(OFF, sort, context=context, parent_id=b"", began=1.0)
    span.attributes, span.error, span.links, span.ended = more, error, links, 1.5
    request = Request({})
    assert request.add(span) == 1
    (read,) = decoded(request)
    assert (read.trace_id, read.span_id, read.parent_span_id) == (context.trace_id, context.span_id, b"")
    assert (read.name, read.trace_state, read.flags) == (sort.name, context.state, 1)
    assert read.end_time_unix_nano - read.start_time_unix_nano == 500_000_000
    assert [(each.trace_id, each.span_id, each.trace_state) for each in read.links] == [
        (each.trace_id, each.span_id, each.state) for each in links
    ]
    word = sort.error or error
    of_error = [("error.type", word)] if word else []
    assert sorted(map(repr, told(read))) == sorted(map(repr, [*sort.attributes.items(), *more.items(), *of_error]))


@given(st.lists(contexts, min_size=1, max_size=70), sorts, attributes)
def test_a_stage_is_below_each_of_its_parents(parents: list[Context], sort: Sort, more: dict):
    request = Request({"service.name": "clusters"})
    assert request.add(Stage(sort, 2.0, 3.0, parents, more)) == len(parents)
    spans = decoded(request)
    assert [(each.trace_id, each.parent_span_id, each.trace_state) for each in spans] == [
        (each.trace_id, each.span_id, each.state) for each in parents
    ]
    assert len({each.span_id for each in spans}) == len(parents)
    assert {each.name for each in spans} == {sort.name}
    assert all(len(told(each)) == len(sort.attributes) + len(more) + bool(sort.error) for each in spans)


@given(sorts, texts)
def test_a_visit_is_a_trace_by_itself(sort: Sort, pet: str):
    request = Request({})
    request.add(Visit(sort, 1.0, 1.25, pet))
    (read,) = decoded(request)
    assert (len(read.trace_id), len(read.span_id), read.parent_span_id) == (16, 8, b"")
    assert read.end_time_unix_nano - read.start_time_unix_nano == 250_000_000
    assert (("clusterd.pet", pet) in told(read)) is bool(pet)
