"""A clock that jumps by an hour, forwards and back. Needs the Debian package faketime."""

import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

from tests.faults.checker import verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import PETS, Outcome, Size, harmed, wait_for_harm
from tests.faults.load import Load
from tests.faults.marked import FAILS_ONCE

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
_HOUR = 3600
_STAYS = 1.5
"""Seconds before the clock jumps back."""


async def jumping_clock(directory: Path, seed: int, size: Size, *, of_redis: bool) -> Outcome:
    """The clock of Redis or of the daemons jumps by an hour, now forwards, now back, and is right again after 1.5 s.

    Some jobs fail once, and are due again by a clock that is not the one by which they failed.
    """
    control = directory / "clock"
    _jump(control, 0)
    fake = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(control),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it, threads that wait for the interpreter's lock never really wait
    }

    async def jump(fleet: Fleet, n: int) -> None:
        _jump(control, (_HOUR, -_HOUR)[n % 2])
        await wait_for_harm(_STAYS)
        clock = await _clock_of_redis(fleet) if of_redis else _clock_of_daemons(fleet)
        assert abs(clock - time.time()) > _HOUR / 2, "the clock has not jumped"
        _jump(control, 0)

    faked = []
    try:
        async with _fleet(directory, fake if of_redis else {}) as fleet:
            for _ in range(2):
                await fleet.add_daemon({} if of_redis else fake, "tests.faults.marked").start()
            faked += [fleet.server.pid] if of_redis else [daemon.pid for daemon in fleet.daemons]
            load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, marks={FAILS_ONCE: 0.1})
            await harmed(load, fleet, seed, size, jump)
            counts = await verdict(fleet, load.ledger)
    finally:
        _clean_up(faked)
    return Outcome(counts, size.harms, counts.breaches())


clock_of_redis = partial(jumping_clock, of_redis=True)
clock_of_daemons = partial(jumping_clock, of_redis=False)


@asynccontextmanager
async def _fleet(directory: Path, env: Mapping[str, str]) -> AsyncIterator[Fleet]:
    """A fleet without daemons whose redis-server has that environment."""
    with patch.dict(os.environ, env):
        fleet = Fleet(directory, daemons=0)
    async with fleet:
        yield fleet


def _jump(control: Path, seconds: int) -> None:
    control.write_text(f"{seconds:+d}s")


async def _clock_of_redis(fleet: Fleet) -> float:
    seconds, _ = await fleet.redis.time()
    return float(seconds)


def _clock_of_daemons(fleet: Fleet) -> float:
    """As the last line of a log tells it."""
    return datetime.fromisoformat(str(fleet.daemons[0].log()[-1]["time"])).timestamp()


def _clean_up(pids: Iterable[int | None]) -> None:
    """The library leaves two files behind for each process."""
    for pid in pids:
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            Path("/dev/shm", name).unlink(missing_ok=True)
