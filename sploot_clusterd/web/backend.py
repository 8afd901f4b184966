"""What this room asks of others: of the store, and of who works out questions."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from sploot_clusterd.audit import AuditEntry, AuditPage
from sploot_clusterd.changes import Events
from sploot_clusterd.dead_letters import LetterFilter, Part, Replayed, WholeLetter
from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.found import Found
from sploot_clusterd.jobs import JobState
from sploot_clusterd.model import JobPayload
from sploot_clusterd.past import PastAlbum, PastClusters, PastJobs, PastVersions, Whereabouts
from sploot_clusterd.quality import Quality
from sploot_clusterd.view import Order
from sploot_clusterd.web.auditing import Auditor


class Questions(Protocol):
    """What to ask users."""

    async def suggestions(self, pet_id: str, limit: int) -> bytes | None:
        """The best questions as JSON; None if no job of the pet was ever applied, or the pet was erased since.

        Raises StoreUnavailableError, BadStateError.
        """


class Expired(Protocol):
    """Views that expired."""

    async def revive(self, pet_id: str) -> bytes | None:
        """The pet's view, made anew of what is kept of the pet; None if nothing is.

        Raises StoreUnavailableError, BadStateError, BusyError.
        """


class Looks(Protocol):
    """What is asked of a pet's album. Each gives JSON; None if no job of the pet was ever applied, or the pet was
    erased since. Each may raise StoreUnavailableError, BadStateError.
    """

    async def said(self, pet_id: str) -> bytes | None:
        """The corrections that can be taken back."""

    async def hidden(self, pet_id: str) -> bytes | None:
        """What users hid."""

    async def map(self, pet_id: str) -> bytes | None:
        """What of the pet's photos is like what, as points."""

    async def preview(self, pet_id: str, payload: JobPayload) -> bytes | None:
        """What would come of the payload's corrections. Raises BadJobError where they would be refused."""

    async def why(self, pet_id: str, image_id: str) -> bytes | None:
        """Why the image is where it is; None if the pet does not have it, too."""


class Backend(Protocol):
    """The web's half of the store. Every method may raise StoreUnavailableError."""

    async def view(self, pet_id: str) -> bytes | None: ...

    async def submit(self, pet_id: str, payload: bytes) -> None:
        """Takes the bytes of a pet's envelope. Raises BacklogFullError where no more jobs are taken."""

    async def submit_all(self, jobs: Sequence[tuple[str, bytes]]) -> Sequence[Exception | None]:
        """Takes pets' envelopes in their order. For each None, or why it was not taken: after the first such one of a
        pet none of it is.
        """

    async def has_album(self, pet_id: str) -> bool:
        """Whether a job of the pet was ever applied, and the pet not erased since."""

    async def is_erasing(self, pet_id: str) -> bool:
        """Whether history is still to forget a pet that was erased."""

    async def reserve_snapshot(self, pet_id: str) -> str | None:
        """A place for an album as it was, by its name; an erasure of the pet takes it away. None while history is to
        forget the pet.
        """

    async def keep_snapshot(self, pet_id: str, name: str, snapshot: bytes) -> bool:
        """Puts the album into its place, for the job that goes back to it; False if the place was taken away."""

    async def invalidate(self, pet_id: str) -> bool:
        """True if there was a view."""

    async def erase(self, pet_id: str) -> bool:
        """True if there was anything of the pet."""

    async def ping(self) -> float:
        """Milliseconds of a round trip."""


class Changes(Protocol):
    """The change feed. Every method may raise StoreUnavailableError."""

    @property
    def partitions(self) -> int:
        """How many there are, each with a feed: that may change."""

    async def read(self, partition: int, place: str, most: int) -> Events:
        """At most so many events behind a place: an event's id, its sequence, or "" before all."""

    async def wait_beyond(self, partition: int, newest: str, seconds: float) -> None:
        """Until there is an event behind the newest one, or for so long."""


class Listing(Protocol):
    """Who lists images of clusters."""

    async def page(self, pet_id: str, cluster_id: str, order: Order, after: str, limit: int) -> bytes | None:
        """At most `limit` of the cluster's images behind the one `after` ("" at first), as JSON; None if the pet's view
        has no such cluster.

        Raises StoreUnavailableError, BadStateError; BadJobError where `after` is not in the cluster.
        """


class Halting(Protocol):
    """The pause of the whole fleet. Every method may raise StoreUnavailableError."""

    async def begin(self, reason: str, until: datetime) -> None:
        """In place of one that there is."""

    async def end(self) -> bool:
        """Whether there was one."""


class Trail(Protocol):
    """Who changed what. Every method may raise StoreUnavailableError."""

    async def add(self, entry: AuditEntry) -> None: ...

    async def entries(self, before: str, limit: int) -> AuditPage:
        """Raises BadJobError for what is no place."""


class JobBook(Protocol):
    """What became of jobs. Every method may raise StoreUnavailableError, BadStateError."""

    async def of_pet(self, pet_id: str) -> tuple[Sequence[JobState], bool]:
        """The pet's latest jobs, those that were heard of last first; and whether all that waits was looked through."""

    async def of_job(self, pet_id: str, job_id: str) -> tuple[JobState | None, bool]:
        """One of them, None where nothing is known of it; and the same."""


class Finder(Protocol):
    """Who looks for ids. Every method may raise StoreUnavailableError."""

    async def find(self, name: str, after: str) -> tuple[Sequence[Found], str]:
        """What is found behind the place `after`, and where to go on, "" for nowhere. Raises BadJobError for what is no
        place.
        """


class DeadLetters(Protocol):
    """What could not be applied. Every method may raise StoreUnavailableError."""

    async def search(self, wanted: LetterFilter, after: str, most: int) -> Part:
        """At most so many that are meant, behind a place. Raises BadJobError for what is no place."""

    async def whole(self, letter: LetterId) -> tuple[WholeLetter, bytes] | None:
        """One, with its payload's bytes beside it; None if there is no such letter."""

    async def replay(self, letter: LetterId, payload: bytes = b"") -> Replayed:
        """Puts the job back in one step, with another payload if one is given."""

    async def drop(self, letters: Sequence[LetterId]) -> int:
        """Deletes them for good; how many of them there were."""


class Reports(Protocol):
    """Who looks at albums."""

    async def report(self) -> Quality:
        """How good the clusters are, by a look that may be a minute old. Raises StoreUnavailableError."""


class Past(Protocol):
    """History. Every method may raise HistoryUnavailableError; each gives None where nothing is known."""

    async def latest(self, pet_id: str) -> PastClusters | None: ...

    async def version(self, pet_id: str, number: int) -> PastClusters | None: ...

    async def versions(self, pet_id: str, before: str | None, at_ms: int | None, limit: int) -> PastVersions | None:
        """At most so many before the id of an event, or until a time, the newest first."""

    async def album(self, pet_id: str, version: int) -> PastAlbum | None:
        """As of this version, else as of the last one before it of which the album was kept. Raises BadStateError."""

    async def whereabouts(self, image_id: str, before: int | None, limit: int) -> Whereabouts | None:
        """At most so many stays before the place of a page, the newest first."""

    async def jobs_of(
        self, pet_id: str, before: tuple[int, str] | None, limit: int, without: Collection[str]
    ) -> PastJobs:
        """At most so many jobs but for those `without`, before a time (ms) and the id of a job, the newest first."""


class Behind(NamedTuple):
    """What stands behind the routes."""

    store: Backend
    expired: Expired
    questions: Questions
    jobs: JobBook
    finder: Finder
    listing: Listing
    halting: Halting
    trail: Trail
    letters: DeadLetters
    auditor: Auditor
    looks: Looks
    reports: Reports
    changes: Changes | None = None
    """None where they are not fed."""
    past: Past | None = None
    """None where no history is kept."""
