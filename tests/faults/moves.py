"""The number of partitions is changed while jobs come in, and who changes it is killed in the middle."""

import asyncio
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from sploot_clusterd.partitioning import Placing
from tests.faults.fleet import Fleet
from tests.faults.harm import PETS, Outcome, Size, applied_once, harmed, kill, wait_for_harm
from tests.faults.order import Names, outcome_of

_COUNTS = (4, 8)
_KILLS = 3
"""Of each move."""


async def killed(directory: Path, seed: int, size: Size) -> Outcome:
    """From four to eight and back, in turn; each move is killed some times, and a daemon in the middle of one."""
    moves = Moves(seed)
    async with Fleet(directory, partitions=_COUNTS[0]) as fleet, Readers(fleet) as readers:
        outcome = await applied_once(fleet, seed, size, moves.harm, pets=PETS)
    outcome.figures["a group refused for, s"] = max(moves.refused)
    outcome.figures["views missed by readers"] = readers.missed
    outcome.expect(readers.reads > 0 and not readers.missed, f"{readers.missed} views of {readers.reads} missed")
    return outcome


async def inversions(directory: Path, seed: int, size: Size) -> Outcome:
    """The same, and every job's effect shows whether a later one had been applied. All go by the plain stream."""
    async with Fleet(directory, partitions=_COUNTS[0]) as fleet:
        load = Names(fleet, seed, jobs=size.jobs, rate=size.rate, over_http=0.0)
        await load.sow()
        await harmed(load, fleet, seed, size, Moves(seed).harm)
        return await outcome_of(fleet, load, size)


class Moves:
    """The harm, and for how long groups were refused."""

    def __init__(self, seed: int) -> None:
        self.refused = [0.0]
        self._draw = random.Random(seed)

    async def harm(self, fleet: Fleet, n: int) -> None:
        count, target = _COUNTS[n % 2], _COUNTS[(n + 1) % 2]
        for _ in range(_KILLS):
            process = await _move(fleet, count, target)
            await wait_for_harm(self._draw.uniform(0.3, 4.0))
            if process.returncode is None:
                process.kill()
            printed, _ = await process.communicate()
            self.refused += _refused(printed)
        await kill(fleet, n)
        process = await _move(fleet, count, target)
        printed, _ = await process.communicate()
        assert process.returncode == 0, printed.decode()
        self.refused += _refused(printed)
        fleet.layout.follow(Placing(target, n + 2, count))


class Readers:
    """Within it, pets that have a view are asked for at each daemon that answers."""

    def __init__(self, fleet: Fleet) -> None:
        self.reads = self.missed = 0
        self._fleet = fleet

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run(self._fleet))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        self._running.cancel()
        await asyncio.wait({self._running})

    async def _run(self, fleet: Fleet) -> None:
        seen = set[str]()
        while True:
            for n in range(PETS):
                daemon, pet = fleet.daemons[n % 2], f"pet-{n}"
                url = f"{daemon.url}/internal/pets/{pet}/clusters"
                try:
                    async with fleet.http.get(url, timeout=aiohttp.ClientTimeout(total=5)) as answer:
                        status = answer.status
                except (aiohttp.ClientError, TimeoutError):
                    continue  # it was killed
                self.reads += pet in seen
                self.missed += pet in seen and status != 200
                seen.update({pet} if status == 200 else ())
            await asyncio.sleep(0.01)


async def _move(fleet: Fleet, count: int, target: int) -> asyncio.subprocess.Process:
    words = ("-P", "-m", "sploot_clusterd", "partitions", "move", str(target), "--json")
    env = {**os.environ, "REDIS_URL": fleet.redis_url, "CLUSTER_PARTITIONS": str(count)}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, env=env, cwd=fleet.directory, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )


def _refused(printed: bytes) -> Iterator[float]:
    for line in printed.splitlines():
        if line.startswith(b"{"):
            yield json.loads(line)["refused_seconds"]
