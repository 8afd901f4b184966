"""A pet's share of what a process holds: the oldest of its jobs, and all others come back in their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.ingest import shares as module
from sploot_clusterd.ingest.batch import Delivery
from sploot_clusterd.ingest.shares import Shares
from sploot_clusterd.model import Job
from sploot_clusterd.store import Entry


def delivery(number: int, size: int = 1) -> Delivery:
    sequence = EntryId(1, number)
    entry = Entry.of(str(sequence).encode(), {b"payload": bytes(size)})
    return Delivery(entry, Job(pet_id="pet", job_id=str(number), sequence=sequence))


def numbers(jobs) -> list[int]:
    return [entry.id.seq for entry, _ in jobs]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_ENTRIES", 4)
    monkeypatch.setattr(module, "_MOST_BYTES", 100)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_what_is_beyond_a_number_or_a_size_is_put_off(small):
    shares = Shares(100)
    assert numbers(shares.beyond("pet", [delivery(n) for n in range(6)], [])) == [4, 5]
    assert numbers(shares.beyond("pet", [delivery(n) for n in range(2, 9)], [delivery(0), delivery(1)])) == [
        4,
        5,
        6,
        7,
        8,
    ]
    assert numbers(shares.beyond("pet", [delivery(n, 40) for n in range(4)], [])) == [2, 3]
    assert not shares.beyond("pet", [delivery(0, 1000)], []), "one always fits"


def test_while_older_ones_are_aside_younger_ones_follow_them_and_older_ones_pass(small, clock):
    shares = Shares(100)
    jobs = [delivery(n) for n in range(10)]
    beyond = shares.beyond("pet", jobs, [])
    assert shares.put_off("pet", beyond, 2.0, lambda _: 3.0) == 2000
    assert numbers(shares.beyond("pet", [delivery(20)], [])) == [20]
    assert shares.put_off("pet", [delivery(20)], 2.0, lambda _: 3.0) == 5000, "behind those before it"
    assert not shares.beyond("other", [delivery(21)], [])
    assert not shares.beyond("pet", jobs[4:7], []), "they are back"
    assert numbers(shares.beyond("pet", [delivery(21)], [])) == [21]
    assert not shares.beyond("pet", jobs[7:8], [delivery(n) for n in range(8, 20)]), "the others wait for it"
    clock[0] = 60.0
    assert not shares.beyond("pet", [delivery(22)], []), "another process has them"


def test_only_so_many_are_put_off(small):
    shares = Shares(3)
    beyond = shares.beyond("pet", [delivery(n) for n in range(7)], [])
    assert numbers(beyond) == [4, 5, 6]
    shares.put_off("pet", beyond, 1.0, lambda _: 1.0)
    assert not shares.beyond("other", [delivery(n) for n in range(9)], [])


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(0, 5))
def test_nothing_is_lost_and_order_is_kept(sizes, held):
    jobs = [delivery(n + held, size) for n, size in enumerate(sizes)]
    beyond = Shares(100).beyond("pet", jobs, [delivery(n) for n in range(held)])
    assert list(beyond) == jobs[len(jobs) - len(beyond) :]
