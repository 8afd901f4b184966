"""What lies in a partition, carried to where its pets are placed anew.

For who alone may touch the partitions: nobody else's scripts run there meanwhile. Each step may be done twice, so that
one which was broken off is begun again. A pet is in its new place before it is gone from the old one.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sploot_clusterd.errors import PartitionMovedError
from sploot_clusterd.keys import Keys, PartitionKeys
from sploot_clusterd.store import scripts
from sploot_clusterd.store.connection import Argument
from sploot_clusterd.store.gateway import Call, Gateway, pairs
from sploot_clusterd.store.pets_of import pets_of
from sploot_clusterd.store.plain import MOST_FIELDS
from sploot_clusterd.store.stream import entry_id
from sploot_clusterd.wire import CARRIED_ATTEMPTS, first_place, named_ids

_JOBS_FROM: Final = "from {}"
_LETTERS_FROM: Final = "letters {}"
"""Fields of `routed`: the last job, or letter, that came from the partition of that number."""
PETS_A_CALL: Final = 32
_READ_TO_SEE: Final = 160
_ENTRIES_A_PAGE: Final = 32
_MARKS_A_PAGE: Final = 500
_FIRST: Final = "(0-0"


@dataclass
class Carried:
    """How much was carried."""

    pets: int = 0
    jobs: int = 0
    letters: int = 0


@dataclass
class Held:
    """What lies in some partitions. So many of the pets that `leave` were read, which took so many seconds."""

    pets: int = 0
    leave: int = 0
    jobs: int = 0
    letters: int = 0
    read: int = 0
    seconds: float = 0.0


class Transfer:
    """From any partition to the places that `place` tells of pets, '' among them: what names none. Every method raises
    StoreUnavailableError.
    """

    def __init__(self, gateway: Gateway, group: str, place: Callable[[str, Keys], PartitionKeys]) -> None:
        self._gateway = gateway
        self._group = group
        self._place = place
        self.carried = Carried()

    async def look(self, source: Keys, held: Held) -> None:
        """Adds what there is, and reads some pets, unless they are in motion, to see how long that takes. Changes
        nothing.
        """
        way = self._gateway.at(source)
        held.jobs += await way.read("upkeep", "XLEN", source.stream)
        held.letters += await way.read("upkeep", "XLEN", source.dead_letters)
        pets = set[str]()
        async for found in pets_of(self._gateway, source):
            pets |= found
        leave = [pet_id for pet_id in pets if self._place(pet_id, source) is not source]
        held.pets, held.leave = held.pets + len(pets), held.leave + len(leave)
        began = time.perf_counter()
        with suppress(PartitionMovedError):
            for at in range(0, min(len(leave), _READ_TO_SEE), PETS_A_CALL):
                calls = [Call({"pet_id": pet_id}, keys=source) for pet_id in leave[at : at + PETS_A_CALL]]
                held.read += len(await self._gateway.run_all(scripts.TAKE_PET, calls))
        held.seconds += time.perf_counter() - began

    async def marks(self, source: Keys) -> None:
        """What keeps pets erased. Of a source without partitions they are marks of the plain stream from now on."""
        if not isinstance(source, PartitionKeys):
            await self._marks(source, source.erased, "origins")
            await self._marks(source, source.erasing, "erasing")
            return
        await self._marks(source, source.erased, "erased")
        await self._marks(source, source.origins, "origins")
        await self._marks(source, source.erasing, "erasing")

    async def _marks(self, source: Keys, key: str, name: str) -> None:
        async for page in self._gateway.at(source).scan("upkeep", key, _MARKS_A_PAGE):
            for pet, mark in page.items():
                target = self._place(pet.decode(errors="replace"), source)
                if target is not source:
                    await self._gateway.at(target).command("upkeep", "HSET", getattr(target, name), pet, mark)
                    await self._gateway.at(source).command("upkeep", "HDEL", key, pet)

    async def jobs(self, source: Keys) -> None:
        """What is not settled, in its order; each job keeps its place and its attempts. To be called after `marks`.

        Of a source without partitions all stays: it is the plain stream from now on.
        """
        if not isinstance(source, PartitionKeys):
            return
        records: Mapping[bytes, bytes] = pairs(
            await self._gateway.at(source).read("upkeep", "HGETALL", source.attempts)
        )
        async for entries in self._pages(source, source.stream):
            moving: dict[PartitionKeys, list[Argument]] = {}
            settled = []
            for key, fields in entries:
                pet_id, _ = named_ids(fields)
                target = self._place(pet_id, source)
                if target is not source:
                    place = str(first_place(entry_id(key), fields))
                    told: dict[bytes, Argument] = {b"first_id": place, **fields, **_attempts(records.get(key, b""))}
                    moving.setdefault(target, []).extend((key, pet_id, place, *_flat(told)))
                    settled.append(key)
            for target, flat in moving.items():
                self.carried.jobs += await self._gateway.at(target).run(
                    scripts.ADOPT, source=_JOBS_FROM.format(source.partition), entries=flat
                )
            if settled:
                way = self._gateway.at(source)
                await way.run(scripts.SETTLE_ROUTED, group=self._group, entries=settled)
                await way.command("upkeep", "HDEL", source.attempts, *settled)

    async def pets(self, source: Keys) -> AsyncIterator[int]:
        """Albums, images, views, and what is wanted or to be told. How many pets more were carried, now and then."""
        async for found in pets_of(self._gateway, source):
            leaving = [pet_id for pet_id in found if self._place(pet_id, source) is not source]
            for at in range(0, len(leaving), PETS_A_CALL):
                yield await self._some_pets(source, leaving[at : at + PETS_A_CALL])

    async def _some_pets(self, source: Keys, pet_ids: Sequence[str]) -> int:
        taken = await self._gateway.run_all(
            scripts.TAKE_PET, [Call({"pet_id": pet_id}, keys=source) for pet_id in pet_ids]
        )
        there = [(pet_id, reply) for pet_id, reply in zip(pet_ids, taken, strict=True) if any(reply[::2])]
        puts = [Call({"pet_id": pet_id, "taken": reply}, keys=self._place(pet_id, source)) for pet_id, reply in there]
        await self._gateway.run_all(scripts.PUT_PET, puts)
        await self._gateway.run_all(scripts.LEAVE_PET, [Call({"pet_id": pet_id}, keys=source) for pet_id, _ in there])
        self.carried.pets += len(there)
        return len(there)

    async def letters(self, source: Keys) -> None:
        """Dead letters of pets; those that name none stay, as long as their partition does."""
        async for letters in self._pages(source, source.dead_letters):
            moving: dict[PartitionKeys, list[Argument]] = {}
            gone = []
            for key, fields in letters:
                target = self._place(fields.get(b"pet_id", b"").decode(errors="replace"), source)
                if target is not source:
                    moving.setdefault(target, []).extend((key, *_flat(fields)))
                    gone.append(key)
            for target, flat in moving.items():
                self.carried.letters += await self._gateway.at(target).run(
                    scripts.ADOPT_LETTERS, source=_LETTERS_FROM.format(source.partition), letters=flat
                )
            if gone:
                await self._gateway.at(source).run(scripts.DROP_LETTERS, ids=gone)

    async def profiles(self, source: Keys, target: PartitionKeys) -> None:
        """Copies what is there of encoders: nothing of it is ever another thing later."""
        states = pairs(await self._gateway.at(source).read("upkeep", "HGETALL", source.profiles))
        for version, state in states.items():
            name = version.decode(errors="replace")
            of_model = await self._gateway.at(source).read("upkeep", "HGETALL", source.profile(name))
            if of_model:
                await self._gateway.at(target).command("upkeep", "HSET", target.profile(name), *of_model)
            if await self._gateway.at(target).read("upkeep", "HGET", target.profiles, version) is None:
                await self._gateway.at(target).command("upkeep", "HSET", target.profiles, version, state)

    async def samples(self, source: Keys, target: PartitionKeys) -> None:
        """The fleet's samples, as a whole, and how far backfills are."""
        states = await self._gateway.at(source).read("upkeep", "HGETALL", source.profiles)
        names = {source.backfills: target.backfills}
        for version in (state.decode(errors="replace") for state in states[::2]):
            names |= dict(zip(source.sample(version), target.sample(version), strict=True))
        for key, to in names.items():
            dump = await self._gateway.at(source).read("upkeep", "DUMP", key)
            if dump is not None:
                await self._gateway.at(target).command("upkeep", "RESTORE", to, 0, dump, "REPLACE")

    async def forget_origins(self, members: Sequence[PartitionKeys]) -> None:
        """All of these is settled where it was: what is carried another time is not to be compared with it."""
        fields = [of.format(each.partition) for each in members for of in (_JOBS_FROM, _LETTERS_FROM)]
        for keys in members:
            await self._gateway.at(keys).command("upkeep", "HDEL", keys.routed, *fields)

    async def forget(self, source: Keys) -> None:
        """What is left in a place that no pet is placed in any more, but its stream."""
        states = await self._gateway.at(source).read("upkeep", "HGETALL", source.profiles)
        versions = [version.decode(errors="replace") for version in states[::2]]
        keys = [key for version in versions for key in (source.profile(version), *source.sample(version))]
        keys += [source.attempts, source.wants, source.tellings, source.erased, source.erasing, source.profiles]
        keys += [source.learning]
        keys += [source.dead_letters, source.letter_sizes, source.letter_pets, source.feed, source.feed_index]
        keys += [source.audit, source.audit_pets]
        for key in keys:
            await self._gateway.at(source).command("upkeep", "UNLINK", key)

    async def _pages(self, source: Keys, key: str) -> AsyncIterator[Sequence[tuple[bytes, dict[bytes, bytes]]]]:
        begin: str | bytes = _FIRST
        while True:
            found = await self._gateway.at(source).read("upkeep", "XRANGE", key, begin, "+", "COUNT", _ENTRIES_A_PAGE)
            if not found:
                return
            yield [(entry, pairs(flat)) for entry, flat in found]
            begin = b"(" + found[-1][0]


def _attempts(record: bytes) -> dict[bytes, bytes]:
    attempts = record.partition(b" ")[0]
    return {CARRIED_ATTEMPTS: attempts} if attempts.isdigit() and int(attempts) else {}


def _flat(fields: Mapping[bytes, Argument]) -> list[Argument]:
    """How many names and values follow, and these."""
    flat = [part for each in list(fields.items())[:MOST_FIELDS] for part in each]
    return [len(flat), *flat]
