"""A network between daemon and Redis that loses replies, is slow, or falls silent."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

from tests.faults.checker import verdict
from tests.faults.fed import FED
from tests.faults.fleet import ROOT, Fleet
from tests.faults.harm import PETS, SOON, Outcome, Size, applied_once, recovered, wait_for_harm
from tests.faults.load import Load
from tests.faults.marked import FAILS_ONCE
from tests.faults.proxy import Fate, Message, Proxy, Rule
from tests.faults.resp import has_entries

_HANDS_OVER = {"claim", "XREADGROUP"}
_READ_PATIENCE = 5.5 + 2.0
"""Seconds after which a read on a dead connection is given up (its block time and 5 s), and 2 s to recover."""


@asynccontextmanager
async def behind_proxies(
    directory: Path,
    daemons: int,
    rule: Rule | None = None,
    code: Path = ROOT,
) -> AsyncIterator[tuple[Fleet, list[Proxy]]]:
    """A fleet whose daemons each have a proxy of their own before Redis. The checker has none."""
    async with Fleet(directory, daemons=0, code=code) as fleet, AsyncExitStack() as open_proxies:
        proxies = []
        for number in range(daemons):
            proxy = Proxy(directory / f"p{number}.sock", fleet.server.socket, rule)
            proxies.append(await open_proxies.enter_async_context(proxy))
            url = f"unix://{proxy.path}"
            await fleet.add_daemon({"REDIS_URL": url, **FED}, "tests.faults.marked").start()
        yield fleet, proxies
        for daemon in fleet.daemons:  # before their proxies go, or they would see one more harm
            daemon.kill()


class Losses:
    """The rule that one reply in `one_in` to the command (to any, if '') never arrives: it was carried out, and nobody
    knows. A reply that hands over nothing is not worth losing.
    """

    def __init__(self, seed: int, one_in: int, command: str = "") -> None:
        self.count = 0
        self._random = Random(seed)
        self._one_in = one_in
        self._command = command

    def __call__(self, message: Message) -> Fate:
        if message.reply is None or (self._command and message.name != self._command):
            return Fate.PASS
        if self._command in _HANDS_OVER and not has_entries(message.reply):
            return Fate.PASS
        if self._random.randrange(self._one_in):
            return Fate.PASS
        self.count += 1
        return Fate.CUT


async def lost_replies(directory: Path, seed: int, size: Size, command: str = "") -> Outcome:
    """One reply in `size.harms` is lost. Some jobs fail once, so that there are retries."""
    losses = Losses(seed, size.harms, command)
    async with behind_proxies(directory, 2, losses) as (fleet, _):
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, marks={FAILS_ONCE: 0.1})
        load.start()
        await load.ended()
        await fleet.settled()
        counts = await verdict(fleet, load.ledger)
    outcome = Outcome(counts, losses.count, counts.breaches())
    outcome.expect(losses.count > 0, "no reply was lost")
    return outcome


lost_commits = partial(lost_replies, command="commit")
lost_retries = partial(lost_replies, command="retry")
lost_submits = partial(lost_replies, command="submit")
lost_claims = partial(lost_replies, command="claim")
lost_reads = partial(lost_replies, command="XREADGROUP")


async def slow_network(directory: Path, seed: int, size: Size) -> Outcome:
    """All the time 50 ms each way, and 50 kB a second a connection: a batch takes longer than the reclaim time."""
    async with behind_proxies(directory, 2) as (fleet, proxies):
        for proxy in proxies:
            proxy.latency, proxy.bytes_per_second = 0.05, 50_000
        return await applied_once(fleet, seed, size, _no_harm)


async def half_open(directory: Path, seed: int, size: Size, *, old: bool) -> Outcome:
    """The network falls silent for 1, then for 7 s: nothing arrives, nothing is closed.

    Then it is back, with the old connections or (not `old`) for new ones only.
    """
    slowest = 0.0
    async with behind_proxies(directory, 2) as (fleet, proxies):

        async def fall_silent(fleet: Fleet, n: int) -> None:
            nonlocal slowest
            for proxy in proxies:
                proxy.silence()
            await wait_for_harm((1.0, 7.0)[n % 2])
            for proxy in proxies:
                proxy.speak(old=old)
            slowest = max(slowest, await recovered(fleet))

        outcome = await applied_once(fleet, seed, size, fall_silent)
    outcome.recovers(slowest, within=SOON if old else _READ_PATIENCE)
    return outcome


silent_and_back = partial(half_open, old=True)
silent_for_ever = partial(half_open, old=False)


async def _no_harm(_fleet: Fleet, _n: int) -> None:
    """The harm goes on all the time."""
