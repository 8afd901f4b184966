"""One pet for the tests: its hash in a dict, jobs numbered as they come, and vectors with known groups."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sploot_clusterd.engine import (
    NO_PROFILES,
    Album,
    Applied,
    NeedsAllRowsError,
    Params,
    Profiles,
    apply,
    decode_album,
    images_named,
    new_album,
    render,
)
from sploot_clusterd.engine.album import Member
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import FloatVector, Insight, Job
from sploot_clusterd.snapshot import Snapshot

START_MS = 1_700_000_000_000


def insight(image_id, vector=None, quality=None, label=None, captured_ms=None, **kinds) -> Insight:
    vectors = {kind: np.asarray(values, dtype=np.float32) for kind, values in kinds.items()}
    if vector is not None:
        vectors["embedding"] = np.asarray(vector, dtype=np.float32)
    return Insight(image_id, vectors, quality, label, captured_ms)


def job(number: int, *images: Insight, **more) -> Job:
    """The pet's job of this number; its place in the order is its number too."""
    values = {
        "job_id": f"job-{number}",
        "sequence": EntryId(START_MS + 1000 * number, 0),
        "model_version": "m@1",
    } | more
    return Job("pet_123", images=images, **values)


def member(name="a", quality=0.6, closeness=1.0, taken_ms=START_MS):
    """An image of a cluster, as heroes are chosen from."""
    return Member(name, (1, 0), 0, quality, closeness, taken_ms)


def direction(group: int, spread: float = 0.0, seed: int = 0, dimension: int = 32) -> FloatVector:
    """A vector of a group: an axis of its own, a share that all groups have in common, and noise."""
    vector = np.zeros(dimension)
    vector[0] = 0.5
    vector[1 + group] = 1.0
    noise = np.random.default_rng(1000 * group + seed).normal(size=dimension) / np.sqrt(dimension)
    return (vector + spread * noise).astype(np.float32)


def row_field(image_id: str) -> bytes:
    """A row is kept beside the album's fields, by this name."""
    return b"r:" + image_id.encode()


@dataclass
class Pet:
    """Applies jobs as the store would: loads the rows named, and all of them when asked to."""

    params: Params = field(default_factory=Params)
    album: Album = field(default_factory=lambda: new_album("pet_123"))
    fields: dict[bytes, bytes] = field(default_factory=dict)
    loaded_all: int = 0
    profiles: Profiles = NO_PROFILES
    with_faces: bool = False
    snapshots: dict[str, Snapshot | None] = field(default_factory=dict)
    checkpoint: Callable[[], None] = lambda: None

    def apply(self, *jobs: Job, now_ms: int = START_MS, with_wants: bool = False) -> Applied:
        how = {"profiles": self.profiles, "with_wants": with_wants, "with_faces": self.with_faces}
        how |= {"snapshots": self.snapshots, "checkpoint": self.checkpoint}
        rows = self.rows(images_named(jobs))
        try:
            applied = apply(self.album, jobs, rows, self.params, now_ms, **how)
        except NeedsAllRowsError:
            self.loaded_all += 1
            applied = apply(self.album, jobs, self.rows(), self.params, now_ms, complete=True, **how)
        self.fields.update(applied.writes)
        self.fields.update((row_field(image), raw) for image, raw in applied.rows.items())
        for name in (*applied.deletes, *map(row_field, applied.dropped_rows)):
            del self.fields[name]
        self.album = applied.album
        return applied

    def rows(self, names: set[str] | None = None) -> dict[str, bytes]:
        if names is None:
            return {name[2:].decode(): raw for name, raw in self.fields.items() if name.startswith(b"r:")}
        return {name: self.fields[row_field(name)] for name in names if row_field(name) in self.fields}

    def snapshot(self) -> str:
        """Keeps the album as it is now. Returns the name to go back to it by."""
        name = f"snapshot-{len(self.snapshots)}"
        self.snapshots[name] = Snapshot(self.tables(), self.rows())
        return name

    def reload(self) -> Album:
        """Forgets the album in memory and reads it back from its hash."""
        self.album = decode_album("pet_123", self.tables())
        return self.album

    def tables(self) -> dict[bytes, bytes]:
        return {name: raw for name, raw in self.fields.items() if not name.startswith(b"r:")}

    @property
    def view(self) -> dict:
        return json.loads(render(self.album, self.params))

    @property
    def clusters(self) -> list[dict]:
        return self.view["clusters"]

    def members(self) -> dict[str, list[str]]:
        """Image ids of each cluster, by its id."""
        return {cluster["id"]: [member["image_id"] for member in cluster["members"]] for cluster in self.clusters}

    def cluster_of(self, image_id: str) -> str:
        return next(cluster for cluster, images in self.members().items() if image_id in images)


def photos(groups: Mapping[int, int] | Sequence[int], spread: float = 0.3, **more) -> list[Insight]:
    """`groups` tells how many photos of each group; they are named g<group>-<number>."""
    pairs = groups.items() if isinstance(groups, Mapping) else enumerate(groups)
    return [
        insight(f"g{group}-{number}", direction(group, spread, number), **more)
        for group, count in pairs
        for number in range(count)
    ]
