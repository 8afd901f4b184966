"""The process that sends works in short steps."""

import time

import pytest

from sploot_clusterd.tracing.pace import PAUSE, Pace


def test_it_pauses_after_each_step_of_work_and_only_then(monkeypatch: pytest.MonkeyPatch):
    worked, paused = 0.0, []
    monkeypatch.setattr(time, "thread_time", lambda: worked)
    monkeypatch.setattr(time, "sleep", lambda seconds: paused.append((round(worked, 6), seconds)))
    pace = Pace()
    for _ in range(6):
        worked += 0.0002
        pace.step()
    assert paused == [(0.0004, PAUSE), (0.0008, PAUSE), (0.0012, PAUSE)]
    for _ in range(9):
        pace.step()
    assert len(paused) == 3
