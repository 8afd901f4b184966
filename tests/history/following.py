"""A partition's writer without the loop around it, and what history has to say after it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sploot_clusterd.history.database import Database
from sploot_clusterd.history.due_pets import Pace
from sploot_clusterd.history.ledger import Ledger
from sploot_clusterd.history.packing import unpack
from sploot_clusterd.history.partition_writer import PartitionWriter, Parts
from sploot_clusterd.history.schema import newest_snapshots
from sploot_clusterd.history.shown import shown_in
from sploot_clusterd.snapshot import decode_snapshot
from tests.history.written import faces, latest, members, rows, tokens
from tests.support.side import Side, image

PACE = Pace(0.0, 0.0, 1.0, 1.0)


@dataclass
class Writing:
    """A partition's writer without the loop around it, and a clock that it goes by."""

    side: Side
    database: Database
    pool: ThreadPoolExecutor
    writer: PartitionWriter = field(init=False)

    def __post_init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """As a process that was started now."""
        store = self.side.store
        assert store.feed is not None
        parts = Parts(store.feed, store.pictures(0), Ledger(0), self.ask, self.side.metrics, PACE)
        self.writer = PartitionWriter(0, parts)

    async def ask(self, work, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, self.database, *arguments)

    async def settle(self) -> None:
        """Until nothing is left to be done."""
        for _ in range(200):
            busy = await self.writer.step()
            if not busy and not self.writer.is_surveying and not self.writer.pets_waiting:
                return
        raise AssertionError(f"{self.writer.pets_waiting} pets wait, surveying: {self.writer.is_surveying}")


async def upload(side: Side, count: int = 4, first: int = 0, pet: str = "pet") -> None:
    """Some photos that look alike, and some others, by a commit each."""
    for number in range(first, first + count):
        await side.add(pet, job_id=f"{pet}-job-{number}", payload=image(f"img-{number}", 1.0, number % 2, 0.1 * number))
        await side.run()


async def check(writing: Writing, pet: str = "pet") -> None:
    """History says of now what Redis says, and has the album."""
    side, database = writing.side, writing.database
    album = await side.redis.hgetall(side.keys.pet(pet).album)
    images = await side.redis.hgetall(side.keys.pet(pet).images)
    view = await side.redis.get(side.keys.view(pet))
    shown = shown_in(view)
    found = latest(database, pet)
    assert (found.token, found.complete) == (album[b"token"].decode(), True)
    assert members(database, pet) == set(shown.members())
    assert faces(database, pet) == {(cluster, *face) for cluster, face in shown.faces().items()}
    (kept,) = rows(database, newest_snapshots, pet_id=pet)
    snapshot = decode_snapshot(unpack(kept.album))
    assert dict(snapshot.fields) == album
    assert {name.encode(): row for name, row in snapshot.rows.items()} == images
    assert (kept.token, unpack(kept.view)) == (found.token, view)
    assert tokens(database, pet)[-1] == found.token
