"""What a cluster's nodes tell of slots, in whatever form, and where they send calls on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.partitioning import SLOTS, slot_of
from sploot_clusterd.store.address import Place
from sploot_clusterd.store.cluster.redirection import Redirection, redirection
from sploot_clusterd.store.cluster.slot_map import SlotMap
from sploot_clusterd.store.connection import ReplyError

ASKED = Place("asked", 1)
A, B, C = (Place(name, 7000) for name in "abc")


def node(host: object, *more: object) -> list[object]:
    return [host, 7000, b"id", *more]


def test_ranges_have_owners_and_what_is_between_has_none():
    told = [[100, 200, node(b"b")], [0, 9, node(b"a"), node(b"c")], [300, 300, node(b"a")]]
    slot_map = SlotMap.parse(told, ASKED)
    owners = {slot: slot_map.owner(slot) for slot in (0, 9, 10, 99, 100, 200, 201, 300, 301, SLOTS - 1)}
    assert owners == {0: A, 9: A, 10: None, 99: None, 100: B, 200: B, 201: None, 300: A, 301: None, SLOTS - 1: None}
    assert (slot_map.primaries, slot_map.nodes) == ({A, B}, {A, B, C})


@given(st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=20, unique=True).map(sorted))
def test_every_slot_has_the_owner_of_its_range(begins):
    ends = [*(begin - 1 for begin in begins[1:]), SLOTS - 1]
    told = [[begin, end, node(b"%d" % begin)] for begin, end in zip(begins, ends, strict=True)]
    slot_map = SlotMap.parse(told[::-1], ASKED)
    for begin, end in zip(begins, ends, strict=True):
        assert slot_map.owner(begin) == slot_map.owner(end) == Place(str(begin), 7000)
    assert begins[0] == 0 or slot_map.owner(0) is None


def test_a_slot_that_moved_changes_nothing_of_the_map_it_was_in():
    slot_map = SlotMap.parse([[0, 9, node(b"a")]], ASKED)
    moved = slot_map.with_owner(5, B).with_owner(20, C)
    assert [moved.owner(slot) for slot in (4, 5, 20)] == [A, B, C]
    assert [slot_map.owner(slot) for slot in (4, 5, 20)] == [A, A, None]
    assert moved.nodes == {A, B, C}


@pytest.mark.parametrize(
    ("told", "host"),
    [
        (node(None), "asked"),
        (node(b""), "asked"),
        (node(b"?", [b"ip", b"10.0.0.1"]), "10.0.0.1"),
        (node(b"?", [b"hostname", b"x"]), "asked"),
        (node(b"?"), "asked"),
        (node(b"name", [b"ip", b"10.0.0.1"]), "name"),
        (node(b"::1", []), "::1"),
    ],
)
def test_a_node_without_a_name_is_where_its_number_says_or_where_we_asked(told, host):
    assert SlotMap.parse([[0, 9, told]], ASKED).owner(0) == Place(host, 7000)


def test_nodes_are_reached_elsewhere_than_they_announce():
    slot_map = SlotMap.parse([[0, 9, node(b"a"), node(b"b")]], ASKED).at({A: C})
    assert (slot_map.owner(0), slot_map.nodes) == (C, {C, B})


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("MOVED 3999 10.0.0.1:6381", Redirection(3999, Place("10.0.0.1", 6381), once=False)),
        ("ASK 3999 name:6381", Redirection(3999, Place("name", 6381), once=True)),
        ("MOVED 1 :6381", Redirection(1, Place("asked", 6381), once=False)),
        ("MOVED 1 2001:db8::1:6381", Redirection(1, Place("2001:db8::1", 6381), once=False)),
        ("MOVED 1 [::1]:6381", Redirection(1, Place("::1", 6381), once=False)),
        ("TRYAGAIN Multiple keys request during rehashing of slot", None),
        ("ERR MOVED 1 a:1", None),
    ],
)
def test_where_a_node_sends_calls_on(reply, found):
    assert redirection(ReplyError(reply), ASKED) == found
    assert redirection(reply.encode(), ASKED) is None


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("123456789", 12739),
        ("foo", 12182),
        ("{foo}bar", 12182),
        ("a{foo}{bar}", 12182),
        ("{}foo", 9500),
        ("a{b}c}", 3300),
    ],
)
def test_a_keys_slot_is_the_servers(key, slot):
    """As CLUSTER KEYSLOT tells it."""
    assert slot_of(key) == slot
