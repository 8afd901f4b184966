"""What readers ask of the database. Pages go by keys: the thousandth costs as much as the first."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Raw, json
from sqlalchemy import Connection, Row, Select, bindparam

from sploot_clusterd.history import queries
from sploot_clusterd.history.packing import unpack
from sploot_clusterd.history.schema import UNCLUSTERED, cluster_members, pet_clusters
from sploot_clusterd.past import (
    ImageStay,
    PastCluster,
    PastClusters,
    PastJob,
    PastJobs,
    PastVersion,
    PastVersions,
    Whereabouts,
)

_jobs: Final = json.Decoder(list[str]).decode
_NUMBER: Final = re.compile(r"[0-9]+\Z")


def latest(connection: Connection, pet_id: str) -> PastClusters | None:
    """The newest version that history has; None if it has nothing of the pet."""
    found = connection.execute(queries.LATEST, {"pet": pet_id}).first()
    return None if found is None else _clusters(connection, found, is_complete=found.complete)


def version(connection: Connection, pet_id: str, number: int) -> PastClusters | None:
    """A version of the branch that lives; of several lives of the pet that had such a one, of the last."""
    newest = connection.execute(queries.LATEST, {"pet": pet_id}).first()
    if newest is not None and newest.version == number:  # it outlives retention, its row among the versions does not
        return _clusters(connection, newest, is_complete=newest.complete)
    rows = connection.execute(queries.VERSION, {"pet": pet_id, "version": number}).all()
    found = max(rows, key=lambda row: (row.at_ms, row.sequence), default=None)
    is_complete = newest is not None and newest.complete
    return None if found is None else _clusters(connection, found, is_complete=is_complete)


def versions(
    connection: Connection, pet_id: str, before: str | None, at_ms: int | None, limit: int
) -> PastVersions | None:
    """A page of what came before an event's id, or until a time; without either, the newest. None if there are none."""
    query = queries.VERSIONS
    values: dict[str, Any] = {"pet": pet_id, "most": limit + 1}
    if before is not None:
        sequence, ms = map(int, before.split("-"))
        # The time alone, too: by it PostgreSQL knows which partitions to leave out.
        query = query.where(pet_clusters.c.at_ms <= bindparam("ms"), queries.BEFORE)
        values |= {"sequence": sequence, "ms": ms}
    if at_ms is not None:
        query = query.where(pet_clusters.c.at_ms <= bindparam("at"))
        values["at"] = at_ms
    rows, more = _page(connection, query, values, limit)
    if not rows and before is None and at_ms is None:
        return None
    return PastVersions(pet_id, [_version(row) for row in rows], _event_id(rows[-1]) if more else None)


def whereabouts(connection: Connection, image_id: str, before: int | None, limit: int) -> Whereabouts | None:
    """A page of an image's stays in clusters. None if there are none."""
    query, values = queries.STAYS, {"image": image_id, "most": limit + 1}
    if before is not None:
        query = query.where(cluster_members.c.id < bindparam("before"))
        values["before"] = before
    rows, more = _page(connection, query, values, limit)
    if not rows and before is None:
        return None
    return Whereabouts(image_id, [_stay(row) for row in rows], str(rows[-1].id) if more else None)


def jobs_of(
    connection: Connection, pet_id: str, before: tuple[int, str] | None, limit: int, without: frozenset[str]
) -> PastJobs:
    """A page of a pet's jobs, by when they were finished (ms) and their ids, but for those that the reader knows."""
    query = queries.JOBS
    most = limit + len(without)
    values: dict[str, Any] = {"pet": pet_id, "most": most + 1}
    if before is not None:
        query = query.where(queries.JOBS_BEFORE)
        values |= {"ms": before[0], "job": before[1]}
    found, _ = _page(connection, query, values, most + 1)
    rows = [row for row in found if row.job_id not in without]
    place = f"{rows[limit - 1].finished_ms}-{rows[limit - 1].job_id}" if len(rows) > limit else None
    rows = rows[:limit]
    return PastJobs(pet_id, [_job(row) for row in rows], place)


def _page(
    connection: Connection, query: Select[Any], values: dict[str, Any], limit: int
) -> tuple[Sequence[Row[Any]], bool]:
    """At most so many rows, and whether there are more."""
    rows = connection.execute(query, values).all()
    return rows[:limit], len(rows) > limit


def _clusters(connection: Connection, row: Row[Any], *, is_complete: bool) -> PastClusters:
    values = {"pet": row.pet_id, "incarnation": row.incarnation, "version": row.version}
    listed: dict[str, list[str]] = {}
    unlisted: dict[str, list[str]] = {}
    for member in connection.execute(queries.MEMBERS, values):
        (listed if member.shown else unlisted).setdefault(member.cluster_id, []).append(member.image_id)
    faces = {face.cluster_id: face for face in connection.execute(queries.HEROES, values)}
    numbers = sorted((faces.keys() | listed.keys() | unlisted.keys()) - {UNCLUSTERED}, key=_number)
    clusters = [
        PastCluster(
            each,
            faces[each].label if each in faces else "",
            faces[each].hero_image_id if each in faces else None,
            listed.get(each, []),
            unlisted.get(each, []),
        )
        for each in numbers
    ]
    return PastClusters(
        row.pet_id,
        row.version,
        row.incarnation,
        row.token,
        stamp(row.at_ms),
        is_complete,
        row.num_clusters,
        row.num_images,
        row.num_unclustered,
        clusters,
        listed.get(UNCLUSTERED, []),
        _view(connection, row),
    )


def _view(connection: Connection, row: Row[Any]) -> Any:
    """The view of that very token, as JSON, where it was kept."""
    values = {"pet": row.pet_id, "token": row.token, "version": row.version}
    for query in (queries.NEWEST_VIEW, queries.FORMER_VIEW):
        if (packed := connection.scalar(query, values)) is not None:
            return Raw(unpack(packed))
    return None


def _version(row: Row[Any]) -> PastVersion:
    change: Any = Raw(unpack(row.change)) if row.change else None
    return PastVersion(
        _event_id(row),
        row.version,
        row.incarnation,
        row.before,
        row.token,
        stamp(row.at_ms),
        row.live,
        row.num_clusters,
        row.num_images,
        row.num_unclustered,
        _jobs(row.jobs),
        change,
    )


def _stay(row: Row[Any]) -> ImageStay:
    return ImageStay(
        row.pet_id,
        row.incarnation,
        row.cluster_id if row.cluster_id != UNCLUSTERED else None,
        row.from_version,
        row.until_version,
        stamp(row.from_ms),
        None if row.until_ms is None else stamp(row.until_ms),
        row.shown,
        row.live,
    )


def _job(row: Row[Any]) -> PastJob:
    return PastJob(
        row.job_id,
        row.status,
        row.attempts,
        row.last_error,
        row.reason,
        None if row.submitted_ms is None else stamp(row.submitted_ms),
        stamp(row.finished_ms),
        row.version,
    )


def stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event_id(row: Row[Any]) -> str:
    return f"{row.sequence}-{row.at_ms}"


def _number(cluster_id: str) -> tuple[int, str]:
    """Clusters are told in the order of their numbers."""
    found = _NUMBER.search(cluster_id)
    return int(found[0]) if found else 0, cluster_id
