"""What is put together by hand is what the protocol's own classes read: ids, texts of any length, runs, stages."""

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from sploot_clusterd.spans import OFF, Context, Ended, Run, Sort, Span, Stage
from sploot_clusterd.tracing.encoding import Batch, request
from sploot_clusterd.tracing.ended import EndedRows, Told, of_runs, of_span, of_stage, of_visits
from sploot_clusterd.tracing.rows import rows_of
from tests.support.tracers import visits_of
from tests.tracing.any_spans import attributes, contexts, runs, sorts, texts


def decoded(*ended: Told) -> list[Message]:
    """What comes out of a request with all of them."""
    batch = Batch()
    rows = (rows_of(each, tells_ids=True) if isinstance(each, EndedRows) else each for each in ended)
    assert sum(map(batch.add, rows)) == len(batch.encoded)
    message = ExportTraceServiceRequest.FromString(b"".join(request({"service.name": "clusters"}, batch)))
    (of_resource,) = message.resource_spans
    assert told(of_resource.resource) == [("service.name", "clusters")]
    (of_scope,) = of_resource.scope_spans
    assert len(of_scope.spans) == batch.size == sum(each.size for each in ended)
    return [*of_scope.spans]


def told(message: Message | Resource) -> list[tuple[str, object]]:
    return [(each.key, getattr(each.value, each.value.WhichOneof("value"))) for each in message.attributes]


@given(contexts, sorts, attributes, texts, st.lists(contexts, max_size=3))
def test_a_span(context: Context, sort: Sort, more: dict, error: str, links: list[Context]):
    span = Span(OFF, sort, context=context, parent_id=b"", began=1.0)
    span.attributes, span.error, span.links, span.ended = more, error, links, 1.5
    (read,) = decoded(of_span(span))
    assert (read.trace_id, read.span_id, read.parent_span_id) == (context.trace_id, context.span_id, b"")
    assert (read.name, read.trace_state, read.flags) == (sort.name, context.state, 1)
    assert read.end_time_unix_nano - read.start_time_unix_nano == 500_000_000
    assert [(each.trace_id, each.span_id, each.trace_state) for each in read.links] == [
        (each.trace_id, each.span_id, each.state) for each in links
    ]
    word = sort.error or error
    of_error = [("error.type", word)] if word else []
    assert sorted(map(repr, told(read))) == sorted(map(repr, [*sort.attributes.items(), *more.items(), *of_error]))


@given(st.lists(runs, min_size=1, max_size=70, unique_by=lambda run: (run.trace_id, run.span_id)), sorts)
def test_runs_that_ended_together(ended: list[Run], sort: Sort):
    spans = decoded(*of_runs(Ended(sort, 2.0, 3.5, ended)))
    spans.sort(key=lambda each: (each.trace_id, each.span_id))
    ended.sort(key=lambda each: (each.trace_id, each.span_id))
    for read, run in zip(spans, ended, strict=True):
        assert (read.trace_id, read.span_id, read.parent_span_id) == (run.trace_id, run.span_id, run.parent_id)
        assert (read.name, read.trace_state, read.flags) == (sort.name, run.state, 1)
        assert read.end_time_unix_nano - read.start_time_unix_nano == 1_500_000_000
        links = [(each.trace_id, each.span_id, each.trace_state) for each in read.links]
        assert links == ([(run.trace_id, run.before, run.state)] if run.before else [])
        own = [("messaging.message.id", run.message_id.decode()), ("clusterd.pet", run.pet)]
        of_error = [("error.type", sort.error)] if sort.error else []
        assert sorted(map(repr, told(read))) == sorted(map(repr, [*sort.attributes.items(), *own, *of_error]))


@given(st.lists(runs, min_size=1, max_size=70, unique_by=lambda run: (run.trace_id, run.span_id)), sorts, attributes)
def test_a_stage_is_below_each_of_its_parents(parents: list[Run], sort: Sort, more: dict):
    spans = decoded(of_stage(Stage(sort, 2.0, 3.0, parents, more)))
    spans.sort(key=lambda each: (each.trace_id, each.parent_span_id))
    parents.sort(key=lambda each: (each.trace_id, each.span_id))
    assert [(each.trace_id, each.parent_span_id, each.trace_state) for each in spans] == [
        (each.trace_id, each.span_id, each.state) for each in parents
    ]
    assert len({each.span_id for each in spans}) == len(parents)
    assert {(each.name, each.end_time_unix_nano - each.start_time_unix_nano) for each in spans} == {
        (sort.name, 1_000_000_000)
    }
    assert all(len(told(each)) == len(sort.attributes) + len(more) + bool(sort.error) for each in spans)


@given(sorts, st.lists(texts, min_size=1, max_size=40))
def test_visits_are_traces_by_themselves(sort: Sort, pets: list[str]):
    """Also where pets' ids are of many lengths, by which they are put together."""
    visits = visits_of(sort, *pets)
    visits.times = [time for each in range(1, len(pets) + 1) for time in (each, each + each / 4)]
    spans = decoded(of_visits(visits))
    first = min(each.start_time_unix_nano for each in spans)
    of_error = [("error.type", sort.error)] if sort.error else []
    seen = {}
    for read in spans:
        assert (len(read.trace_id), len(read.span_id), read.parent_span_id) == (16, 8, b"")
        assert (read.name, read.flags) == (sort.name, 1)
        place, rest = divmod(read.start_time_unix_nano - first, 10**9)
        assert (rest, read.end_time_unix_nano - read.start_time_unix_nano) == (0, 250_000_000 * (place + 1))
        own = [("clusterd.pet", pets[place])] if pets[place] else []
        assert sorted(map(repr, told(read))) == sorted(map(repr, [*sort.attributes.items(), *own, *of_error]))
        seen[place] = read
    assert len(seen) == len(pets)
    assert len({each.trace_id for each in spans}) == len({each.span_id for each in spans}) == len(spans)


@given(st.lists(runs, min_size=1, max_size=3), sorts, st.lists(texts, min_size=1, max_size=4))
def test_what_is_sent_together_comes_out_in_its_order(some: list[Run], sort: Sort, pets: list[str]):
    stage = of_stage(Stage(sort, 1.0, 2.0, some, {}))
    spans = decoded(*of_runs(Ended(sort, 1.0, 2.0, some)), of_visits(visits_of(sort, *pets)), stage)
    ids = sorted(run.span_id for run in some)
    assert sorted(each.span_id for each in spans[: len(some)]) == ids
    assert [each.parent_span_id for each in spans[len(some) : -len(some)]] == [b""] * len(pets)
    assert sorted(each.parent_span_id for each in spans[-len(some) :]) == ids
