"""What stands behind the web in its tests: a store in memory, which can be told to fail."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from msgspec import Struct, structs

from sploot_clusterd.audit import AuditEntry, AuditPage
from sploot_clusterd.changes import Event, Events
from sploot_clusterd.errors import BacklogFullError, BadJobError, StoreUnavailableError
from sploot_clusterd.found import Found
from sploot_clusterd.jobs import JobState
from sploot_clusterd.model import JobPayload
from sploot_clusterd.past import PastAlbum, PastClusters, PastJob, PastJobs, PastVersions, Whereabouts
from sploot_clusterd.quality import Quality
from sploot_clusterd.view import ClusterImage, ClusterImages, Order
from sploot_clusterd.web import contract, lookup_examples
from sploot_clusterd.web.quality import EXAMPLE
from tests.web.fake_letters import FakeLetters

ANOTHER = b',{"question":"belongs","image_id":"a","cluster":"pet_123-cluster-0","expected_gain":0.5,"image_ids":["a"]}'
SUGGESTED = [
    b'{"suggestions":[{"question":"same","clusters":["pet_123-cluster-0","pet_123-cluster-1"],"expected_gain":1.5}%s],'
    b'"version":7}' % more
    for more in (b"", ANOTHER)
]
"""One question, and two."""
PAST = PastClusters("pet_123", 3, "a", "a.3", "1970-01-01T00:00:05.000Z", True, 0, 0, 0, [], [], None)
EVENT = Event("1-5000", 1, "1970-01-01T00:00:05.000Z", "", "erased", "pet_123", "a", "a.1", "", None)
AT = "1970-01-01T00:00:05.000Z"


@dataclass
class FakeStore(FakeLetters):
    """The web's half of the store, who works out questions, who knows what changed, and what was.

    `error` is raised by whatever is called next; a batch has `room` before it.
    """

    views: dict[str, bytes] = field(default_factory=dict)
    expired: dict[str, bytes] = field(default_factory=dict)
    snapshots: dict[str, bytes] = field(default_factory=dict)
    erasing: dict[str, int] = field(default_factory=dict)
    """For how many looks history still knows a pet."""
    looks: int = 0
    at_keep: Callable[[], None] = lambda: None
    jobs: list[bytes] = field(default_factory=list)
    room: int = 0
    partitions: int = 2
    events: list[Event] = field(default_factory=lambda: [EVENT])
    asked: list[tuple[object, ...]] = field(default_factory=list)
    """Of history."""
    told: list[JobState] = field(
        default_factory=lambda: [JobState("job_2", "queued", AT), JobState("pet_123", "applied", AT, version=7)]
    )
    audited: list[AuditEntry] = field(default_factory=list)
    paused: tuple[str, datetime] | None = None
    waited: list[tuple[int, str, float]] = field(default_factory=list)
    at_wait: Callable[[], None] = lambda: None

    async def view(self, pet_id: str) -> bytes | None:
        self._fail()
        return self.views.get(pet_id)

    async def revive(self, pet_id: str) -> bytes | None:
        self._fail()
        return self.expired.get(pet_id)

    async def suggestions(self, pet_id: str, limit: int) -> bytes | None:
        self._fail()
        return SUGGESTED[limit > 1] if pet_id in self.views else None

    async def of_pet(self, pet_id: str) -> tuple[Sequence[JobState], bool]:
        self._fail()
        return (self.told if pet_id in self.views else []), pet_id != "pet_long"

    async def of_job(self, pet_id: str, job_id: str) -> tuple[JobState | None, bool]:
        told, complete = await self.of_pet(pet_id)
        return next((state for state in told if state.job_id == job_id), None), complete

    async def page(self, pet_id: str, cluster_id: str, order: Order, after: str, limit: int) -> bytes | None:
        self._fail()
        if after == "gone":
            raise BadJobError("invalid", "after: this image is not in the cluster (any more): begin anew without it")
        images = [ClusterImage("img_1", 0.5, None, AT)]
        listed = ClusterImages(pet_id, cluster_id, 9, images, f"{order}{after}{limit}", 7)
        return msgspec.json.encode(listed) if pet_id in self.views else None

    async def add(self, entry: AuditEntry) -> None:
        self._fail()
        self.audited.append(entry)

    async def entries(self, before: str, limit: int) -> AuditPage:
        self._fail()
        if before == "x":
            raise BadJobError("invalid", "before: expected what an answer had for `next`")
        return AuditPage(self.audited[:limit] or [AuditEntry(AT, "token 0", "erase", None, "erased")], None)

    async def begin(self, reason: str, until: datetime) -> None:
        self._fail()
        self.paused = reason, until

    async def end(self) -> bool:
        self._fail()
        was, self.paused = self.paused, None
        return was is not None

    async def find(self, name: str, after: str) -> tuple[Sequence[Found], str]:
        self._fail()
        if after == "nowhere":
            raise BadJobError("invalid", "after: expected what an answer had for `next`")
        return [Found("pet", name)] if name in self.views else [], "" if after else "keys-0-7"

    async def said(self, pet_id: str) -> bytes | None:
        return await self._looked(pet_id, lookup_examples.SAID)

    async def hidden(self, pet_id: str) -> bytes | None:
        return await self._looked(pet_id, lookup_examples.HIDDEN)

    async def map(self, pet_id: str) -> bytes | None:
        return await self._looked(pet_id, lookup_examples.MAPS)

    async def why(self, pet_id: str, image_id: str) -> bytes | None:
        return await self._looked(pet_id, structs.replace(lookup_examples.WHY, image_id=image_id))

    async def preview(self, pet_id: str, _payload: JobPayload) -> bytes | None:
        return await self._looked(pet_id, contract.PREVIEW)

    async def _looked(self, pet_id: str, found: Struct) -> bytes | None:
        self._fail()
        return msgspec.json.encode(found) if pet_id in self.views else None

    async def read(self, partition: int, place: str, most: int) -> Events:
        """Its events are those of partition 1."""
        self._fail()
        events = self.events if partition == 1 else []
        places = ["", *(event.id for event in events)]
        found = events[places.index(place) :] if place in places else []
        return Events(found[:most], places[-1], place in places)

    async def latest(self, pet_id: str) -> PastClusters | None:
        self._fail()
        return PAST if pet_id in self.views else None

    async def version(self, pet_id: str, number: int) -> PastClusters | None:
        self._fail()
        return PAST if pet_id in self.views and number == PAST.version else None

    async def versions(self, pet_id: str, before: str | None, at_ms: int | None, limit: int) -> PastVersions | None:
        self._fail()
        self.asked.append((before, at_ms, limit))
        return PastVersions(pet_id, [], None) if pet_id in self.views else None

    async def jobs_of(
        self, pet_id: str, before: tuple[int, str] | None, limit: int, without: Collection[str]
    ) -> PastJobs:
        self._fail()
        self.asked.append((before, limit, {*without}))
        old = PastJob("job_1", "dead", 3, "no", "max_attempts", None, AT, None)
        return PastJobs(pet_id, [old], None if before else "5000-job_1")

    async def whereabouts(self, image_id: str, before: int | None, limit: int) -> Whereabouts | None:
        self._fail()
        self.asked.append((before, limit))
        return Whereabouts(image_id, [], None) if image_id == "img_001" else None

    async def wait_beyond(self, partition: int, newest: str, seconds: float) -> None:
        self.waited.append((partition, newest, seconds))
        self.at_wait()

    async def submit(self, _pet_id: str, payload: bytes) -> None:
        self._fail()
        self.jobs.append(payload)

    async def submit_all(self, jobs: Sequence[tuple[str, bytes]]) -> Sequence[Exception | None]:
        payloads = [payload for _, payload in jobs]
        if isinstance(self.error, BacklogFullError | StoreUnavailableError):
            taken = min(self.room, len(payloads))
            self.jobs += payloads[:taken]
            return [None] * taken + [self.error] * (len(payloads) - taken)
        self._fail()
        self.jobs += payloads
        return [None] * len(payloads)

    async def has_album(self, pet_id: str) -> bool:
        self._fail()
        return pet_id in self.views

    async def is_erasing(self, pet_id: str) -> bool:
        self._fail()
        self.looks += 1
        return pet_id in self.erasing and self.looks <= self.erasing[pet_id]

    async def reserve_snapshot(self, pet_id: str) -> str | None:
        self._fail()
        if pet_id in self.erasing:
            return None
        self.snapshots[pet_id] = b""
        return "a-name"

    async def keep_snapshot(self, pet_id: str, name: str, snapshot: bytes) -> bool:
        self._fail()
        assert name == "a-name"
        self.at_keep()
        if pet_id in self.snapshots:
            self.snapshots[pet_id] = snapshot
        return pet_id in self.snapshots

    async def album(self, pet_id: str, version: int) -> PastAlbum | None:
        """There is one of version 3."""
        self._fail()
        return PastAlbum(3, b"an album") if pet_id in self.views and version >= 3 else None

    async def invalidate(self, pet_id: str) -> bool:
        self._fail()
        return self.views.pop(pet_id, None) is not None

    async def erase(self, pet_id: str) -> bool:
        self._fail()
        return self.views.pop(pet_id, None) is not None

    async def report(self) -> Quality:
        self._fail()
        return EXAMPLE

    async def ping(self) -> float:
        self._fail()
        return 0.25
