"""How large history gets, how long look-ups take in it, and by which indexes: `python -m tests.history.sizes`.

Fills a database as 10,000 pets of 100 images and 50 versions would leave it within the 90 days that are kept, with one
pet that changed 100,000 times, asks each question of some hundred pets, and prints tables for docs/history.md. It
takes some minutes, and 3 GB in the directory for temporary files. `--pets 100 --hot 1000` is quick.
"""

# ruff: noqa: T201 - a command prints

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import json
from sqlalchemy import Connection, Select, bindparam, insert, text

from sploot_clusterd.changes import Change, ClusterChange
from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history import queries, reading, schema
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.migrating import migrate
from sploot_clusterd.history.packing import pack
from sploot_clusterd.history.retention import make_weeks
from tests.support.postgres import Postgres, chosen, debian

IMAGES: Final = 100
VERSIONS: Final = 50
CLUSTERS: Final = 5
HOT: Final = "pet_hot"
PAGE: Final = 100
ALBUM_BYTES: Final = 100_000
"""Of 100 images with vectors of 512 16-bit numbers, which do not compress."""
DAYS: Final = 90
NOW: Final = 1_764_210_000_000
BEGIN: Final = NOW - DAYS * 86_400_000
ASKED: Final = 400

Rows = dict[Any, list[dict[str, Any]]]


def rows_of(pet: str, versions: int, images: int, drawn: random.Random) -> Rows:
    """As the writer leaves a pet that got some images with each version, of which one moved."""
    ids = [f"img_{pet[4:]}_{n:04}" for n in range(images)]
    each = max(images // versions, 1)
    rows: Rows = {table: [] for table in (*schema.OF_A_PET,)}
    life = {"pet_id": pet, "incarnation": f"{drawn.getrandbits(64):016x}"}
    token, members, heroes = "", dict[str, dict[str, Any]](), dict[str, dict[str, Any]]()
    for version in range(1, versions + 1):
        at = BEGIN + (NOW - BEGIN) * version // (versions + 1)
        before, token = token, f"{drawn.getrandbits(64):016x}.{version}"
        came = ids[(version - 1) * each : version * each]
        cluster = f"{pet}-cluster-{version % CLUSTERS}"
        began = {**life, "from_version": version, "from_ms": at}
        for image in came:
            members[image] = _stay(rows, began, image, f"{pet}-cluster-{drawn.randrange(CLUSTERS)}")
        moved = drawn.choice(list(members))
        members[moved] |= {"until_version": version, "until_ms": at}
        members[moved] = _stay(rows, began, moved, cluster)
        if version <= CLUSTERS or version % 5 == 0:
            if cluster in heroes:
                heroes[cluster] |= {"until_version": version, "until_ms": at}
            hero = {"cluster_id": cluster, "hero_image_id": moved, "label": "Portraits", "live": True}
            heroes[cluster] = {**began, **hero, "until_version": None, "until_ms": None}
            rows[schema.cluster_heroes].append(heroes[cluster])
        job = f"job_{pet[4:]}_{version}"
        changed = [ClusterChange(cluster, "changed", size=version, images_in=[*came, moved])]
        change = json.encode(Change(version, [job], CLUSTERS, len(members), 0, changed))
        counts = {"num_clusters": CLUSTERS, "num_images": len(members), "num_unclustered": 0}
        known = {**life, "version": version, "token": token, "at_ms": at}
        told = {**known, "partition": 0, "sequence": version, **counts}
        rows[schema.pet_clusters].append(
            {**told, "before": before, "live": True, "jobs": json.encode([job]).decode(), "change": pack(change)}
        )
        finished = {"pet_id": pet, "job_id": job, "status": "applied", "finished_ms": at, "version": version}
        rows[schema.cluster_jobs].append({**finished, "attempts": 1, "partition": 0, "sequence": version})
    rows[schema.pet_latest].append({**told, "complete": True})
    album = os.urandom(ALBUM_BYTES)
    rows[schema.newest_snapshots].append({**known, "view": pack(b'{"pet_id": "%s"}' % pet.encode()), "album": album})
    return rows


def _stay(rows: Rows, began: dict[str, Any], image: str, cluster: str) -> dict[str, Any]:
    row = {**began, "image_id": image, "cluster_id": cluster}
    row |= {"until_version": None, "until_ms": None, "shown": True, "live": True}
    rows[schema.cluster_members].append(row)
    return row


def fill(database: Database, pets: int, hot_versions: int) -> None:
    drawn = random.Random(1)
    for first in range(0, pets, 100):
        several = [rows_of(f"pet_{n:05}", VERSIONS, IMAGES, drawn) for n in range(first, min(first + 100, pets))]
        _add(database, several)
    hot = rows_of(HOT, hot_versions, IMAGES, drawn)
    for first in range(0, hot_versions, 5000):
        _add(database, [{table: rows[first : first + 5000] for table, rows in hot.items()}])
    with database.autocommit() as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")
    database.checkpoint()


def _add(database: Database, several: list[Rows]) -> None:
    for table in schema.OF_A_PET:
        if rows := [row for each in several for row in each.get(table, ())]:
            with database.write() as connection:
                connection.execute(insert(table), rows)


def questions(pets: int, hot_versions: int) -> dict[str, Callable[[Connection], object]]:
    """By what they are called, each of another pet whenever it is asked."""
    drawn = random.Random(2)

    def pet() -> str:
        return f"pet_{drawn.randrange(pets):05}"

    def image() -> str:
        return f"img_{drawn.randrange(pets):05}_{drawn.randrange(IMAGES):04}"

    deep = max(hot_versions - 999 * PAGE, PAGE) + 1
    place = f"{deep}-{BEGIN + (NOW - BEGIN) * deep // (hot_versions + 1)}"
    return {
        "`/clusters/latest`": lambda found: reading.latest(found, pet()),
        "`/clusters/{version}`": lambda found: reading.version(found, pet(), drawn.randrange(1, VERSIONS)),
        "`/clusters/history`, a page of 50": lambda found: reading.versions(found, pet(), None, None, 50),
        f"the same, page 1 of a pet with {hot_versions:,} versions": lambda found: reading.versions(
            found, HOT, None, None, PAGE
        ),
        "the same, page 1,000": lambda found: reading.versions(found, HOT, place, None, PAGE),
        "`/clusters/latest` of that pet": lambda found: reading.latest(found, HOT),
        "`/clusters/{version}` of that pet": lambda found: reading.version(found, HOT, hot_versions // 2),
        "`/images/{image_id}/clusters`": lambda found: reading.whereabouts(found, image(), None, PAGE),
        "`/jobs`, a page of 50": lambda found: reading.jobs_of(found, pet(), None, 50, frozenset()),
    }


def measured(database: Database, ask: Callable[[Connection], object]) -> tuple[float, float]:
    """Medians in ms of the time that it takes, and of this thread's CPU time, which other work hardly changes; taking a
    connection and giving it back included. What a server takes is in the first one only.
    """
    took, worked = [], []
    for _ in range(ASKED):
        began, working = time.perf_counter(), time.thread_time()
        with database.read() as connection:
            assert ask(connection) is not None
        worked.append((time.thread_time() - working) * 1000)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took[ASKED // 10 :]), statistics.median(worked[ASKED // 10 :])


def sizes(database: Database) -> Iterator[tuple[str, int, float]]:
    """Name, rows, MB with all indexes, of each table of pets."""
    with database.read() as connection:
        for table in schema.OF_A_PET:
            rows = connection.scalar(text(f"SELECT count(*) FROM {table.name}"))
            names = [table.name, *(each.name for each in table.indexes)]
            query = "SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN ({})"
            query = query.format(", ".join(f"'{name}'" for name in (*names, f"sqlite_autoindex_{table.name}_1")))
            if not database.is_sqlite:
                parts = f"SELECT relid FROM pg_partition_tree('{table.name}') UNION SELECT '{table.name}'::regclass"
                query = f"SELECT sum(pg_total_relation_size(relid)) FROM ({parts}) AS parts"
            yield table.name, rows, float(connection.scalar(text(query)) or 0) / 1e6


def plans(database: Database) -> Iterator[tuple[str, list[str]]]:
    """How the database goes about each statement."""
    values = {"pet": "pet_00007", "incarnation": "x", "version": 20, "most": 51, "image": "img_00007_0005"}
    values |= {"ms": NOW - 40 * 86_400_000, "sequence": 20, "token": "x"}
    later = queries.VERSIONS.where(schema.pet_clusters.c.at_ms <= bindparam("ms"), queries.BEFORE)
    asked: dict[str, Select[Any]] = {
        "newest version": queries.LATEST,
        "members at a version": queries.MEMBERS,
        "heroes at a version": queries.HEROES,
        "one version": queries.VERSION,
        "a page of versions": later,
        "stays of an image": queries.STAYS,
        "jobs": queries.JOBS,
        "view of the newest version": queries.NEWEST_VIEW,
        "view of a former version": queries.FORMER_VIEW,
    }
    how = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "
    with database.read() as connection:
        for name, query in asked.items():
            statement = query.params({key: values[key] for key in query.compile().params if key in values})
            literal = statement.compile(connection, compile_kwargs={"literal_binds": True})
            rows = connection.exec_driver_sql(how + str(literal).replace("%", "%%")).all()
            yield name, [row[-1] for row in rows]


def report(database: Database, pets: int, hot_versions: int) -> None:
    began = time.time()
    make_weeks(database, DAYS, NOW)
    fill(database, pets, hot_versions)
    print(f"\nfilled in {time.time() - began:.0f} s\n\n| table | rows | MB |\n|---|---|---|")
    for name, rows, megabytes in sizes(database):
        print(f"| `{name}` | {rows:,} | {megabytes:,.0f} |")
    print("\n| question | median, ms | CPU, ms |\n|---|---|---|")
    for name, ask in questions(pets, hot_versions).items():
        print("| {} | {:.2f} | {:.2f} |".format(name, *measured(database, ask)))
    for name, plan in plans(database):
        print(f"\n{name}:", *plan, sep="\n  ")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pets", type=int, default=10_000)
    parser.add_argument("--hot", type=int, default=100_100, help="versions of the pet that changes all the time")
    parser.add_argument("--only", choices=["sqlite", "wheel", "debian"])
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sizes-") as directory:
        for name, programs in (("sqlite", None), ("wheel", chosen), ("debian", debian)):
            if asked.only not in {None, name}:
                continue
            print(f"\n## {name}")
            if programs is None:
                _report(f"sqlite:///{Path(directory)}/history.sqlite3", asked.pets, asked.hot)
                continue
            with Postgres(programs()) as server, server.database() as url:
                _report(url, asked.pets, asked.hot)


def _report(url: str, pets: int, hot_versions: int) -> None:
    settings = HistorySettings(url=SecretUrl(url))
    migrate(settings)
    database = Database.open(settings)
    report(database, pets, hot_versions)
    database.close()


if __name__ == "__main__":
    main()
