"""What has ended arrives in the process that sends as it was told, whatever it is."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from sploot_clusterd.spans import Ended, Kind, Run, Sort, Stage
from sploot_clusterd.tracing.ended import EndedRows, EndedSpan, Told, of_runs, of_stage, of_visits
from sploot_clusterd.tracing.messages import Begin, Incoming, Outgoing, framed, messages_in
from tests.support.tracers import visits_of
from tests.tracing.any_spans import attributes, contexts, runs, sorts, span_ids, texts

WORK = Sort("work", Kind.INTERNAL)
RUN = Run(b"t" * 16, b"s" * 8, True, "", b"", b"", b"1-0", "luna", 1.0)
times = st.floats(0, 1e9)


def visits(sort: Sort, *pets: str) -> EndedRows:
    return of_visits(visits_of(sort, *pets))


told = st.one_of(
    st.builds(EndedSpan, sorts, contexts, span_ids, times, times, attributes, st.lists(contexts, max_size=3), texts),
    st.builds(lambda sort, pets: visits(sort, *pets), sorts, st.lists(texts, max_size=5)),
    st.builds(Stage, sorts, times, times, st.lists(runs, min_size=2, max_size=5), attributes).map(of_stage),
    st.builds(Ended, sorts, times, times, st.lists(runs, min_size=1, max_size=5)).flatmap(
        lambda ended: st.sampled_from([*of_runs(ended)])
    ),
)


def read(written: bytes) -> list[bytes]:
    """The messages in it."""
    return [*messages_in(BytesIO(written))]


def arrived(incoming: Incoming, written: bytes) -> list[Told]:
    return [each for each in map(incoming.told, read(written)) if each is not None]


def plain(each: Told) -> list[object]:
    """By value, its sort too."""
    sort = each.sort
    fields = [getattr(each, name) for name in each.__struct_fields__ if name != "sort"]
    fields = [[*field] if isinstance(field, tuple) else field for field in fields]  # a list, when it arrives
    return [type(each), sort.name, sort.kind, sort.attributes, sort.error, *fields]


@given(st.lists(told, max_size=6))
def test_what_has_ended_arrives_as_it_was(ended: list[Told]):
    outgoing, incoming = Outgoing(), Incoming()
    for each in (*ended, *ended):
        outgoing.add(each)
    assert [*map(plain, arrived(incoming, outgoing.take()))] == [*map(plain, (*ended, *ended))]
    assert outgoing.take() == b""


def test_a_sort_is_told_once():
    outgoing, incoming = Outgoing(), Incoming()
    sizes = []
    for _ in range(3):
        outgoing.add(visits(WORK, "a"))
        written = outgoing.take()
        sizes.append(len(written))
        (each,) = arrived(incoming, written)
        assert each.sort.name == "work"
    assert sizes[0] > sizes[1] == sizes[2]


def test_numbers_of_sorts_are_given_anew_when_there_are_many():
    """Which bounds what both sides keep, and mixes none up."""
    outgoing, incoming = Outgoing(), Incoming()
    many = [Sort(f"sort {number}", Kind.INTERNAL) for number in range(2500)]
    for sort in (*many, *reversed(many), *many):
        outgoing.add(visits(sort, "a"))
    written = outgoing.take()
    assert [each.sort.name for each in arrived(incoming, written)] == [
        sort.name for sort in (*many, *reversed(many), *many)
    ]


def test_what_cannot_be_told_leaves_nothing_behind():
    outgoing, incoming = Outgoing(), Incoming()
    good = visits(WORK, "a")
    outgoing.add(good)
    for wrong in (
        visits(Sort("\ud800", Kind.INTERNAL), "a"),
        visits(WORK, "\ud800"),
        of_stage(Stage(WORK, 1.0, 2.0, [RUN, RUN], {"what": object()})),
    ):
        before = bytes(outgoing.waiting)
        with pytest.raises((UnicodeEncodeError, TypeError)):
            outgoing.add(wrong)
        assert outgoing.waiting == before
    outgoing.add(good)
    assert [*map(plain, arrived(incoming, outgoing.take()))] == [plain(good)] * 2


@given(st.integers(0, 200))
def test_what_is_cut_off_is_no_message(left: int):
    outgoing = Outgoing()
    outgoing.add(visits(WORK, "a"))
    first = outgoing.take()
    outgoing.add(visits(WORK, "a"))
    second = outgoing.take()
    incoming = Incoming()
    assert len(arrived(incoming, first + second[: min(left, len(second) - 1)])) == 1


def test_the_first_message_is_framed_as_the_others():
    begin = Begin("http://127.0.0.1", "clusters", 1, "local", pet_ids=True)
    (message,) = read(framed(begin))
    assert msgpack.decode(message, type=Begin) == begin
