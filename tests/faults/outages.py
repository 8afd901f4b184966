"""A Redis that is killed, stopped, away for long, or without memory or disk."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from redis.exceptions import RedisError

from tests.faults.checker import verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import PETS, Outcome, Size, applied_once, becomes, harmed, recovered, stopped, wait_for_harm
from tests.faults.load import Load
from tests.support.waiting import eventually

_LOADING = 0.5
"""Seconds, at least, for which a Redis that loads slowly answers LOADING to everything."""
_HELD_BACK = 2.0
"""Seconds for which Redis keeps what it has answered in its own memory, while its disk is still at what came before:
with `appendfsync everysec`.
"""
_DISK = 128 * 2**20
"""Several times what the whole run writes: it is the harm that fills it, not the jobs."""


async def redis_killed(
    directory: Path, seed: int, size: Size, *, fsync: str = "always", load_slowly: bool = False
) -> Outcome:
    """Kill -9 of Redis and its restart on the same file: the daemon is red meanwhile, and works within 2 s after.

    With `fsync` other than "always", what was answered shortly before a kill may be lost, and nothing else.
    """
    slowest = longest = 0.0
    loses = fsync != "always"
    held_back: list[tuple[float, float]] = []

    async def kill(fleet: Fleet, _: int) -> None:
        nonlocal slowest, longest
        since = time.monotonic() - _HELD_BACK
        fleet.kill_redis()
        held_back.append((since, time.monotonic()))
        await becomes(fleet, fleet.daemons[0], 503)
        began = time.monotonic()
        fleet.server.start()  # returns when it answers
        longest = max(longest, time.monotonic() - began)
        slowest = max(slowest, await recovered(fleet))

    slowly = ("--key-load-delay", "1000") if load_slowly else ()
    async with Fleet(directory, daemons=1, redis=("--appendfsync", fsync, *slowly)) as fleet:
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)
        await harmed(load, fleet, seed, size, kill)
        counts = await verdict(fleet, load.ledger, one_history=not loses)
        alive = fleet.daemons[0].alive()
    excused = load.ledger.under_way(counts.lost, held_back) if loses else 0
    outcome = Outcome(counts, size.harms, counts.breaches(never=excused))
    outcome.expect(alive, "the daemon did not survive")
    outcome.recovers(slowest)
    if load_slowly:
        outcome.figures["Redis loading for, s"] = longest
        outcome.expect(longest > _LOADING, f"Redis loaded its file in {longest:.2f} s, which is hardly felt")
    return outcome


redis_killed_everysec = partial(redis_killed, fsync="everysec")
slow_redis_killed = partial(redis_killed, load_slowly=True)


async def stopped_redis(directory: Path, seed: int, size: Size, seconds: float) -> Outcome:
    """SIGSTOP of Redis: it answers nothing and closes nothing; a command may take 5 s."""
    slowest = 0.0

    async def stop(fleet: Fleet, _: int) -> None:
        nonlocal slowest
        assert fleet.server.pid is not None
        async with stopped(fleet.server.pid):
            await wait_for_harm(seconds)
        slowest = max(slowest, await recovered(fleet))

    async with Fleet(directory) as fleet:
        outcome = await applied_once(fleet, seed, size, stop)
    outcome.recovers(slowest)
    return outcome


stopped_redis_1 = partial(stopped_redis, seconds=1.0)
stopped_redis_6 = partial(stopped_redis, seconds=6.0)
stopped_redis_15 = partial(stopped_redis, seconds=15.0)


async def long_outage(directory: Path, seed: int, size: Size) -> Outcome:
    """Redis is gone for `size.harms` times 4 s; 16 clients go on submitting: 503, and 202 within 2 s of its return."""
    slowest = 0.0
    async with Fleet(directory, redis=("--appendfsync", "always")) as fleet:
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, over_http=1.0, lanes=16)

        async def kill(fleet: Fleet, _: int) -> None:
            nonlocal slowest
            fleet.kill_redis()
            await wait_for_harm(4.0 * size.harms)
            fleet.server.start()
            slowest = max(slowest, await recovered(fleet))

        await harmed(load, fleet, seed, replace(size, harms=1), kill)
        counts = await verdict(fleet, load.ledger)
    outcome = Outcome(counts, 1, counts.breaches())
    ledger = load.ledger
    outcome.recovers(slowest)
    outcome.figures |= {"submits refused": ledger.refused, "slowest refusal, s": ledger.slowest_refusal}
    outcome.expect(ledger.refused > 0, "no submit was refused")
    return outcome


async def full_memory(directory: Path, seed: int, size: Size) -> Outcome:
    """Redis reaches maxmemory for a second and is then given more: it refuses writes and answers reads meanwhile."""
    slowest = 0.0

    async def fill(fleet: Fleet, _: int) -> None:
        nonlocal slowest
        await fleet.redis.config_set("maxmemory", 1)
        await wait_for_harm(1.0)
        await fleet.redis.config_set("maxmemory", 0)
        slowest = max(slowest, await recovered(fleet))

    async with Fleet(directory) as fleet:
        outcome = await applied_once(fleet, seed, size, fill)
    outcome.recovers(slowest)
    return outcome


async def full_disk(directory: Path, seed: int, size: Size) -> Outcome:
    """The disk of the append-only file fills up and is freed after 2 s: Redis refuses all writes meanwhile."""
    slowest = 0.0

    async def fill(fleet: Fleet, _: int) -> None:
        nonlocal slowest
        with _filled(fleet.server.directory):
            await eventually(lambda: _refuses(fleet), what="Redis to refuse writes")
            await becomes(fleet, fleet.daemons[0], 503)
            await wait_for_harm(2.0)
        await eventually(lambda: _writes(fleet), what="Redis to write again")
        slowest = max(slowest, await recovered(fleet))

    with _disk(directory / "r"):
        async with Fleet(directory) as fleet:
            outcome = await applied_once(fleet, seed, size, fill)
    outcome.recovers(slowest)
    return outcome


async def _writes(fleet: Fleet) -> bool:
    try:
        await fleet.redis.set("probe", "probe")
    except RedisError:
        return False
    return True


async def _refuses(fleet: Fleet) -> bool:
    return not await _writes(fleet)


@contextmanager
def _disk(at: Path) -> Iterator[None]:
    """A small disk of its own. Needs root."""
    at.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=700", "faults", at], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


@contextmanager
def _filled(disk: Path) -> Iterator[None]:
    """Not a byte is left on it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            os.fsync(file.fileno())
    try:
        yield
    finally:
        filler.unlink()
