"""An hour of running with a kill each minute, to see whether anything grows."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.faults.checker import Verdict, verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import GROUP, PETS, Outcome, Size, harmed
from tests.faults.load import STREAM, Ledger, Load
from tests.faults.overload import memory, metrics

_CACHE = 2 * 2**20
"""Bytes for albums in memory: full long before the first half is over, so that what grows then is no cache."""
_LONG = 600.0
"""Seconds from which a slope can be told from noise."""
_SLOPE = 1.0
"""MiB in ten minutes."""
_CHANCE = 2
_WARMING_UP = 10
"""By how much the counts may differ between the halves: in a long run, and in one so short that its first half has not
seen every status yet.
"""
_GROWTH = 24.0
"""MiB that a run too short for a slope may grow by, most of it the filling cache."""


class _Sample(NamedTuple):
    at: float
    mib: float
    files: int
    series: int
    consumers: int
    redis_clients: int


async def soak(directory: Path, seed: int, size: Size) -> Outcome:
    """New pets every `size.every` seconds, a kill among their jobs, a look at each effect, and DELETE of all of them.

    Two daemons are killed in turn. A third lives through it all and is watched.
    """
    counts, samples = Verdict(), []
    env = {"CLUSTERD_ALBUMS_CACHE_BYTES": str(_CACHE)}
    async with Fleet(directory, daemons=3, env=env) as fleet:
        for round_number in range(size.harms):
            jobs = int(size.rate * size.every)
            load = Load(fleet, seed, pets=PETS, jobs=jobs, rate=size.rate, prefix=f"r{round_number}-")

            async def kill(fleet: Fleet, _: int, turn: int = round_number) -> None:
                victim = fleet.daemons[1 + turn % 2]
                victim.kill()
                await victim.start()

            await harmed(load, fleet, seed + round_number, dataclasses.replace(size, jobs=jobs, harms=1), kill)
            _add(counts, await verdict(fleet, load.ledger))
            await _erase(fleet, load.ledger)
            samples.append(await _sample(fleet))
            for daemon in fleet.daemons:
                daemon.forget_log()
    outcome = Outcome(counts, size.harms, counts.breaches())
    _judge(outcome, samples)
    return outcome


def _judge(outcome: Outcome, samples: Sequence[_Sample]) -> None:
    """What holds in the first half has to hold in the second."""
    first, second = samples[: len(samples) // 2], samples[len(samples) // 2 :]
    is_long = second[-1].at - samples[0].at >= _LONG
    if is_long:
        slope = statistics.linear_regression([each.at for each in second], [each.mib for each in second]).slope * 600
        outcome.figures["memory slope, MiB in 10 minutes"] = slope
        outcome.expect(slope < _SLOPE, f"memory grows by {slope:.2f} MiB in 10 minutes")
    grown = second[-1].mib - first[0].mib
    outcome.figures["memory grown by, MiB"] = grown
    outcome.expect(grown < _GROWTH, f"memory grew by {grown:.1f} MiB")
    counted: dict[str, Callable[[_Sample], int]] = {
        "open files": lambda sample: sample.files,
        "metric series": lambda sample: sample.series,
        "consumers": lambda sample: sample.consumers,
        "connections of Redis": lambda sample: sample.redis_clients,
    }
    for what, count in counted.items():
        before, after = (statistics.median_high(map(count, half)) for half in (first, second))
        outcome.figures[what] = after
        outcome.expect(
            after <= before + (_CHANCE if is_long else _WARMING_UP),
            f"{what}: {before} in the first half, {after} in the second",
        )


def _add(counts: Verdict, more: Verdict) -> None:
    for each in dataclasses.fields(Verdict):
        setattr(counts, each.name, getattr(counts, each.name) + getattr(more, each.name))


async def _erase(fleet: Fleet, ledger: Ledger) -> None:
    for pet in {*ledger.accepted, *ledger.unsure}:
        async with fleet.http.delete(f"{fleet.daemons[0].url}/internal/pets/{pet}") as answer:
            assert answer.status == 200, await answer.text()


async def _sample(fleet: Fleet) -> _Sample:
    witness = fleet.daemons[0]
    return _Sample(
        at=time.monotonic(),
        mib=memory(witness) / 2**20,
        files=psutil.Process(witness.pid).num_fds(),
        series=len(await metrics(fleet, witness)),
        consumers=len(await fleet.redis.xinfo_consumers(STREAM, GROUP)),
        redis_clients=(await fleet.redis.info("clients"))["connected_clients"],
    )
