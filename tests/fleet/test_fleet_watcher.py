"""What those who follow are told: at first all, of every span, then what each look adds."""

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import msgspec
import pytest

from sploot_clusterd.fleet import watcher as module
from sploot_clusterd.fleet.watcher import FleetWatcher, Told
from sploot_clusterd.metrics import Metrics
from tests.fleet.beats import beat


class Beats:
    """One process, which has done a job a second since its start."""

    def __init__(self, clock: SimpleNamespace) -> None:
        self._clock = clock

    async def all(self) -> Mapping[str, bytes]:
        return {"a-0": msgspec.json.encode(beat(self._clock.now, int(self._clock.now), since=1.0))}

    async def forget(self, names: Sequence[str]) -> None:
        raise AssertionError(names)


async def test_each_span_gets_its_own_points_once(monkeypatch: pytest.MonkeyPatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: clock.now))
    watcher = FleetWatcher(Beats(clock), Metrics(), asyncio.Event())  # type: ignore[arg-type]

    async def look() -> None:
        await watcher.look()
        clock.now += 5.0

    for _ in range(10):
        await look()
    following = watcher.follow()

    def counts(told: Told) -> tuple[bool, int, int, int, int]:
        return told.whole, *(len(told.points[span]) for span in ("15m", "1h", "8h")), len(told.marks)

    assert counts(await anext(following)) == (True, 9, 2, 0, 1)
    found = []
    for _ in range(4):
        coming = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        await look()
        found.append(counts(await coming))
    # a period is over at nine tenths of it, with the look that finds it so: that of a minute after 55 s
    assert found == [(False, 1, 0, 0, 0), (False, 1, 0, 1, 0), (False, 1, 1, 0, 0), (False, 1, 0, 0, 0)]
