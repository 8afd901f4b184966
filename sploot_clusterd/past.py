"""The structs of what was: history reads them from its database, and readers get them."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from sploot_clusterd.changes import Change
from sploot_clusterd.model import Id
from sploot_clusterd.view import Count, View

EventId = Annotated[str, Meta(pattern=r"^[0-9]{1,15}-[0-9]{1,15}\Z")]
"""A version's place in a pet's history: the id of the event that told of it, sequence and time."""

encode: Final = msgspec.json.Encoder().encode


class PastCluster(Struct, frozen=True):
    """A cluster as readers saw it. `unlisted`: images that it had beyond those that the view lists, as far as known."""

    id: str
    label: str
    hero_image_id: Id | None
    image_ids: list[Id]
    unlisted: list[Id]


class PastClusters(Struct, frozen=True):
    """A pet's clusters at a version. `complete`: nothing that came before is missing in history."""

    pet_id: Id
    version: Count
    incarnation: str
    token: str
    at: str
    complete: bool
    num_clusters: Count
    num_images: Count
    num_unclustered: Count
    clusters: list[PastCluster]
    unclustered: list[Id]
    view: View | None
    """The view itself, where it was kept; from the database it comes as it was stored, as JSON."""


class PastVersion(Struct, frozen=True):
    """A version of a pet's clusters, and what was different from the one before."""

    id: EventId
    version: Count
    incarnation: str
    before: str
    after: str
    at: str
    live: bool
    """False: Redis lost it, and went on with another one in its place."""
    num_clusters: Count
    num_images: Count
    num_unclustered: Count
    jobs: list[Id]
    change: Change | None
    """From the database it comes as it was stored, as JSON; null where a version is known only from its album."""


class PastVersions(Struct, frozen=True):
    """The newest first; `next` is where the page after this one begins, null after the last."""

    pet_id: Id
    versions: list[PastVersion]
    next: EventId | None


class ImageStay(Struct, frozen=True):
    """An image in a cluster, from one version on and before another; null where it is there still."""

    pet_id: Id
    incarnation: str
    cluster_id: str | None
    """None: among those that the view lists outside of all clusters."""
    from_version: Count
    until_version: Count | None
    since: str
    until: str | None
    listed: bool
    """Whether the view listed it there; what it does not list is known from time to time only."""
    live: bool


class Whereabouts(Struct, frozen=True):
    """Where an image was, the newest stay first; `next` as of versions."""

    image_id: Id
    stays: list[ImageStay]
    next: str | None


class PastAlbum(Struct, frozen=True):
    """An album as it was at a version, as `snapshot.encode_snapshot` has it."""

    version: Count
    snapshot: bytes


class PastJob(Struct, frozen=True):
    """What became of a job."""

    job_id: Id
    status: Literal["applied", "dead", "lost"]
    attempts: Count | None
    last_error: str | None
    reason: str | None
    submitted_at: str | None
    finished_at: str
    version: Count | None


class PastJobs(Struct, frozen=True):
    """The newest first; `next` as of versions."""

    pet_id: Id
    jobs: list[PastJob]
    next: str | None
