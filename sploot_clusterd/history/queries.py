"""The statements by which readers are answered; each goes by an index, whatever there is in the tables."""

from typing import Any, Final

from sqlalchemy import BigInteger, BindParameter, Text, and_, bindparam, or_, select, tuple_

from sploot_clusterd.history.schema import (
    cluster_heroes,
    cluster_jobs,
    cluster_members,
    cluster_snapshots,
    newest_snapshots,
    pet_clusters,
    pet_latest,
)


def _holds_at_version(table: Any) -> Any:
    return and_(
        table.c.pet_id == bindparam("pet"),
        table.c.incarnation == bindparam("incarnation"),
        table.c.live,
        table.c.from_version <= bindparam("version"),
        or_(table.c.until_version.is_(None), table.c.until_version > bindparam("version")),
    )


def _whole(name: str) -> BindParameter[int]:
    """Where a parameter's type is not known from what it is compared with."""
    return bindparam(name, type_=BigInteger)


LATEST: Final = select(pet_latest).where(pet_latest.c.pet_id == bindparam("pet"))
_OF_PET: Final = pet_clusters.c.pet_id == bindparam("pet")
_NEWEST_FIRST: Final = (pet_clusters.c.at_ms.desc(), pet_clusters.c.sequence.desc())
BEFORE: Final = tuple_(pet_clusters.c.at_ms, pet_clusters.c.sequence) < tuple_(_whole("ms"), _whole("sequence"))
VERSION: Final = select(pet_clusters).where(
    _OF_PET, pet_clusters.c.version == bindparam("version"), pet_clusters.c.live
)
"""In no order: that would tempt PostgreSQL to go through all versions of the pet by their times."""
VERSIONS: Final = select(pet_clusters).where(_OF_PET).order_by(*_NEWEST_FIRST).limit(_whole("most"))
MEMBERS: Final = (
    select(*cluster_members.c["image_id", "cluster_id", "shown"])
    .where(_holds_at_version(cluster_members))
    .order_by(cluster_members.c.image_id)
)
HEROES: Final = select(*cluster_heroes.c["cluster_id", "hero_image_id", "label"]).where(
    _holds_at_version(cluster_heroes)
)
NEWEST_VIEW: Final = select(newest_snapshots.c.view).where(
    newest_snapshots.c.pet_id == bindparam("pet"), newest_snapshots.c.token == bindparam("token")
)
FORMER_VIEW: Final = select(cluster_snapshots.c.view).where(
    cluster_snapshots.c.pet_id == bindparam("pet"),
    cluster_snapshots.c.version == bindparam("version"),
    cluster_snapshots.c.token == bindparam("token"),
)
STAYS: Final = (
    select(cluster_members)
    .where(cluster_members.c.image_id == bindparam("image"))
    .order_by(cluster_members.c.id.desc())
    .limit(_whole("most"))
)
JOBS: Final = (
    select(cluster_jobs)
    .where(cluster_jobs.c.pet_id == bindparam("pet"), cluster_jobs.c.status != "lost")
    .order_by(cluster_jobs.c.finished_ms.desc(), cluster_jobs.c.job_id.desc())
    .limit(_whole("most"))
)
JOBS_BEFORE: Final = tuple_(cluster_jobs.c.finished_ms, cluster_jobs.c.job_id) < tuple_(
    _whole("ms"), bindparam("job", type_=Text)
)
