"""Threads that take turns: one at a time, what is short before what is long, and nobody for ever."""

import threading
import time
from collections.abc import Callable

import pytest

from sploot_clusterd.ingest import turns as module
from sploot_clusterd.ingest.turns import Turn, Turns
from tests.support.waiting import wait_until


class Machine:
    """Threads whose steps take a slice of the turns' clock each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.steps: list[str] = []
        self.turns = Turns()
        self._threads: list[threading.Thread] = []
        self._computing = 0
        monkeypatch.setattr("sploot_clusterd.ingest.turns.time.perf_counter", lambda: self.now)

    def start(self, name: str, steps: int, at_step: Callable[[int], None] = lambda _: None) -> None:
        def run() -> None:
            with self.turns.turn() as turn:
                for step in range(steps):
                    self._step(name, turn)
                    at_step(step)

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def _step(self, name: str, turn: Turn) -> None:
        self._computing += 1
        assert self._computing == 1
        self.steps.append(name)
        self.now += 0.006
        self._computing -= 1
        self.turns.checkpoint(turn)

    def waits(self, count: int) -> None:
        """Until so many threads wait for their turn."""
        deadline = time.monotonic() + 10
        while self.turns.waiting < count:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_what_is_short_is_done_before_the_long_one_goes_on(machine: Machine):
    def another(step: int) -> None:
        if step == 9:
            machine.start("short", 3)
            machine.waits(1)

    machine.start("long", 20, another)
    machine.join()
    assert machine.steps[:11] == ["long"] * 10 + ["short"] or machine.steps[:12] == ["long"] * 11 + ["short"]
    assert machine.steps.count("long") == 20
    short = [n for n, name in enumerate(machine.steps) if name == "short"]
    assert short[-1] - short[0] == 2


def test_two_long_ones_take_turns(machine: Machine):
    def another(step: int) -> None:
        if step == 0:
            machine.start("other", 20)
            machine.waits(1)

    machine.start("one", 20, another)
    machine.join()
    half = machine.steps[:20]
    assert 8 <= half.count("other") <= 12


def test_a_stream_of_short_ones_does_not_stop_a_long_one(machine: Machine):
    def next_short(number: int) -> Callable[[int], None]:
        def begin(step: int) -> None:
            if step == 0 and number < 60:
                machine.start("short", 1, next_short(number + 1))
                long_waits = number > 0 and machine.steps.count("long") < 5
                machine.waits(1 + long_waits)

        return begin

    machine.start("long", 5, next_short(0))
    machine.join()
    last = max(n for n, name in enumerate(machine.steps) if name == "long")
    assert last < 60


def test_what_is_short_is_done_beside_a_step_that_cannot_be_cut():
    turns, begun, done = Turns(), threading.Event(), threading.Event()

    def long() -> None:
        with turns.turn():
            begun.set()
            assert done.wait(10)

    def short() -> None:
        with turns.turn() as turn:
            turns.checkpoint(turn)
        done.set()

    threads = [threading.Thread(target=long), threading.Thread(target=short)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    with turns.turn():
        assert turns.waiting == 0


class Waits(threading.Condition):
    """Counts how often threads began to wait."""

    begun = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.begun += 1
        return super().wait(timeout)


def test_who_is_woken_for_another_waits_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_LONGEST_WAIT", 30.0)  # the steps can be cut
    turns, computing, seen = Turns(), list[str](), list[str]()
    turns._changed = waits = Waits()

    def short(name: str) -> None:
        with turns.turn():
            computing.append(name)
            if len(computing) == 1:
                wait_until(lambda: waits.begun > 2 or len(computing) > 1, what="the other one to have woken up")
                seen.extend(computing)

    threads = [threading.Thread(target=short, args=[name]) for name in ("one", "other")]
    with turns.turn():
        for thread in threads:
            thread.start()
        wait_until(lambda: turns.waiting == 2, what="both to wait")
    for thread in threads:
        thread.join(40)
    assert len(seen) == 1
    assert len(computing) == 2


def test_a_long_one_is_not_done_beside_a_step_that_cannot_be_cut(machine: Machine):
    machine.turns._changed = waits = Waits()
    seen: list[str] = []

    def another(step: int) -> None:
        if step == 9:
            machine.start("short", 1, until_the_long_one_woke_up)
            machine.waits(1)

    def until_the_long_one_woke_up(_: int) -> None:
        begun = waits.begun
        wait_until(lambda: waits.begun > begun or machine.steps[-1] == "long", what="the long one to have woken up")
        seen.extend(machine.steps)

    machine.start("long", 20, another)
    machine.join()
    assert seen[-1] == "short"
