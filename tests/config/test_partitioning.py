"""Pets are spread over partitions by a function that never changes, and partitions over slots evenly."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.cli import main
from sploot_clusterd.keys import Layout
from sploot_clusterd.partitioning import MOST_PARTITIONS, SLOTS, TAGS, Placing, partition_of, slot_of, tag_of
from tests.docs.pages import ROOT, only_block, table_rows

PRODUCERS = ROOT / "docs/producers.md"
VECTORS = [[cell.strip("`") for cell in cells] for cells in table_rows(PRODUCERS, "To a pet's partition")]
STREAMS = [keys.stream for keys in Layout("n", "streams:media.cluster", "d", 4).partitions]


def test_a_slot_is_that_of_redis():
    assert slot_of("123456789") == 0x31C3
    assert slot_of("{user1000}.following") == slot_of("user1000") == slot_of("x{user1000}{other}")
    assert slot_of("{}whole") != slot_of("")


def test_each_partition_has_a_tag_and_a_slot_of_its_own():
    assert len(TAGS) == len({slot_of(tag_of(n)) for n in range(MOST_PARTITIONS)}) == MOST_PARTITIONS


@pytest.mark.parametrize("count", [16, 32, 64, 128, 256])
@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 6, 8])
def test_partitions_lie_evenly_on_nodes_with_equal_ranges_of_slots(count: int, nodes: int):
    on_node = Counter(slot_of(tag_of(n)) * nodes // SLOTS for n in range(count))
    assert len(on_node) == nodes
    assert max(on_node.values()) - min(on_node.values()) <= 1


def test_the_function_is_that_of_the_producers_page():
    assert len(VECTORS) >= 5
    for pet, _, *partitions in VECTORS:
        assert [partition_of(pet, count) for count in (4, 8, 64)] == [int(n) for n in partitions]


def _asked_in_python(pets: list[str]) -> list[str]:
    code = only_block(PRODUCERS, "code python").text
    program = f"{code}\nimport json, sys\nprint(json.dumps([stream_of(pet) for pet in json.loads(sys.argv[1])]))"
    return json.loads(subprocess.check_output([sys.executable, "-c", program, json.dumps(pets)]))


def _asked_in_javascript(pets: list[str]) -> list[str]:
    code = only_block(PRODUCERS, "code javascript").text
    program = f"{code}\nconsole.log(JSON.stringify(JSON.parse(process.argv[1]).map(streamOf)))"
    return json.loads(subprocess.check_output(["node", "-e", program, json.dumps(pets)]))


def test_the_code_on_the_page_finds_the_streams():
    pets = [pet for pet, *_ in VECTORS]
    wanted = [STREAMS[partition_of(pet, 4)] for pet in pets]
    assert _asked_in_python(pets) == wanted
    if shutil.which("node"):
        assert _asked_in_javascript(pets) == wanted


@pytest.mark.parametrize("language", ["python", "go", "javascript", "java"])
def test_the_page_shows_what_the_command_prints(language: str, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLUSTER_PARTITIONS", "4")
    assert main(["partitions", "code", language]) == 0
    assert capsys.readouterr().out == only_block(PRODUCERS, f"code {language}").text


NO_NAMES = {"goes_by"}


@pytest.mark.parametrize("name", ["m{1}", "a{x}b", "{", "plain:with:colons"])
def test_no_name_moves_a_key_out_of_its_partition(name: str):
    for n, keys in enumerate(Layout("ns", "jobs", "jobs:dead", 8).several):
        named = [value for key, value in vars(keys).items() if not key.startswith("_") and key not in NO_NAMES]
        named += [*keys.pet(name), keys.profile(name), *keys.sample(name), *keys.of_insights(name)]
        assert {slot_of(key) for key in named} == {slot_of(tag_of(n))}


def test_with_one_partition_no_name_has_a_tag():
    layout = Layout("ns", "jobs", "jobs:dead", 1)
    assert layout.partitions == [layout.plain] == [layout.of("any pet")]
    names = [value for value in vars(layout.plain).values() if isinstance(value, str)]
    assert not any("{" in name for name in [*names, layout.plain.view("pet"), layout.plain.jobs("pet")])


COUNTS = st.integers(2, 24)


@given(COUNTS, COUNTS, st.text(min_size=1, max_size=20))
def test_a_pet_keeps_its_group_and_changes_its_place_once(count: int, target: int, pet: str):
    begun = Placing(count, 3, target=target)
    group = partition_of(pet, count) % begun.groups
    assert partition_of(pet, target) % begun.groups == group
    places = []
    for moved in range(begun.groups + 1):
        placing = replace(begun, moved=moved)
        place = placing.place(pet)
        assert placing.is_open(place)
        assert placing.number_of(place) == 3 + (group < moved)
        assert replace(placing, moving=True).is_open(place) is (moved != group)
        places.append(place)
    assert places == [partition_of(pet, count)] * (group + 1) + [partition_of(pet, target)] * (begun.groups - group)
    assert all(begun.ever_placed(pet, place) for place in places)


@given(COUNTS, COUNTS)
def test_all_partitions_and_no_others_are_open_before_and_after(count: int, target: int):
    before = Placing(count, target=target)
    after = replace(before, moved=before.groups)
    for placing, wanted in (
        (Placing(count), count),
        (before, count),
        (after, target),
        (Placing(target, 2, count), target),
    ):
        assert [placing.is_open(n) for n in range(before.total)] == [n < wanted for n in range(before.total)]


NUMBERS = st.integers(0, 24)
ANY = st.builds(Placing, COUNTS, st.integers(1, 99), NUMBERS, NUMBERS, NUMBERS, st.booleans())


@given(ANY)
def test_a_record_says_what_it_said(placing: Placing):
    assert Placing.parse(str(placing)) == placing
    assert str(Placing(placing.count)) == str(placing.count)


NO_RECORDS = ["", "0", "x", "4 ", "4 1", "4 1 0 0 0 0", "257", "4 2 0 0 0 0 0", "-4", "4 2 0 300 0 0"]


@pytest.mark.parametrize("text", NO_RECORDS)
def test_anything_else_is_no_record(text: str):
    with suppress(ValueError):
        raise AssertionError(Placing.parse(text))
