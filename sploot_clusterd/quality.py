"""How good the clusters are, as people are told: structs."""

from typing import Annotated

from msgspec import Meta, Struct

from sploot_clusterd.view import Count

MOST_LOOKS = 20
"""Albums that are named as in need of a look."""

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class ModelFigures(Struct):
    """What one encoder's vectors come to in the albums that were looked at."""

    model_version: str
    albums: Count
    images: Count
    clusters: Count
    """Those that readers see."""
    unclustered: Count
    silhouette: float | None
    """The mean, by images; null where no album has two clusters of this encoder."""


class AlbumFigures(Struct):
    """A pet's album that may need a look."""

    pet_id: str
    images: Count
    clusters: Count
    unclustered: Count
    silhouette: float | None
    gain: Annotated[float, Meta(ge=0.0)]
    """How many photos the answers to its questions are expected to put right: what is left to do."""


class SizeCount(Struct):
    """Clusters of at most so many images, and of more than the step before."""

    up_to: Count
    clusters: Count


class Sample(Struct):
    """What was found in some albums: those behind the last look's, in no order that means anything."""

    at: str
    """RFC 3339. The next look is a minute later at the soonest."""
    albums: Count
    unreadable: Count
    complete: bool
    """Whether these are all albums that there are; else others follow with the next look."""
    images: Count
    gain: Annotated[float, Meta(ge=0.0)]
    """How many photos answers to all questions of these albums would put right."""
    models: list[ModelFigures]
    sizes: list[SizeCount]
    look: list[AlbumFigures]
    """Those where answers would put most right, the most first."""


class Totals(Struct, frozen=True):
    """What processes did, each since its start."""

    merges: int = 0
    splits: int = 0
    hero_changes: int = 0
    rebuilds: int = 0
    corrections: dict[str, int] = {}
    silhouettes: float = 0.0
    """The sum over albums at their commits, less than 0 taken as 0; of so many of them."""
    silhouette_count: int = 0
    unclustered_shares: float = 0.0
    """The same of the share of an album's images in no cluster."""
    unclustered_count: int = 0


class QualityPoint(Struct):
    """What the fleet's commits came to in a period that ended at `at` (seconds since 1970)."""

    at: float
    merges: int
    splits: int
    hero_changes: int
    corrections: int
    silhouette: float | None
    """Means over the albums that were committed; null where there was none."""
    unclustered: Share | None


class FleetFigures(Struct):
    """What processes of the fleet did since their starts, and over the last 8 hours as this process saw it."""

    processes: Count
    since: float | None
    """When the one began that has run longest, in seconds since 1970."""
    totals: Totals
    points: list[QualityPoint]


class Encoder(Struct):
    """What was learned of an encoder, in words."""

    model_version: str
    generation: Count
    settled: bool
    words: list[str]


class Quality(Struct):
    """All of it."""

    sample: Sample
    fleet: FleetFigures | None
    """null where the process does not serve the page: then it does not watch the fleet."""
    encoders: list[Encoder]
