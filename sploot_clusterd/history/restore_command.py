"""`clusterd history restore`: what it shows and tells."""

# ruff: noqa: T201 - a command prints

import json

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.rebuilding import Rebuild, Rebuilt
from sploot_clusterd.progress import Progress
from sploot_clusterd.store import Rebuilding, Store, session


def restore(settings: Settings, *, as_json: bool) -> int:
    """Puts back what history has. 0. Raises ClusterdError, where Redis or the database is away too."""
    database = Database.open(settings.history)
    progress = Progress()

    def show(rebuilt: Rebuilt) -> None:
        progress.show(_so_far(rebuilt))

    async def work(store: Store) -> int:
        if store.feed is None:
            raise ConfigError("feed.enabled is off, and history goes by the feed: leave it out")
        rebuilding = Rebuilding(store.gateway, store.layout, settings)
        rebuilt = await Rebuild(store, store.feed, rebuilding, database).run(show)
        progress.clear()
        if as_json:
            print(json.dumps(_as_json(rebuilt)))
        else:
            _tell(rebuilt)
        return 0

    try:
        database.require_schema()
        return session.run(settings, work, checks=False)
    finally:
        database.close()


def _so_far(rebuilt: Rebuilt) -> str:
    there = f", {rebuilt.there} were there" if rebuilt.there else ""
    erased = f", {rebuilt.erased} are erased" if rebuilt.erased else ""
    return f"{rebuilt.restored} pets restored{there}{erased}"


def _tell(rebuilt: Rebuilt) -> None:
    for pet in rebuilt.missing:
        state = f"as of version {pet.restored}" if pet.restored else "not there"
        jobs = " ".join(pet.jobs) or "none that are known"
        print(f"{pet.pet_id}: {state}, and {pet.newest} was the last one; missing jobs: {jobs}")
    print(_so_far(rebuilt))
    if rebuilt.missing:
        versions = sum(pet.newest - pet.restored for pet in rebuilt.missing)
        print(f"{len(rebuilt.missing)} pets lack {versions} versions: have their producers send these jobs again")


def _as_json(rebuilt: Rebuilt) -> dict[str, object]:
    counts = {"restored": rebuilt.restored, "there": rebuilt.there, "erased": rebuilt.erased}
    return {**counts, "missing": [each._asdict() for each in rebuilt.missing]}
