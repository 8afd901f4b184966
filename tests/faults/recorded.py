"""History beside what happened: each version of each pet once, in a chain to what Redis has."""

from collections import Counter
from collections.abc import Mapping

import msgspec
from sqlalchemy import select

from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import cluster_jobs, cluster_members, pet_clusters, pet_latest, refused_events
from sploot_clusterd.history.shown import shown_in
from tests.faults.fleet import Fleet


async def albums(fleet: Fleet) -> dict[str, str]:
    """Token by pet."""
    found = dict[str, str]()
    for keys in fleet.layout.partitions:
        prefix = keys.pet("").album
        async for key in fleet.redis.scan_iter(f"{prefix}*"):
            token = await fleet.redis.hget(key, "token")
            found[key.decode().removeprefix(prefix)] = (token or b"").decode()
    return found


def latest(database: Database) -> dict[str, str]:
    """Token by pet, of those of which nothing is missing."""
    asked = select(pet_latest.c.pet_id, pet_latest.c.token).where(pet_latest.c.complete)
    with database.read() as connection:
        return dict(map(tuple, connection.execute(asked)))


def superseded(database: Database) -> int:
    """Versions that Redis lost."""
    with database.read() as connection:
        return len(connection.execute(select(pet_clusters.c.token).where(~pet_clusters.c.live)).all())


async def history_breaches(fleet: Fleet, database: Database) -> list[str]:
    """What speaks against it, on the branch that lives."""
    wanted = await albums(fleet)
    with database.read() as connection:
        versions = connection.execute(select(pet_clusters).order_by(pet_clusters.c.version, pet_clusters.c.sequence))
        chains: dict[str, list[tuple[str, str]]] = {}
        told = Counter[tuple[str, str]]()
        for row in versions.all():
            if not row.live:
                continue
            chains.setdefault(row.pet_id, []).append((row.before, row.token))
            told.update((row.pet_id, job) for job in msgspec.json.decode(row.jobs))
        applied = select(cluster_jobs.c.pet_id, cluster_jobs.c.job_id).where(cluster_jobs.c.status == "applied")
        jobs = {tuple(row) for row in connection.execute(applied)}
        refused = len(connection.execute(select(refused_events)).all())
    breaches = [f"{refused} events were refused"] if refused else []
    breaches += [f"{pet} ends with {chains.get(pet)}" for pet, token in wanted.items() if not _ends(chains, pet, token)]
    for pet, chain in chains.items():
        befores = ["", *(token for _, token in chain)]
        wrong = [token for (before, token), expected in zip(chain, befores, strict=False) if before != expected]
        breaches += [f"{pet}: {token} does not follow the one before it" for token in wrong]
    breaches += [f"{job} was told {times} times" for job, times in told.items() if times > 1]
    breaches += [f"{len(told.keys() ^ jobs)} jobs are other than those of versions"] if told.keys() != jobs else []
    return breaches + await _misplaced(fleet, database, wanted)


def _ends(chains: Mapping[str, list[tuple[str, str]]], pet: str, token: str) -> bool:
    return bool(chains.get(pet)) and chains[pet][-1][1] == token


async def _misplaced(fleet: Fleet, database: Database, pets: Mapping[str, str]) -> list[str]:
    """Pets whose images are elsewhere by history than in their views."""
    table = cluster_members.c
    found: dict[str, set[tuple[str, str]]] = {}
    with database.read() as connection:
        columns = select(table.pet_id, table.cluster_id, table.image_id)
        for pet, cluster, image in connection.execute(
            columns.where(table.until_version.is_(None), table.live, table.shown)
        ):
            found.setdefault(pet, set()).add((cluster, image))
    breaches = []
    for pet in pets:
        partition = fleet.layout.of(pet)
        view = await fleet.redis.get(partition.view(pet))
        if set(shown_in(view).members()) != found.get(pet, set()):
            breaches.append(f"{pet} is shown elsewhere than history says")
    return breaches
