"""Pets of a Redis that is lost, and comes back from history."""

from sploot_clusterd.history.database import Database
from sploot_clusterd.history.rebuilding import Rebuild, Rebuilt
from sploot_clusterd.store import Rebuilding
from tests.support import stores
from tests.support.side import Side, image

PETS = [f"pet_{n}" for n in range(5)]


async def upload(side: Side, pet: str, count: int, first: int = 0) -> None:
    for n in range(first, first + count):
        await side.add(pet, job_id=f"{pet}-job-{n}", payload=image(f"img-{n}", 1.0, n % 3, 0.1 * n))
        await side.run()


async def rebuild(side: Side, database: Database, show=lambda _: None) -> Rebuilt:
    store = side.store
    rebuilding = Rebuilding(store.gateway, store.layout, stores.settings("unix:///unused"))
    return await Rebuild(store, store.feed, rebuilding, database).run(show)


async def wipe(side: Side) -> None:
    await side.redis.flushall()
    for pet in PETS:
        side.cache.drop(pet)
    await side.stream.ensure_group()
