"""`clusterd backfill`: has the daemon fetch whole pets from the storage service: those of a file, or all known ones."""

# ruff: noqa: T201 - a command prints

import asyncio
import hashlib
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from sploot_clusterd import stdio
from sploot_clusterd.config import Settings
from sploot_clusterd.config.files import without_mark
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.model import ID_PATTERN
from sploot_clusterd.progress import Progress
from sploot_clusterd.store import Store, session

_PETS_A_CALL: Final = 20
_MOST_WAITING: Final = 1000
"""Pets that wait for the storage service, with which no more are put before it: jobs have to get their turn."""
_LOOK_EVERY: Final = 0.2
_STUCK_SECONDS: Final = 15.0
_KNOWN: Final = "known"


class Pet(NamedTuple):
    """`mark` is its place among those of one backfill: they are done in the order of their marks."""

    mark: str
    pet_id: str


@dataclass
class Tally:
    """What became of the pets."""

    total: int
    before: int = 0
    """Done by an earlier run."""
    asked: int = 0
    wanted: int = 0
    """Of those asked for, whose list was not wanted already."""


def run(settings: Settings, file: Path | None, *, known: bool, rate: float, dry_run: bool, restart: bool) -> int:
    """Leave word of each pet, `rate` a second (0: as fast as it goes). 0.

    `file` None is standard input. Raises ConfigError for what is no list of pets, ClusterdError without Redis.
    """
    if settings.insights.url is None:
        stdio.say(
            "warning: insights.url is not set here; pets wait until a daemon runs that knows where the storage "
            "service is (STORAGE_SERVICE_URL)"
        )
    given = None if known else pets_of(file, settings.limits.id_length)

    async def work(store: Store) -> int:
        pets = _in_digest_order(await store.backfills.known_pets()) if given is None else given
        name = _KNOWN if known else _name_of(pets)
        reached = "" if restart else await store.backfills.reached(name)
        left = [pet for pet in pets if pet.mark > reached]
        tally = Tally(len(pets), before=len(pets) - len(left))
        if dry_run:
            print(f"would ask for {len(left)} pets{_told_before(tally)}")
            return 0
        await _Backfill(store, name, tally).run(left, rate)
        return 0

    return session.run(settings, work)


def pets_of(file: Path | None, longest: int) -> list[Pet]:
    """The pet ids of a file, one a line, each once. Raises ConfigError naming the line that is none."""
    name = str(file or "standard input")
    try:
        content = without_mark(file.read_bytes() if file else sys.stdin.buffer.read(), name)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None
    lines = [line.strip() for line in content.decode(errors="replace").splitlines()]
    for number, line in enumerate(lines, 1):
        if line and (len(line) > longest or not re.match(ID_PATTERN, line)):
            rule = f"expected a pet's id, 1 to {longest} of the characters A-Z a-z 0-9 . _ : -"
            raise ConfigError(f"{name}, line {number}: {rule}, got {line[:80]!r}")
    pet_ids = dict.fromkeys(filter(None, lines))
    if not pet_ids:
        raise ConfigError(f"{name}: expected pet ids, one a line, found none")
    return [Pet(f"{number:09}", pet_id) for number, pet_id in enumerate(pet_ids, 1)]


def _in_digest_order(pet_ids: set[str]) -> list[Pet]:
    """An order that a pet keeps while others come and go, by marks that name nobody."""
    return sorted(Pet(hashlib.sha256(pet_id.encode()).hexdigest(), pet_id) for pet_id in pet_ids)


def _name_of(pets: Sequence[Pet]) -> str:
    """Another list is another backfill."""
    return hashlib.sha256("\n".join(pet.pet_id for pet in pets).encode()).hexdigest()


class _Backfill:
    def __init__(self, store: Store, name: str, tally: Tally) -> None:
        self._store = store
        self._name = name
        self._tally = tally
        self._progress = Progress()
        self._waiting = 0

    async def run(self, pets: Sequence[Pet], rate: float) -> None:
        began, done = time.monotonic(), False
        try:
            for start in range(0, len(pets), _PETS_A_CALL):
                await self._room()
                if rate and (early := began + start / rate - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                await self._ask_for(pets[start : start + _PETS_A_CALL])
            await self._store.backfills.finish(self._name)
            done = True
        finally:  # also where it is interrupted, or Redis went away
            self._progress.keep(self._so_far())
            self._sum_up(done=done)

    async def _ask_for(self, pets: Sequence[Pet]) -> None:
        """The mark comes last: what a crash leaves undone between the two is asked for again, which harms nothing."""
        self._tally.wanted += await self._store.wants.want_lists([pet.pet_id for pet in pets])
        await self._store.backfills.reach(self._name, pets[-1].mark)
        self._tally.asked += len(pets)
        self._progress.show(self._so_far())

    async def _room(self) -> None:
        """Waits until fewer pets wait for the storage service."""
        least, changed_at, told = sys.maxsize, time.monotonic(), False
        while (waiting := (await self._store.wants.due(0)).pets) >= _MOST_WAITING:
            if waiting < least:
                least, changed_at = waiting, time.monotonic()
            if not told and time.monotonic() - changed_at > _STUCK_SECONDS:
                told = True
                stdio.say(f"{waiting} pets wait, and none is taken up: is a daemon running, with insights.url set?")
            self._waiting = waiting
            self._progress.show(self._so_far())
            await asyncio.sleep(_LOOK_EVERY)
        self._waiting = waiting

    def _so_far(self) -> str:
        tally = self._tally
        return f"{tally.before + tally.asked}/{tally.total} pets asked for, {self._waiting} wait for the service"

    def _sum_up(self, *, done: bool) -> None:
        tally = self._tally
        already = tally.asked - tally.wanted
        print(f"{tally.asked} pets asked for{f', {already} of them already' if already else ''}{_told_before(tally)}")
        if done:
            print("the daemon fetches them: media_cluster_insights_pets_waiting says how many wait")
        else:
            left = tally.total - tally.before - tally.asked
            print(f"interrupted, {left} pets are left: the same command goes on from there")


def _told_before(tally: Tally) -> str:
    if not tally.before:
        return ""
    return f"; {tally.before} of {tally.total} were by an earlier run (--restart: all of them again)"
