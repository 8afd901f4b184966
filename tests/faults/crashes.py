"""Daemons that die at a named point: just before Redis is asked for something, or just after it has done it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec

from tests.faults.checker import LETTERS, NAMESPACE, verdict
from tests.faults.fleet import Daemon, Fleet
from tests.faults.harm import PETS, Outcome, Size, harmed
from tests.faults.load import STREAM, Load
from tests.faults.marked import FAILS_ONCE
from tests.faults.network import behind_proxies
from tests.faults.proxy import Fate, Message, Proxy
from tests.faults.resp import has_entries
from tests.support.waiting import eventually


class Point(NamedTuple):
    """Before that command reaches Redis, or after it was carried out and before its reply arrives."""

    command: str
    after: bool


_LOOK = "HMGET"
"""What loads an album that is in memory; the script `load` does the others."""
_HANDS_OVER = {Point("XREADGROUP", after=True), Point("claim", after=True)}
"""Where only a reply with entries is a point of interest."""
_WORK = (
    Point("XREADGROUP", after=True),
    Point("load", after=False),
    Point("commit", after=False),
    Point("commit", after=True),
    Point("retry", after=False),
    Point("retry", after=True),
    Point("submit", after=False),
    Point("submit", after=True),
    Point("claim", after=True),
    Point("dead_letter", after=False),
    Point("dead_letter", after=True),
)
_SUSPECT = (Point("begin_alone", after=False), Point("begin_alone", after=True))
_ERASE = (
    Point("erase", after=False),
    Point("erase", after=True),
    Point("erase_letters", after=False),
    Point("drop_events", after=False),
    Point("erase_letters", after=True),
    Point("drop_events", after=True),
    Point("erase_audit", after=False),
    Point("erase_audit", after=True),
)


class _Trap:
    """Kills its daemon when the message of the point comes by, once."""

    def __init__(self, daemon: Daemon, proxy: Proxy) -> None:
        self.daemon = daemon
        self._point: Point | None = None
        proxy.rule = self._look

    @property
    def is_set(self) -> bool:
        return self._point is not None

    def set(self, point: Point | None) -> None:
        self._point = point

    def _look(self, message: Message) -> Fate:
        if self._point is None or not _is_at(message, self._point):
            return Fate.PASS
        self.daemon.kill()
        self._point = None
        return Fate.CUT


async def while_working(directory: Path, seed: int, size: Size) -> Outcome:
    """After the read, around load, commit, retry, submit, claim and dead letter. One job in ten fails once."""
    poison = 0

    async def crash(fleet: Fleet, traps: Sequence[_Trap], n: int) -> None:
        nonlocal poison
        point = _WORK[n % len(_WORK)]
        if point.command == "dead_letter":
            poison += 1
            await fleet.redis.xadd(STREAM, {"payload": f"no job, number {n}"})
        victim = await _first_sprung(traps, point)
        await victim.start()

    outcome = await _crashes(directory, seed, size, crash)
    outcome.breaches = outcome.verdict.breaches(dead_letters=poison)
    return outcome


async def while_suspecting(directory: Path, seed: int, size: Size) -> Outcome:
    """Around the count of a lone run: what was in hand of two deaths is run alone, and a third comes right then."""

    async def crash(fleet: Fleet, traps: Sequence[_Trap], n: int) -> None:
        (victim,) = fleet.daemons
        for point in (Point("load", after=False), Point("claim", after=True)):
            await _first_sprung(traps, point)
            victim.launch()
        await _first_sprung(traps, _SUSPECT[n % 2])
        await victim.start()
        await _worked_off(fleet)  # or some job would meet so many deaths that it is rightly set aside

    return await _crashes(directory, seed, size, crash, daemons=1, fail_once=0.0)


async def while_erasing(directory: Path, seed: int, size: Size) -> Outcome:
    """Around the scripts of DELETE. Its caller asks again, and then nothing is left of the pet, or comes back."""
    erased: list[str] = []
    left: list[str] = []

    async def crash(fleet: Fleet, traps: Sequence[_Trap], n: int) -> None:
        pet = f"erased-{n}"
        await _fill(fleet, pet)
        victim = fleet.daemons[n % 2]
        traps[n % 2].set(_ERASE[n % len(_ERASE)])
        assert await _erase(fleet, victim, pet) is None, "the victim was to die with the request"
        assert await _erase(fleet, fleet.daemons[1 - n % 2], pet) == 200
        await victim.start()
        erased.append(pet)

    outcome = await _crashes(directory, seed, size, crash, check=lambda fleet: _left_of(fleet, erased, left))
    outcome.expect(not left, f"left of erased pets: {left}")
    return outcome


async def _crashes(
    directory: Path,
    seed: int,
    size: Size,
    crash: Callable[[Fleet, Sequence[_Trap], int], Awaitable[None]],
    *,
    daemons: int = 2,
    fail_once: float = 0.1,
    check: Callable[[Fleet], Awaitable[None]] | None = None,
) -> Outcome:
    async with behind_proxies(directory, daemons) as (fleet, proxies):
        traps = [_Trap(daemon, proxy) for daemon, proxy in zip(fleet.daemons, proxies, strict=True)]
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, marks={FAILS_ONCE: fail_once})
        await harmed(load, fleet, seed, size, lambda fleet, n: crash(fleet, traps, n))
        if check:
            await check(fleet)
        counts = await verdict(fleet, load.ledger)
    return Outcome(counts, size.harms, counts.breaches())


async def _first_sprung(traps: Sequence[_Trap], point: Point) -> Daemon:
    """The daemon that died first; the other trap is taken away."""
    for trap in traps:
        trap.set(point)
    victims: list[Daemon] = []

    def sprung() -> bool:
        victims.extend(trap.daemon for trap in traps if not trap.is_set)
        return bool(victims)

    await eventually(sprung, what=f"a crash at {point}", timeout=30)
    for trap in traps:
        trap.set(None)
    return victims[0]


async def _worked_off(fleet: Fleet) -> None:
    """Waits until all that is in the stream by now is settled."""
    last = (await fleet.redis.xinfo_stream(STREAM))["last-generated-id"]

    async def settled() -> bool:
        return not await fleet.redis.xrange(STREAM, "-", last, count=1)

    await eventually(settled, what="what was in hand to be settled", timeout=30)


async def _fill(fleet: Fleet, pet: str) -> None:
    """The pet has an album, a dead letter, and a job that waits."""
    job = {"pet_id": pet, "payload": {"image_ids": ["a", "b"]}}
    await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(job)})
    await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode({"pet_id": pet, "payload": 1})})

    async def there() -> bool:
        return bool(await fleet.redis.exists(f"{NAMESPACE}:album:{pet}")) and pet in await _pets_of_letters(fleet)

    await eventually(there, what=f"an album and a dead letter of {pet}")
    await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(job)})


async def _erase(fleet: Fleet, daemon: Daemon, pet: str) -> int | None:
    """The answer's status; None if there was none."""
    try:
        async with fleet.http.delete(f"{daemon.url}/internal/pets/{pet}") as answer:
            return answer.status
    except aiohttp.ClientError:
        return None


async def _left_of(fleet: Fleet, pets: Sequence[str], left: list[str]) -> None:
    keys = [f"{NAMESPACE}:{kind}:{pet}" for pet in pets for kind in ("album", "images", "state", "jobs")]
    left += [key for key in keys if await fleet.redis.exists(key)]
    left += sorted(await _pets_of_letters(fleet) & set(pets))
    events = [json.loads(fields[b"event"]) for _, fields in await fleet.redis.xrange(f"{NAMESPACE}:feed")]
    left += [f"an event of {each['pet_id']}" for each in events if each["kind"] != "erased" and each["pet_id"] in pets]


async def _pets_of_letters(fleet: Fleet) -> set[str]:
    return {fields[b"pet_id"].decode() for _, fields in await fleet.redis.xrange(LETTERS)}


def _is_at(message: Message, point: Point) -> bool:
    name = "load" if message.name == _LOOK else message.name
    if name != point.command or (message.reply is not None) != point.after:
        return False
    if message.reply is None:
        return True
    carried_out = not message.reply.startswith(b"-")  # a script that Redis does not know yet comes again with its text
    return carried_out and (point not in _HANDS_OVER or has_entries(message.reply))
