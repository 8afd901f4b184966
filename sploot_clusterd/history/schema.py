"""The tables, for SQLite and PostgreSQL alike. Times are whole milliseconds since 1970 in UTC.

A pet's life is its `incarnation`; its rows of one life are ordered by `version`. A failover of Redis that lost commits
makes versions come again with another `token`: the rows that it superseded stay, with `live` false. Intervals hold for
the versions from `from_version` on and before `until_version`, which is NULL while they are open.

`pet_clusters` and `cluster_snapshots` are partitioned by weeks of `at_ms` in PostgreSQL (`weeks.py`), by the time
within the event, which is the same at each delivery. Whatever has to outlive retention is in tables of its own.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

metadata: Final = MetaData()

REVISION: Final = "0001"
"""The newest migration, which makes what is described here."""

UNCLUSTERED: Final = ""
"""In place of a cluster's id in `cluster_members`: the view's list of images outside of all clusters."""

_KEY: Final = BigInteger().with_variant(Integer, "sqlite")
"""A number that SQLite gives out itself, which it does for its own type only."""
_UPSERTED: Final[Any] = {"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02}
"""Of tables whose rows are written again and again: room for the next one on the page, and vacuum before they grow."""


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _maybe(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _yes_or_no(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


feed_places: Final = Table(
    "feed_places",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    _text("event_id"),
    _number("sequence"),
    _number("updated_ms"),
)
"""How far each partition's feed is written: moved on in the transaction that writes the rows."""

pet_clusters: Final = Table(
    "pet_clusters",
    metadata,
    _text("pet_id"),
    _text("incarnation"),
    _number("version"),
    _text("token"),
    _text("before"),
    _number("partition"),
    _number("sequence"),
    _number("at_ms"),
    _yes_or_no("live"),
    _number("num_clusters"),
    _number("num_images"),
    _number("num_unclustered"),
    _text("jobs"),
    _bytes("change"),
    PrimaryKeyConstraint("pet_id", "at_ms", "sequence", "token", name="pet_clusters_key"),
    Index("pet_clusters_by_version", "pet_id", "version"),
    postgresql_partition_by="RANGE (at_ms)",
)
"""Each version that was: `jobs` is a JSON list of ids, `change` the event's change as packed JSON."""

pet_latest: Final = Table(
    "pet_latest",
    metadata,
    Column("pet_id", Text, primary_key=True),
    _text("incarnation"),
    _number("version"),
    _text("token"),
    _number("partition"),
    _number("sequence"),
    _number("at_ms"),
    _number("num_clusters"),
    _number("num_images"),
    _number("num_unclustered"),
    _yes_or_no("complete"),
    postgresql_with=_UPSERTED,
)
"""Each pet's newest version of the branch that lives; not `complete` where something before it is missing."""

cluster_members: Final = Table(
    "cluster_members",
    metadata,
    Column("id", _KEY, Identity(), primary_key=True),
    _text("pet_id"),
    _text("incarnation"),
    _text("image_id"),
    _text("cluster_id"),
    _number("from_version"),
    _maybe("until_version", BigInteger),
    _number("from_ms"),
    _maybe("until_ms", BigInteger),
    _yes_or_no("shown"),
    _yes_or_no("live"),
    Index("cluster_members_by_pet", "pet_id", "until_version"),
    Index("cluster_members_by_image", "image_id", "id"),
)
"""Where images were. Not `shown`: in the album but not listed by the view, known from snapshots."""

Index(
    "cluster_members_open",
    *(cluster_members.c[name] for name in ("pet_id", "incarnation", "image_id", "cluster_id")),
    unique=True,
    postgresql_where=cluster_members.c.until_version.is_(None) & cluster_members.c.live,
    sqlite_where=cluster_members.c.until_version.is_(None) & cluster_members.c.live,
)

Index(
    "cluster_members_closed",
    cluster_members.c.until_ms,
    postgresql_where=cluster_members.c.until_ms.is_not(None),
    sqlite_where=cluster_members.c.until_ms.is_not(None),
)

cluster_heroes: Final = Table(
    "cluster_heroes",
    metadata,
    Column("id", _KEY, Identity(), primary_key=True),
    _text("pet_id"),
    _text("incarnation"),
    _text("cluster_id"),
    _maybe("hero_image_id", Text),
    _text("label"),
    _number("from_version"),
    _maybe("until_version", BigInteger),
    _number("from_ms"),
    _maybe("until_ms", BigInteger),
    _yes_or_no("live"),
    Index("cluster_heroes_by_pet", "pet_id", "until_version"),
)
"""Clusters that were there, with hero and label: each cluster of a version has one row that holds then."""

cluster_jobs: Final = Table(
    "cluster_jobs",
    metadata,
    Column("pet_id", Text, primary_key=True),
    Column("job_id", Text, primary_key=True),
    _text("status"),
    _maybe("attempts", Integer),
    _maybe("last_error", Text),
    _maybe("reason", Text),
    _maybe("submitted_ms", BigInteger),
    _number("finished_ms"),
    _maybe("version", BigInteger),
    _number("partition"),
    _number("sequence"),
    Index("cluster_jobs_by_time", "pet_id", "finished_ms", "job_id"),
    Index("cluster_jobs_of_all", "finished_ms"),
)
"""What became of each job: `status` is applied, dead (with a `reason`), or lost with the commit that applied it."""


def _snapshot(name: str, *more: Any, **options: Any) -> Table:
    return Table(
        name,
        metadata,
        _text("pet_id"),
        _text("incarnation"),
        _number("version"),
        _text("token"),
        _number("at_ms"),
        _maybe("view", LargeBinary),
        _bytes("album"),
        *more,
        **options,
    )


newest_snapshots: Final = _snapshot(
    "newest_snapshots", PrimaryKeyConstraint("pet_id", name="newest_snapshots_key"), postgresql_with=_UPSERTED
)
"""Of each pet the newest album, and its view, packed (`packing.py`): what `restore` goes by, whatever its age."""

cluster_snapshots: Final = _snapshot(
    "cluster_snapshots",
    PrimaryKeyConstraint("pet_id", "at_ms", "token", name="cluster_snapshots_key"),
    Index("cluster_snapshots_by_version", "pet_id", "version"),
    postgresql_partition_by="RANGE (at_ms)",
)
"""Albums and views of former versions, of some of them."""

profile_generations: Final = Table(
    "profile_generations",
    metadata,
    Column("model_version", Text, primary_key=True),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    _bytes("body"),
    _text("digest"),
    _number("seen_ms"),
)
"""Every generation of each model version's profile: albums need that by which they are compared."""

stream_marks: Final = Table(
    "stream_marks",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    _text("value"),
    _number("seen_ms"),
)
"""What a rebuilt Redis has to begin with: the layout, last ids of streams, erase marks."""

erased_pets: Final = Table(
    "erased_pets",
    metadata,
    Column("pet_id", Text, primary_key=True),
    _number("erased_ms"),
    _text("event_id"),
)
"""Pets whose rows were deleted, and have to stay away."""

refused_events: Final = Table(
    "refused_events",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("event_id", Text, primary_key=True),
    _bytes("event"),
    _text("error"),
    _number("at_ms"),
)
"""Events that could not be written, as they are."""

BY_WEEK: Final = (pet_clusters, cluster_snapshots)
"""The tables that PostgreSQL has in weekly partitions."""
EXTERNAL: Final = (
    (pet_clusters, "change"),
    *((table, column) for table in (newest_snapshots, cluster_snapshots) for column in ("view", "album")),
)
"""Columns that are packed already: PostgreSQL keeps them as they are."""
OF_A_PET: Final = (
    pet_clusters,
    pet_latest,
    cluster_members,
    cluster_heroes,
    cluster_jobs,
    newest_snapshots,
    cluster_snapshots,
)
"""Whose rows go when their pet is erased."""
