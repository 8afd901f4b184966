"""The process that sends works in short steps."""

import asyncio
import time

import pytest

from sploot_clusterd.tracing.pace import PAUSE, Pace


async def test_it_pauses_after_each_step_of_work_and_only_then(monkeypatch: pytest.MonkeyPatch):
    worked, paused = 0.0, []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        paused.append((round(worked, 6), seconds))
        await sleep(0)

    monkeypatch.setattr(time, "thread_time", lambda: worked)
    monkeypatch.setattr(asyncio, "sleep", counted)
    pace = Pace()
    for _ in range(6):
        worked += 0.0002
        await pace.step()
    assert paused == [(0.0004, PAUSE), (0.0008, PAUSE), (0.0012, PAUSE)]
    await asyncio.gather(*(pace.step() for _ in range(9)))
    assert len(paused) == 3
