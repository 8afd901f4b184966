"""Rows as the writer leaves them, of made-up pets."""

from typing import Any

from msgspec import json
from sqlalchemy import Connection, insert

from sploot_clusterd.changes import Change, ClusterChange
from sploot_clusterd.history import schema
from sploot_clusterd.history.packing import pack

BEGIN = 1_764_210_000_000
"""2025-11-27T02:20:00Z"""
COUNTS = {"num_clusters": 2, "num_images": 9, "num_unclustered": 1}


def token(version: int, nonce: str = "a") -> str:
    return f"{nonce}.{version}"


def at(version: int) -> int:
    """A minute between versions."""
    return BEGIN + 60_000 * version


def change(version: int) -> bytes:
    """What the event of a version tells."""
    changed = ClusterChange("pet-cluster-0", "changed", size=version, images_in=[f"img_{version:03}"])
    return json.encode(Change(version, [f"job_{version}"], 2, 9, 1, [changed]))


def add_versions(connection: Connection, numbers: range, nonce: str = "a", later: int = 0, **more: Any) -> None:
    """`later`: by so many ms than is usual."""
    rows = [
        {
            "pet_id": "pet",
            "incarnation": "life",
            "version": number,
            "token": token(number, nonce),
            "before": token(number - 1, nonce),
            "partition": 0,
            "sequence": number,
            "at_ms": at(number) + later,
            "live": True,
            "jobs": json.encode([f"job_{number}"]).decode(),
            "change": pack(change(number)),
            **COUNTS,
            **more,
        }
        for number in numbers
    ]
    connection.execute(insert(schema.pet_clusters), rows)


def add_latest(connection: Connection, version: int, **more: Any) -> None:
    row = {"pet_id": "pet", "incarnation": "life", "version": version, "token": token(version), "at_ms": at(version)}
    row |= {"partition": 0, "sequence": version, "complete": True, **COUNTS, **more}
    connection.execute(insert(schema.pet_latest), row)


def add_stay(connection: Connection, image: str, cluster: str, first: int, until: int | None, **more: Any) -> None:
    """Of an image in a cluster, in the versions from the first one on."""
    row = _interval(cluster, first, until) | {"image_id": image, "shown": True, **more}
    connection.execute(insert(schema.cluster_members), row)


def add_hero(connection: Connection, cluster: str, image: str, first: int, until: int | None, **more: Any) -> None:
    row = _interval(cluster, first, until) | {"hero_image_id": image, "label": f"With {image}", **more}
    connection.execute(insert(schema.cluster_heroes), row)


def _interval(cluster: str, first: int, until: int | None) -> dict[str, Any]:
    row = {"pet_id": "pet", "incarnation": "life", "cluster_id": cluster, "from_version": first, "from_ms": at(first)}
    return row | {"until_version": until, "until_ms": until and at(until), "live": True}


def add_job(connection: Connection, job: str, finished: int, **more: Any) -> None:
    row = {"pet_id": "pet", "job_id": job, "status": "applied", "finished_ms": at(finished), "version": finished}
    row |= {"partition": 0, "sequence": finished, "attempts": None, "last_error": None, "reason": None}
    connection.execute(insert(schema.cluster_jobs), row | {"submitted_ms": None, **more})


def add_snapshot(
    connection: Connection, table: Any, version: int, view: bytes, album: bytes = b"", **more: Any
) -> None:
    row = {"pet_id": "pet", "incarnation": "life", "version": version, "token": token(version), "at_ms": at(version)}
    connection.execute(insert(table), row | {"view": pack(view), "album": pack(album), **more})
