"""What events come to in rows: a pure function of them and of what is written.

Where an image was is an interval of versions, and so are a cluster's hero and label. What was opened by an event and
closed by a later one of the same batch is one row, written once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from sploot_clusterd.changes import Change, ClusterChange
from sploot_clusterd.history.branching import Newest
from sploot_clusterd.history.bulk import Row
from sploot_clusterd.history.packing import pack
from sploot_clusterd.history.schema import UNCLUSTERED
from sploot_clusterd.history.texts import clean
from sploot_clusterd.history.told import Told

_encode: Final = msgspec.json.Encoder().encode


class Face(NamedTuple):
    """What readers see of a cluster beside its images."""

    hero: str | None
    label: str


@dataclass
class Rows:
    """To be written: what is closed first, then what is new."""

    versions: list[Row] = field(default_factory=list)
    newest: dict[str, Row] = field(default_factory=dict)
    """By pet."""
    closed_members: dict[tuple[str, str, str], Row] = field(default_factory=dict)
    """By pet, cluster and image. Of what was open before there is one row at most, so the first to close it counts."""
    members: list[Row] = field(default_factory=list)
    closed_faces: dict[tuple[str, str], Row] = field(default_factory=dict)
    """By pet and cluster."""
    faces: list[Row] = field(default_factory=list)
    jobs: dict[tuple[str, str], Row] = field(default_factory=dict)
    """By pet and job: the last word."""


class Fold:
    """Takes events of a partition in their order; `take` gives the rows that they come to so far."""

    def __init__(self, newest: Mapping[str, Newest], faces: Mapping[tuple[str, str], Face]) -> None:
        """What is written: by pet, and by pet and cluster where an event tells of the half of a face."""
        self.newest = dict(newest)
        self._faces = dict(faces)
        self._rows = Rows()
        self._open_members: dict[tuple[str, str, str], Row] = {}
        self._open_faces: dict[tuple[str, str], Row] = {}

    def take(self) -> Rows:
        """The rows; what is added from now on comes to others."""
        rows, self._rows = self._rows, Rows()
        self._open_members.clear()
        self._open_faces.clear()
        return rows

    def forget(self, pet_id: str) -> None:
        """Nothing is written of the pet any more."""
        self.newest.pop(pet_id, None)
        self._faces = {key: face for key, face in self._faces.items() if key[0] != pet_id}

    def know(self, pet_id: str, cluster: str, face: Face) -> None:
        """What is written of a cluster now."""
        self._faces[pet_id, cluster] = face

    def apply(self, event: Told, change: Change) -> None:
        """A change that follows what is written, as far as that is known."""
        newest = self.newest.get(event.pet_id)
        follows = event.before == (newest.token if newest else "")
        complete = follows and not change.truncated and (newest is None or newest.complete)
        self.remember(event, change)
        self.newest[event.pet_id] = Newest(event.incarnation, event.version, event.after, complete)
        self._rows.newest[event.pet_id] = {
            "pet_id": event.pet_id,
            "incarnation": event.incarnation,
            "version": event.version,
            "token": event.after,
            "partition": event.partition,
            "sequence": event.place.sequence,
            "at_ms": event.at_ms,
            "num_clusters": change.num_clusters,
            "num_images": change.num_images,
            "num_unclustered": change.num_unclustered,
            "complete": complete,
        }
        # First what goes: an image that moves is in two changes.
        for each in change.clusters:
            self._close_members(event, each.id, each.images_out)
        for each in change.clusters:
            if each.what == "changed":  # they may have been in it, and not shown
                self._close_members(event, each.id, each.images_in)
            self._open(event, each.id, each.images_in)
            self._face(event, each)
        if change.unclustered:
            self._close_members(event, UNCLUSTERED, change.unclustered.images_out)
            self._open(event, UNCLUSTERED, change.unclustered.images_in)

    def remember(self, event: Told, change: Change) -> None:
        """The version and its jobs, and nothing of what it changed."""
        self._rows.versions.append(
            {
                "pet_id": event.pet_id,
                "incarnation": event.incarnation,
                "version": event.version,
                "token": event.after,
                "before": event.before,
                "partition": event.partition,
                "sequence": event.place.sequence,
                "at_ms": event.at_ms,
                "live": True,
                "num_clusters": change.num_clusters,
                "num_images": change.num_images,
                "num_unclustered": change.num_unclustered,
                "jobs": _encode(change.jobs).decode(),
                "change": pack(event.raw),
            }
        )
        for job in change.jobs:
            self._rows.jobs[event.pet_id, job] = _job_row(event, job, "applied", version=event.version)

    def dead(self, event: Told) -> None:
        """A job that became a dead letter."""
        if (job := event.job) is not None:
            self._rows.jobs[event.pet_id, job.job_id] = _job_row(
                event,
                job.job_id,
                "dead",
                attempts=job.attempts,
                last_error=clean(job.error),
                reason=clean(job.reason),
                submitted_ms=_accepted_ms(job.first_id),
            )

    def _open(self, event: Told, cluster: str, images: Iterable[str]) -> None:
        for image in images:
            row = {
                "pet_id": event.pet_id,
                "incarnation": event.incarnation,
                "image_id": image,
                "cluster_id": cluster,
                **_from(event),
                "shown": True,
                "live": True,
            }
            self._open_members[event.pet_id, cluster, image] = row
            self._rows.members.append(row)

    def _close_members(self, event: Told, cluster: str, images: Iterable[str]) -> None:
        for image in images:
            key = event.pet_id, cluster, image
            row = self._open_members.pop(key, None)
            if row is not None:
                row.update(_until(event))
            elif key not in self._rows.closed_members:
                row = {**_of(event), "cluster_id": cluster, "image_id": image, **_until(event)}
                self._rows.closed_members[key] = row

    def _face(self, event: Told, change: ClusterChange) -> None:
        key = event.pet_id, change.id
        before = self._faces.get(key)
        if change.what in ("merged", "gone"):
            self._close_face(event, change.id)
            return
        face = Face(change.hero_image_id, change.label or "")
        if change.what == "changed":
            if change.hero_image_id is None and change.label is None:
                return
            before = before or Face(None, "")
            face = Face(change.hero_image_id or before.hero, before.label if change.label is None else change.label)
            self._close_face(event, change.id)
        self._faces[key] = face
        row = {
            "pet_id": event.pet_id,
            "incarnation": event.incarnation,
            "cluster_id": change.id,
            "hero_image_id": face.hero,
            "label": face.label,
            **_from(event),
            "live": True,
        }
        self._open_faces[key] = row
        self._rows.faces.append(row)

    def _close_face(self, event: Told, cluster: str) -> None:
        key = event.pet_id, cluster
        self._faces.pop(key, None)
        row = self._open_faces.pop(key, None)
        if row is not None:
            row.update(_until(event))
        elif key not in self._rows.closed_faces:
            self._rows.closed_faces[key] = {**_of(event), "cluster_id": cluster, **_until(event)}


def half_told(events: Iterable[Told]) -> set[str]:
    """The pets with clusters of which an event tells a new hero or a new label, not both: the other one stays."""
    return {
        event.pet_id
        for event in events
        if event.change is not None
        for each in event.change.clusters
        if each.what == "changed" and (each.hero_image_id is None) != (each.label is None)
    }


def _of(event: Told) -> Row:
    return {"pet_id": event.pet_id, "incarnation": event.incarnation}


def _from(event: Told) -> Row:
    return {"from_version": event.version, "from_ms": event.at_ms, "until_version": None, "until_ms": None}


def _until(event: Told) -> Row:
    return {"until_version": event.version, "until_ms": event.at_ms}


def _job_row(event: Told, job: str, status: str, **more: object) -> Row:
    return {
        "pet_id": event.pet_id,
        "job_id": job,
        "status": status,
        "attempts": None,
        "last_error": None,
        "reason": None,
        "submitted_ms": None,
        "finished_ms": event.at_ms,
        "version": None,
        "partition": event.partition,
        "sequence": event.place.sequence,
        **more,
    }


def _accepted_ms(first_id: str) -> int | None:
    """An entry's id begins with the time at which it was added."""
    ms = first_id.partition("-")[0]
    return int(ms) if ms.isascii() and ms.isdecimal() and len(ms) <= 15 else None  # noqa: PLR2004 - of ms until 33,000
