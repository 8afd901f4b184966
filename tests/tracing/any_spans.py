"""Any runs, sorts and contexts of spans, by Hypothesis: also with texts of any length."""

from hypothesis import strategies as st

from sploot_clusterd.spans import Context, Kind, Run, Sort

texts = st.text(max_size=40) | st.builds(lambda text, times: text * times, st.text(min_size=1), st.integers(1, 2000))
values = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
attributes = st.dictionaries(texts, values, max_size=4)
names = texts.filter(bool)
states = st.just("") | st.text("abc=,", min_size=1, max_size=400)
trace_ids, span_ids = st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)
no_spans = st.just(b"")
contexts = st.builds(Context, trace_ids, span_ids, st.just(True), states)
runs = st.builds(
    Run,
    trace_ids,
    span_ids,
    st.just(True),
    states,
    no_spans | span_ids,
    no_spans | span_ids,
    names.map(str.encode),
    names,
    st.just(2.0),
)
sorts = st.builds(Sort, texts, st.sampled_from(Kind), attributes, texts)
