"""The first tables. What is here stays as it was released; schema.py tells what all migrations lead to."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None

_KEY: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_UPSERTED: Final[Any] = {"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02}
_BY_WEEK: Final = "RANGE (at_ms)"
_OPEN: Final = sa.text("until_version IS NULL AND live")
_CLOSED: Final = sa.text("until_ms IS NOT NULL")


def _columns(kind: Any, *names: str, nullable: bool = False) -> list[Any]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _texts(*names: str) -> list[Any]:
    return _columns(sa.Text, *names)


def _numbers(*names: str) -> list[Any]:
    return _columns(sa.BigInteger, *names)


def _partition() -> Any:
    return sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False)


def upgrade() -> None:
    _create_places()
    _create_versions()
    _create_intervals()
    _create_jobs()
    _create_snapshots()
    if op.get_context().dialect.name == "postgresql":
        for table in ("pet_clusters", "cluster_snapshots"):
            op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
        for table, column in (
            ("pet_clusters", "change"),
            ("newest_snapshots", "view"),
            ("newest_snapshots", "album"),
            ("cluster_snapshots", "view"),
            ("cluster_snapshots", "album"),
        ):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")


def _create_places() -> None:
    op.create_table("feed_places", _partition(), *_texts("event_id"), *_numbers("sequence", "updated_ms"))
    op.create_table(
        "stream_marks",
        _partition(),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        *_texts("value"),
        *_numbers("seen_ms"),
    )
    op.create_table(
        "refused_events",
        _partition(),
        sa.Column("event_id", sa.Text, primary_key=True),
        *_columns(sa.LargeBinary, "event"),
        *_texts("error"),
        *_numbers("at_ms"),
    )
    op.create_table(
        "erased_pets", sa.Column("pet_id", sa.Text, primary_key=True), *_numbers("erased_ms"), *_texts("event_id")
    )
    op.create_table(
        "profile_generations",
        sa.Column("model_version", sa.Text, primary_key=True),
        sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
        *_columns(sa.LargeBinary, "body"),
        *_texts("digest"),
        *_numbers("seen_ms"),
    )


def _create_versions() -> None:
    op.create_table(
        "pet_clusters",
        *_texts("pet_id", "incarnation"),
        *_numbers("version"),
        *_texts("token", "before"),
        *_numbers("partition", "sequence", "at_ms"),
        *_columns(sa.Boolean, "live"),
        *_numbers("num_clusters", "num_images", "num_unclustered"),
        *_texts("jobs"),
        *_columns(sa.LargeBinary, "change"),
        sa.PrimaryKeyConstraint("pet_id", "at_ms", "sequence", "token", name="pet_clusters_key"),
        postgresql_partition_by=_BY_WEEK,
    )
    op.create_index("pet_clusters_by_version", "pet_clusters", ["pet_id", "version"])
    op.create_table(
        "pet_latest",
        sa.Column("pet_id", sa.Text, primary_key=True),
        *_texts("incarnation"),
        *_numbers("version"),
        *_texts("token"),
        *_numbers("partition", "sequence", "at_ms", "num_clusters", "num_images", "num_unclustered"),
        *_columns(sa.Boolean, "complete"),
        postgresql_with=_UPSERTED,
    )


def _create_intervals() -> None:
    op.create_table(
        "cluster_members",
        sa.Column("id", _KEY, sa.Identity(), primary_key=True),
        *_texts("pet_id", "incarnation", "image_id", "cluster_id"),
        *_numbers("from_version"),
        *_columns(sa.BigInteger, "until_version", nullable=True),
        *_numbers("from_ms"),
        *_columns(sa.BigInteger, "until_ms", nullable=True),
        *_columns(sa.Boolean, "shown", "live"),
    )
    op.create_index("cluster_members_by_pet", "cluster_members", ["pet_id", "until_version"])
    op.create_index("cluster_members_by_image", "cluster_members", ["image_id", "id"])
    op.create_index(
        "cluster_members_open",
        "cluster_members",
        ["pet_id", "incarnation", "image_id", "cluster_id"],
        unique=True,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )
    op.create_index(
        "cluster_members_closed",
        "cluster_members",
        ["until_ms"],
        postgresql_where=_CLOSED,
        sqlite_where=_CLOSED,
    )
    op.create_table(
        "cluster_heroes",
        sa.Column("id", _KEY, sa.Identity(), primary_key=True),
        *_texts("pet_id", "incarnation", "cluster_id"),
        *_columns(sa.Text, "hero_image_id", nullable=True),
        *_texts("label"),
        *_numbers("from_version"),
        *_columns(sa.BigInteger, "until_version", nullable=True),
        *_numbers("from_ms"),
        *_columns(sa.BigInteger, "until_ms", nullable=True),
        *_columns(sa.Boolean, "live"),
    )
    op.create_index("cluster_heroes_by_pet", "cluster_heroes", ["pet_id", "until_version"])


def _create_jobs() -> None:
    op.create_table(
        "cluster_jobs",
        sa.Column("pet_id", sa.Text, primary_key=True),
        sa.Column("job_id", sa.Text, primary_key=True),
        *_texts("status"),
        *_columns(sa.Integer, "attempts", nullable=True),
        *_columns(sa.Text, "last_error", "reason", nullable=True),
        *_columns(sa.BigInteger, "submitted_ms", nullable=True),
        *_numbers("finished_ms"),
        *_columns(sa.BigInteger, "version", nullable=True),
        *_numbers("partition", "sequence"),
    )
    op.create_index("cluster_jobs_by_time", "cluster_jobs", ["pet_id", "finished_ms", "job_id"])
    op.create_index("cluster_jobs_of_all", "cluster_jobs", ["finished_ms"])


def _create_snapshots() -> None:
    for table, key, options in (
        ("newest_snapshots", ["pet_id"], {"postgresql_with": _UPSERTED}),
        ("cluster_snapshots", ["pet_id", "at_ms", "token"], {"postgresql_partition_by": _BY_WEEK}),
    ):
        op.create_table(
            table,
            *_texts("pet_id", "incarnation"),
            *_numbers("version"),
            *_texts("token"),
            *_numbers("at_ms"),
            *_columns(sa.LargeBinary, "view", nullable=True),
            *_columns(sa.LargeBinary, "album"),
            sa.PrimaryKeyConstraint(*key, name=f"{table}_key"),
            **options,
        )
    op.create_index("cluster_snapshots_by_version", "cluster_snapshots", ["pet_id", "version"])
