"""A pet's clusters, changed step by step, and the events that tell of it: what the feed holds, without Redis."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from sploot_clusterd.changes import Change, DeadJob
from sploot_clusterd.engine.differences import Shown, compare
from sploot_clusterd.engine.fragment import Face
from sploot_clusterd.history.told import Told, told
from sploot_clusterd.model import cluster_id
from sploot_clusterd.store import FeedEntry

EPOCH_MS = 1_764_210_000_000


@dataclass
class Pet:
    """What a view shows of a pet, and its album's token."""

    pet_id: str
    incarnation: str = ""
    token: str = ""
    version: int = 0
    clusters: dict[int, Face] = field(default_factory=dict)
    loose: tuple[str, ...] = ()
    then: dict[int, tuple[dict[int, Face], tuple[str, ...]]] = field(default_factory=dict)
    """What was shown, by version."""

    def members(self, version: int | None = None) -> set[tuple[str, str]]:
        """(cluster, image) at a version, or now; "" stands for no cluster."""
        clusters, loose = (self.clusters, self.loose) if version is None else self.then[version]
        shown = {(cluster_id(self.pet_id, n), image) for n, face in clusters.items() for image in face.images}
        return shown | {("", image) for image in loose}

    def faces(self, version: int | None = None) -> set[tuple[str, str | None, str]]:
        """(cluster, hero, label)."""
        clusters, _ = (self.clusters, self.loose) if version is None else self.then[version]
        return {(cluster_id(self.pet_id, n), face.hero, face.label) for n, face in clusters.items()}


class Teller:
    """One partition's feed."""

    def __init__(self, partition: int = 0) -> None:
        self._partition = partition
        self._nonces = itertools.count()
        self.events: list[Told] = []
        self._previous = ""
        self._sequence = 0

    def change(
        self, pet: Pet, clusters: dict[int, Face], loose: Sequence[str] = (), jobs: Sequence[str] = ("job",)
    ) -> Told:
        """A commit by which the pet is shown so."""
        nonce = f"n{next(self._nonces)}"
        pet.incarnation = pet.incarnation or nonce
        before = pet.token
        found = compare(pet.pet_id, Shown(pet.clusters, pet.loose), Shown(clusters, tuple(loose)), {})
        pet.version += 1
        pet.token, pet.clusters, pet.loose = f"{nonce}.{pet.version}", clusters, tuple(loose)
        pet.then[pet.version] = clusters, pet.loose
        images = {image for _, image in pet.members()}
        change = Change(
            pet.version,
            [*jobs],
            len(clusters),
            len(images),
            len(loose),
            found.clusters,
            found.unclustered,
            0,
            found.truncated,
        )
        return self._tell("changed", pet, before, pet.token, change=msgspec.Raw(msgspec.json.encode(change)))

    def dead(self, pet: Pet, job: DeadJob) -> Told:
        return self._tell("dead", pet, pet.token, pet.token, job=msgspec.Raw(msgspec.json.encode(job)))

    def erase(self, pet: Pet) -> Told:
        """The pet begins anew."""
        event = self._tell("erased", pet, pet.token, "")
        pet.incarnation, pet.token, pet.version, pet.clusters, pet.loose = "", "", 0, {}, ()
        pet.then.clear()
        return event

    def _tell(self, kind: str, pet: Pet, before: str, after: str, **more: msgspec.Raw) -> Told:
        self._sequence += 1
        event_id = f"{self._sequence}-{EPOCH_MS + 10 * self._sequence}"
        names = pet.pet_id, self._previous, kind, pet.incarnation, before, after
        change, job = (more.get(name, msgspec.Raw()) for name in ("change", "job"))
        self._previous = event_id
        self.events.append(told(self._partition, FeedEntry(*names, change, job, event_id)))
        return self.events[-1]


def face(hero: str, *others: str, label: str = "Portraits") -> Face:
    """A cluster as it is shown."""
    return Face(label, hero, 1 + len(others), False, (hero, *others))
