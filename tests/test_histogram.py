"""Our histogram tells scrapers what the library's own would."""

import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as LibraryHistogram
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from sploot_clusterd.histogram import Histogram
from sploot_clusterd.spans import Context

BOUNDS = (0.125, 1.0, 2.5, 10)
# Sums of these are exact, in whatever order they are added.
values = st.lists(st.sampled_from([0.0, 0.0625, 0.125, 0.25, 1, 2, 2.5, 7.5, 10, 11, 4096.0]), max_size=20)


def exposed(registry: CollectorRegistry) -> list[str]:
    """In both forms, but for the time at which a series was made."""
    texts = [generate_latest(registry).decode(), generate_openmetrics(registry).decode()]
    return [re.sub(r"(_created\S*) \S+", r"\1", text) for text in texts]


@given(st.dictionaries(st.sampled_from(["/a", "/b", '"\\']), values, max_size=3))
def test_it_is_exposed_as_the_librarys_is(observed):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("x_seconds", "Time of it", BOUNDS, "route", registry=ours)
    library = LibraryHistogram("x_seconds", "Time of it", ["route"], buckets=BOUNDS, registry=theirs)
    for route, some in observed.items():
        for value in some:
            histogram.labels(route).observe(value)
            library.labels(route).observe(value)
        if not some:  # made, and never used
            histogram.labels(route)
            library.labels(route)
    assert exposed(ours) == exposed(theirs)


@given(values)
def test_values_observed_together_count_as_if_one_by_one(some):
    together, alone = CollectorRegistry(), CollectorRegistry()
    Histogram("x", "Of it", BOUNDS, registry=together).labels("").observe_each(some)
    series = Histogram("x", "Of it", BOUNDS, registry=alone).labels("")
    for value in some:
        series.observe(value)
    assert exposed(together) == exposed(alone)


def test_an_example_is_shown_in_its_bucket_by_openmetrics_alone():
    registry = CollectorRegistry()
    series = Histogram("x_seconds", "Time of it", BOUNDS, registry=registry).labels("")
    series.observe(2.0)
    series.show(2.0, Context(bytes(range(16)), bytes(range(8)), sampled=True))
    lines = [line for line in generate_openmetrics(registry).decode().splitlines() if " # {" in line]
    told = 'span_id="0001020304050607",trace_id="000102030405060708090a0b0c0d0e0f"'
    (line,) = [re.sub(r" \d+\.\d+$", "", line) for line in lines]
    assert line == f'x_seconds_bucket{{le="2.5"}} 1.0 # {{{told}}} 2.0'
    assert "trace_id" not in generate_latest(registry).decode()
