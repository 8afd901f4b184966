"""Contexts as they travel, and the face that records nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.spans import OFF, Context, Kind, Sort, context_in, context_of
from tests.support.tracers import NOT_SAMPLED, PARENT_ID, SAMPLED, TRACE_ID, Kept

SORT = Sort("x", Kind.SERVER)
contexts = st.builds(
    Context,
    st.binary(min_size=16, max_size=16).filter(any),
    st.binary(min_size=8, max_size=8).filter(any),
    st.booleans(),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=512),
)


@given(contexts)
def test_a_context_comes_out_as_it_went_in(context):
    assert context_of(context.traceparent, context.state) == context
    assert context_in(context.text) == context


def test_what_others_give_is_taken_as_the_standard_says():
    context = context_of(SAMPLED, "vendor=1")
    assert context is not None
    assert (context.trace_id.hex(), context.span_id.hex(), context.sampled, context.state) == (
        TRACE_ID,
        PARENT_ID,
        True,
        "vendor=1",
    )
    assert context_of(SAMPLED[:-2] + "03").sampled
    later = context_of("cc" + SAMPLED[2:] + "-what-comes-later")
    assert later is not None
    assert later.trace_id == context.trace_id
    assert not context_of(NOT_SAMPLED).sampled


@pytest.mark.parametrize(
    "given",
    [
        *("", "00-1", SAMPLED.upper(), SAMPLED + "-more", "ff" + SAMPLED[2:], SAMPLED[:-1], " " + SAMPLED),
        SAMPLED.replace(TRACE_ID, "0" * 32),
        SAMPLED.replace(PARENT_ID, "0" * 16),
        *(None, 1, ["00"], {"a": 1}),
    ],
)
def test_what_is_no_context_is_none(given):
    assert context_of(given) is None


@pytest.mark.parametrize("state", ["a=1\r\nX: 1", "x" * 513, "ä=1", 5, None])
def test_a_tracestate_that_cannot_be_sent_on_is_left_out(state):
    assert context_of(SAMPLED, state) == context_of(SAMPLED)


def test_the_parents_decision_is_kept_whatever_the_rate():
    for rate, traceparent, sampled in ((0, SAMPLED, True), (1, NOT_SAMPLED, False)):
        tracer = Kept(rate)
        span = tracer.start(SORT, context_of(traceparent, "a=b"))
        child = span.child(Sort("y", Kind.INTERNAL))
        assert {span.context.sampled, child.context.sampled} == {sampled}
        assert child.context.state == "a=b"
        assert child.parent_id == span.context.span_id
        child.end()
        span.end()
        assert tracer.told == ([child, span] if sampled else [])


def test_off_nothing_begins_a_sampled_trace():
    span = OFF.start(SORT)
    span.end()
    assert not span.context.sampled
    assert not OFF.is_on
