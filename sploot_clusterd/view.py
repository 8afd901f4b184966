"""The view's structs: what the engine renders, the store keeps as bytes and readers get."""

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from sploot_clusterd.model import Id, Unit

MOST_SUGGESTIONS: Final = 20
MOST_DOUBTFUL: Final = 9
"""Images of one question: as many as are seen at a glance."""

Count = Annotated[int, Meta(ge=0)]


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
    corrected: bool | UnsetType = UNSET
    """True where a user corrected it; left out where nobody did."""


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


class View(Struct):
    """A pet's clusters, in the order of their numbers."""

    pet_id: Id
    clusters: list[Cluster]
    metrics: ViewMetrics
    updated_at: str
    version: Count
    model_version: str | None
    unclustered: list[Id]
