"""Changing the number of partitions: group after group of them, so that it can go on where it was broken off.

What is recorded says how far it has come. While a group is in motion its partitions have a number that only this goes
by: nobody else's scripts touch them.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from sploot_clusterd.config import Settings
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import ClusterdError, GroupMissingError, StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout, PartitionKeys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.partitioning import Placing, partition_of
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.plain import PlainStream
from sploot_clusterd.store.recorded import Recorded
from sploot_clusterd.store.stream import Stream
from sploot_clusterd.store.tenure import Tenure
from sploot_clusterd.store.transfer import Carried, Held, Transfer
from sploot_clusterd.wire import named_ids

LONGEST_PATIENCE: Final = 12.0
"""Seconds until readers of a group have let go: a lease, what finishes in hand, and a look between them."""
_LEASE_MS: Final = 4000
_RENEW_EVERY: Final = 1.0
_LOOK_EVERY: Final = 0.25
_HEARD: Final = 0.75
"""Seconds in which each process that reads has heard of a change and acted upon it."""
_PENDING_A_PAGE: Final = 200
_NO_ID: Final = b"0-0"


class GroupMoved(NamedTuple):
    """How one group went; `refused_seconds` is for how long submits of its pets were refused."""

    group: int
    groups: int
    carried: Carried
    refused_seconds: float


class GroupPlan(NamedTuple):
    group: int
    partitions: Sequence[int]
    """All in which there are pets of the group, before or after."""
    held: Held


class Move:
    """One process that changes the number. Every method raises StoreUnavailableError."""

    def __init__(
        self, gateway: Gateway, recorded: Recorded, settings: Settings, metrics: Metrics, now: Placing
    ) -> None:
        """`now` is what is recorded, with a target."""
        stream = settings.stream
        self.placing = now
        self._layout = Layout(settings.clusters.namespace, stream.key, stream.dead_letter, max(2, now.total))
        """Its partitions go by what is set here, one by one."""
        self._layout.follow(now)
        self._gateway = gateway.at(self._layout.several[0])
        self._recorded, self._settings, self._metrics = recorded, settings, metrics
        self._member = f"{socket.gethostname()} {secrets.token_hex(4)}"
        self._mark = f"{now.number + 1} moving {self._member}"

    async def plan(self) -> AsyncIterator[GroupPlan]:
        """What each group holds, and how much of that is to be carried; nothing is changed."""
        transfer = Transfer(self._gateway, self._settings.stream.group, self._target)
        for group in range(self.placing.moved, self.placing.groups):
            members = [keys for keys in self._layout.several if keys.partition % self.placing.groups == group]
            held = Held()
            for source in self._sources(members):
                await transfer.look(source, held)
            yield GroupPlan(group, [keys.partition for keys in members], held)

    async def take(self) -> None:
        """Keeps others from doing the same. Raises ClusterdError where another one does it."""
        late = time.monotonic() + _LEASE_MS / 1000 + _RENEW_EVERY  # one that was killed is forgotten by then
        while (holder := await self._hold()) != self._member:
            if time.monotonic() > late:
                raise ClusterdError(f"partitions are being moved at {holder.partition(' ')[0]} already")
            await asyncio.sleep(_LOOK_EVERY)

    async def keep(self) -> None:
        """Until it is cancelled. Raises ClusterdError where another one does it now."""
        while True:
            await asyncio.sleep(_RENEW_EVERY)
            if (holder := await self._hold()) != self._member:
                raise ClusterdError(
                    f"partitions are being moved at {holder.partition(' ')[0]} now: this one was too slow"
                )

    async def _hold(self) -> str:
        """Who has it."""
        first = self._layout.several[0]
        values = {"member": self._member, "lives": _LEASE_MS}
        (reply,) = await self._gateway.run_each(scripts.HOLD, [Call(values, [first.mover], first)])
        return str(reply[0].decode(errors="replace"))

    async def let_go(self) -> None:
        """Others may do it now; where that cannot be said, a little later."""
        first = self._layout.several[0]
        with suppress(StoreUnavailableError):
            await self._gateway.run_each(scripts.LET_GO, [Call({"member": self._member}, [first.mover], first)])

    async def begin(self) -> None:
        """Makes the partitions that are new, and writes down that the number changes. Nothing is changed yet for any
        pet.
        """
        for keys in self._layout.several[self.placing.count if self.placing.count > 1 else 0 :]:
            await self._set_number(keys, str(self.placing.number))
            await Stream(self._gateway.at(keys), self._settings.stream, self._metrics).ensure_group()
        await self._recorded.record(replace(self.placing, target=0), self.placing)
        await asyncio.sleep(_HEARD)

    async def groups(self, progress: Callable[[int, Carried], None]) -> AsyncIterator[GroupMoved]:
        """Moves one after the other, and tells of each; `progress` is told of the one in motion."""
        while self.placing.moved < self.placing.groups:
            yield await self._move(self.placing.moved, progress)
        await self._finish()

    async def _move(self, group: int, progress: Callable[[int, Carried], None]) -> GroupMoved:
        await self._record(replace(self.placing, moving=True))
        members = [keys for keys in self._layout.several if keys.partition % self.placing.groups == group]
        await self._drained(members)
        began = time.monotonic()
        for keys in members:
            await self._set_number(keys, self._mark)
        transfer = Transfer(self._gateway, self._settings.stream.group, self._target)
        await self._carry(transfer, members, lambda: progress(group, transfer.carried))
        for keys in members:
            await self._gateway.at(keys).run(scripts.OPEN_LAYOUT, number=str(self.placing.number + 1))
        await self._record(replace(self.placing, moved=group + 1, moving=False))
        return GroupMoved(group, self.placing.groups, transfer.carried, time.monotonic() - began)

    async def _carry(self, transfer: Transfer, members: Sequence[PartitionKeys], told: Callable[[], None]) -> None:
        sources = self._sources(members)
        targets = [keys for keys in members if keys.partition < self.placing.target]
        await self._settle_routed(members)
        await self._raise_last_ids(sources, targets)
        for source in sources:
            await transfer.marks(source)
        for source in sources:
            await transfer.jobs(source)
        for source in sources:
            async for _ in transfer.pets(source):
                told()
            await transfer.letters(source)
        await self._take_encoders(transfer, targets)
        await transfer.forget_origins(members)
        for source in sources:
            if source not in targets:
                await transfer.forget(source)

    def _sources(self, members: Sequence[PartitionKeys]) -> Sequence[Keys]:
        """Where pets of the group are so far."""
        if self.placing.count == 1:
            return [self._layout.plain]
        return [keys for keys in members if keys.partition < self.placing.count]

    def _target(self, pet_id: str, source: Keys) -> PartitionKeys:
        """Where the pet will be; what names none stays, or goes where its whole partition goes."""
        number = partition_of(pet_id, self.placing.target) if pet_id else source.partition % self.placing.target
        return self._layout.several[number]

    async def _drained(self, members: Sequence[PartitionKeys]) -> None:
        """Waits until nobody reads these partitions, as far as that comes to be: who goes on can write nothing."""
        tenure = Tenure(self._gateway, self._layout, self._settings)
        heard, late = time.monotonic() + _HEARD, time.monotonic() + LONGEST_PATIENCE
        while time.monotonic() < late:
            await asyncio.sleep(_LOOK_EVERY)
            owners = await tenure.owners()
            if time.monotonic() > heard and all(owners[keys.partition] == "" for keys in members):
                return

    async def _settle_routed(self, members: Sequence[PartitionKeys]) -> None:
        """What came from the plain stream is settled there, and none of what did not is taken for older than that."""
        if self.placing.count == 1:
            return
        last = {keys.partition: await self._last_routed(keys) for keys in members}
        plain = self._layout.plain
        stream = PlainStream(self._gateway, self._layout, self._settings, self._metrics)
        begin: bytes = b"-"
        while True:
            page = await self._pending(plain, begin, max(last.values()))
            if not page:
                break
            settled = []
            for key, fields in zip(page, await stream.again(page), strict=True):
                number = partition_of(named_ids(fields)[0], self.placing.count)
                if fields and number in last and EntryId.parse(key.decode()) <= last[number]:
                    settled.append(key)
            if settled:
                await stream.settle(settled)
            begin = b"(" + page[-1]
        for keys in members:
            await self._gateway.at(keys).command("upkeep", "HDEL", keys.routed, "last")

    async def _pending(self, plain: Keys, begin: bytes, end: EntryId) -> list[bytes]:
        """Entries of the plain stream that were read and not settled, in their order."""
        who = self._settings.stream.group, begin, str(end), _PENDING_A_PAGE
        try:
            reply = await self._gateway.at(plain).command("upkeep", "XPENDING", plain.stream, *who, again=True)
        except GroupMissingError:
            return []
        return [key for key, *_ in reply]

    async def _last_routed(self, keys: PartitionKeys) -> EntryId:
        last = await self._gateway.at(keys).read("upkeep", "HGET", keys.routed, "last")
        return EntryId.parse((last or _NO_ID).decode())

    async def _raise_last_ids(self, sources: Sequence[Keys], targets: Sequence[PartitionKeys]) -> None:
        """Places that are given from now on are later than all that were."""
        found = [await self._gateway.at(keys).run(scripts.INSPECT, more_keys=[keys.stream]) for keys in sources]
        highest = max(EntryId.parse((last or _NO_ID).decode()) for ((_, last),) in found)
        if str(highest) != _NO_ID.decode():
            for keys in targets:
                await self._gateway.at(keys).run(scripts.RAISE_LAST_ID, least=str(highest).encode())

    async def _take_encoders(self, transfer: Transfer, targets: Sequence[PartitionKeys]) -> None:
        """Profiles for partitions that are new. Samples are merged wherever they lie: they stay, but for those without
        a partition, which the first one takes.
        """
        was_one = self.placing.count == 1
        plain, first = self._layout.plain, self._layout.several[0]
        for keys in targets:
            if was_one or keys.partition >= self.placing.count:
                await transfer.profiles(plain if was_one else first, keys)
        if was_one:
            await transfer.samples(plain, first)

    async def _finish(self) -> None:
        await self._record(Placing(self.placing.target, self.placing.number + 1, self.placing.count))

    async def _record(self, placing: Placing) -> None:
        await self._recorded.record(self.placing, placing)
        self.placing = placing

    async def _set_number(self, keys: PartitionKeys, number: str) -> None:
        await self._gateway.at(keys).command("upkeep", "SET", keys.layout, number)
        keys.goes_by = number
