"""Jobs that can never be applied, among jobs that can."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.faults.checker import letters_by_reason, verdict
from tests.faults.fleet import Daemon, Fleet
from tests.faults.harm import PETS, SOON, Harm, Outcome, Size, harmed, recovered
from tests.faults.load import STREAM, Load
from tests.faults.marked import FAILS_ALWAYS, KILLS
from tests.support.waiting import eventually

_UNDECODABLE = (b"", b"{", b"no job", b'{"pet_id": 1}', b"\xff\xfe", b"[" * 2000, b'{"pet_id": "a/b"}')
_OF_BAD_PET = b'{"pet_id": "bad", "payload": 1}'
_ILL = 120
"""Pets whose jobs fail at a time: 100 dead letters within a minute trip the brake."""
_FLOOD = 150
"""Jobs of one pet: after 100 dead letters they are put off."""
_NEIGHBOURS = 50


async def undecodable(directory: Path, seed: int, size: Size) -> Outcome:
    """Entries that are no jobs become dead letters at first sight, and the jobs between them are applied once."""

    async def poison(fleet: Fleet, n: int) -> None:
        await fleet.redis.xadd(STREAM, {"payload": _UNDECODABLE[n % len(_UNDECODABLE)]})

    async with Fleet(directory) as fleet:
        outcome, reasons = await _poisoned(fleet, seed, size, poison)
    outcome.expect(set(reasons) <= {"malformed", "invalid"}, f"reasons: {reasons}")
    return outcome


async def always_failing(directory: Path, seed: int, size: Size) -> Outcome:
    """Jobs that fail in every run are tried three times, and the other jobs of their pets are applied once."""

    async def poison(fleet: Fleet, n: int) -> None:
        await _add(fleet, f"{FAILS_ALWAYS}-{n}", n)

    async with _marked(directory) as fleet:
        outcome, reasons = await _poisoned(fleet, seed, size, poison)
    outcome.expect(reasons == {"max_attempts": size.harms}, f"reasons: {reasons}")
    return outcome


async def killing(directory: Path, seed: int, size: Size) -> Outcome:
    """Jobs that end the process that runs them: a service manager starts it again, until they are found out."""
    deaths = 0

    async def poison(fleet: Fleet, n: int) -> None:
        await _add(fleet, f"{KILLS}-{n}", n)

    async with _marked(directory) as fleet:

        async def keep_alive(daemon: Daemon) -> None:
            nonlocal deaths
            while True:
                await eventually(lambda: not daemon.alive(), what="never", timeout=3600)
                deaths += 1
                await daemon.start()

        keepers = [asyncio.ensure_future(keep_alive(daemon)) for daemon in fleet.daemons]
        try:
            outcome, reasons = await _poisoned(fleet, seed, size, poison)
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.wait(keepers)
    outcome.figures["deaths of a daemon"] = deaths
    outcome.expect(reasons == {"crash_loop": size.harms}, f"reasons: {reasons}")
    return outcome


async def flood(directory: Path, seed: int, size: Size) -> Outcome:
    """More poison than jobs: the brake stops the one daemon from reading, says so, and ends by itself after 10 s."""
    tripped = 0

    async def poison(fleet: Fleet, n: int) -> None:
        nonlocal tripped
        async with fleet.redis.pipeline() as pipeline:
            for pet in range(_ILL):
                pipeline.xadd(STREAM, {"payload": b'{"pet_id": "ill-%d", "payload": %d}' % (pet, n)})
            await pipeline.execute()
        await eventually(lambda: _braked(fleet), what="the brake to trip")
        tripped += 1
        await eventually(lambda: _goes_on(fleet), what="the brake to end", timeout=60)

    async with Fleet(directory, daemons=1) as fleet:
        outcome, _ = await _poisoned(fleet, seed, size, poison, letters=_ILL * size.harms)
    outcome.figures["times the brake tripped and ended"] = tripped
    return outcome


async def hostile_pets(directory: Path, seed: int, size: Size) -> Outcome:
    """One pet floods corrections that come too late, another one jobs that are none: the others' are not held up."""
    late = {"pet_id": "late", "payload": {"corrections": [{"op": "rename", "cluster": "late-cluster-7", "label": "x"}]}}
    slowest, braked = 0.0, False

    async def floods(fleet: Fleet, _: int) -> None:
        nonlocal slowest, braked
        for _ in range(_FLOOD):
            async with fleet.http.post(f"{fleet.daemons[0].url}/internal/cluster-jobs", json=late) as answer:
                assert answer.status == 202
            await fleet.redis.xadd(STREAM, {"payload": _OF_BAD_PET})
        braked = braked or await _braked(fleet)
        slowest = max(slowest, await recovered(fleet))

    async with Fleet(directory, daemons=1) as fleet:
        await fleet.ready()
        load = Load(fleet, seed, pets=_NEIGHBOURS, jobs=size.jobs, rate=size.rate)
        await harmed(load, fleet, seed, size, floods, done=lambda: _is_all_that_waits(fleet, _OF_BAD_PET))
        counts = await verdict(fleet, load.ledger)
        reasons = await letters_by_reason(fleet)
    outcome = Outcome(counts, size.harms, counts.breaches(dead_letters=counts.dead_letters))
    outcome.figures["a job beside the floods takes, s"] = slowest
    outcome.expect_soon("a job beside the floods", slowest, SOON)
    outcome.expect(not braked, "the brake tripped")
    outcome.expect(reasons["stale_correction"] == _FLOOD * size.harms, f"reasons: {reasons}")
    outcome.expect(reasons["invalid"] >= 100, f"reasons: {reasons}")
    return outcome


async def _is_all_that_waits(fleet: Fleet, payload: bytes) -> bool:
    return all(fields[b"payload"] == payload for _, fields in await fleet.redis.xrange(STREAM))


async def _poisoned(
    fleet: Fleet, seed: int, size: Size, poison: Harm, letters: int | None = None
) -> tuple[Outcome, Counter[str]]:
    load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)
    await harmed(load, fleet, seed, size, poison)
    counts = await verdict(fleet, load.ledger)
    breaches = counts.breaches(dead_letters=size.harms if letters is None else letters)
    return Outcome(counts, size.harms, breaches), await letters_by_reason(fleet)


@asynccontextmanager
async def _marked(directory: Path) -> AsyncIterator[Fleet]:
    """Two daemons that do what job ids say, and try a job three times."""
    async with Fleet(directory, daemons=0) as fleet:
        for _ in range(2):
            await fleet.add_daemon({"CLUSTER_MAX_ATTEMPTS": "3"}, "tests.faults.marked").start()
        yield fleet


async def _add(fleet: Fleet, job_id: str, n: int) -> None:
    """A job of one of the load's pets."""
    job = {"pet_id": f"pet-{n % PETS}", "job_id": job_id, "payload": {"images": [{"image_id": job_id, "pose": [1.0]}]}}
    await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(job)})


async def _braked(fleet: Fleet) -> bool:
    _, reasons = await fleet.readiness(fleet.daemons[0])
    return any("brake" in reason for reason in reasons)


async def _goes_on(fleet: Fleet) -> bool:
    return not await _braked(fleet)
