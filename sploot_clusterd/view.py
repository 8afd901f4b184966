"""The view's structs: what the engine renders, the store keeps as bytes and readers get."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from sploot_clusterd.model import Correction, Id, Unit

MOST_SUGGESTIONS: Final = 20
MOST_DOUBTFUL: Final = 9
"""Images of one question: as many as are seen at a glance."""

Count = Annotated[int, Meta(ge=0)]


Order = Literal["fit", "time", "quality"]
"""Of a cluster's images."""
Gain = Annotated[float, Meta(ge=0.0)]
"""How many photos an answer is expected to put right."""


class Member(Struct, gc=False):
    image_id: Id
    score: Unit
    position: Count
    quality_score: Unit | None


class Cluster(Struct):
    """The best members of a cluster, best first; `size` counts all."""

    id: str
    label: str
    hero_image_id: Id | None
    members: list[Member]
    quality_score: Unit | None
    size: Count
    provisional: bool
    seen: str | UnsetType = UNSET
    """A digest of its size and members, for corrections to say what a user saw; left out of provisional ones."""
    corrected: bool | UnsetType = UNSET
    """True where a user corrected it; left out where nobody did."""


class ClusterImage(Struct, gc=False):
    """One of all images of a cluster."""

    image_id: Id
    fit: Annotated[float, Meta(ge=-1.0, le=1.0)] | None
    """How like the cluster's others it is; null without a vector."""
    quality_score: Unit | None
    captured_at: str | None
    cell: Count | None = None
    """Images of one cell are so alike that they are one point of the pet's map; null without a vector."""


class ClusterImages(Struct):
    """Some of a cluster's images, in the order that was asked for."""

    pet_id: Id
    cluster_id: str
    size: Count
    images: list[ClusterImage]
    next: str | None
    """Behind which image the next page begins (`after`); null at the end."""
    version: Count
    """Of the view that it is about."""


class ViewMetrics(Struct):
    coverage: Mapping[str, float]
    quality_score: Unit | None
    processed_at: str
    num_clusters: Count
    num_images: Count
    num_unclustered: Count
    silhouette: Annotated[float, Meta(ge=-1.0, le=1.0)] | None
    num_hidden: Count | UnsetType = UNSET
    """Images that users hid; left out where there are none."""
    insights_wanted: Count | UnsetType = UNSET
    """Insights that are still to be fetched, the pet's list as one; left out where none are."""


class Seen(Struct, frozen=True):
    """Where readers see an image: what a storage service is told. `cluster_id` is None where it is in no cluster."""

    cluster_id: str | None
    label: str | None
    position: Count
    score: Unit
    is_hero: bool
    model_version: str | None


class Same(Struct, tag_field="question", tag="same"):
    """A question: are these two clusters one."""

    clusters: Annotated[list[str], Meta(min_length=2, max_length=2)]
    expected_gain: Gain


class Belongs(Struct, tag_field="question", tag="belongs"):
    """A question: does this image belong to its cluster; and which of all these do."""

    image_id: Id
    cluster: str
    expected_gain: Gain
    image_ids: Annotated[list[Id], Meta(min_length=1, max_length=MOST_DOUBTFUL)]
    """The cluster's images that are most in doubt, `image_id` first."""


class Suggestions(Struct):
    """What to ask a user of the view of this version, the best question first."""

    suggestions: list[Same | Belongs]
    version: Count


class Said(Struct):
    """A job's corrections that can be taken back."""

    job_id: str
    actor: str | None
    """Who sent them, as the audit names it; None where they came by the stream without a name."""
    at: str
    corrections: list[Correction]


class SaidList(Struct):
    """What was said lately, the latest first."""

    said: list[Said]
    version: Count


class HiddenList(Struct):
    """What users hid: clusters as a view shows others, and images that were hidden by themselves."""

    clusters: list[Cluster]
    image_ids: list[Id]
    version: Count


class WhyCell(Struct):
    """The images that are so like it that they go wherever it goes."""

    size: Count
    others: list[Id]
    """The best of them."""


class Evidence(Struct):
    """How much speaks for an image's being in a cluster, without itself."""

    cluster: str | None
    """None where it is not shown."""
    score: float
    threshold: float
    """From which evidence alone puts it there."""
    likeness: float
    own: bool
    """Whether it is the cluster that it is in."""


class WhySaid(Struct):
    """A correction that decides; both are None where it cannot be taken back any more."""

    job_id: str | None
    op: str | None


class WhyHero(Struct):
    """Its score among its cluster's images, and what that is the sum of."""

    is_hero: bool
    chosen: bool
    """Whether a user chose it."""
    score: Unit
    quality: Unit
    closeness: Unit
    recency: Unit


class Why(Struct):
    """Why an image is where it is. An image without vectors, or one that is hidden, is in no cell."""

    image_id: Id
    cluster: str | None
    cell: WhyCell | None
    quality_score: Unit | None
    version: Count
    hidden: bool
    evidence: list[Evidence] = []
    said: list[WhySaid] = []
    hero: WhyHero | None = None


class MapCell(Struct, gc=False):
    """A point: photos so alike that they are one."""

    cell: Count
    """Its number, which `GET .../images` tells of each image."""
    x: Annotated[float, Meta(ge=-1.0, le=1.0)]
    y: Annotated[float, Meta(ge=-1.0, le=1.0)]
    size: Count
    """Images."""
    cluster: str | None
    """None where it is in none that is shown."""
    image_id: Id | None
    """The best of them."""


class Map(Struct):
    """Of the images of one model version."""

    model_version: str
    cells: list[MapCell]


class Maps(Struct):
    """What of a pet's photos is like what, as of this version of its view."""

    maps: list[Map]
    version: Count


class View(Struct):
    """A pet's clusters, in the order of their numbers."""

    pet_id: Id
    clusters: list[Cluster]
    metrics: ViewMetrics
    updated_at: str
    version: Count
    model_version: str | None
    unclustered: list[Id]
