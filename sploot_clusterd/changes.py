"""The change feed's structs: what the engine finds different in a view, the store keeps, and other services get."""

from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from sploot_clusterd.model import Id
from sploot_clusterd.view import Count, View

MOST_JOBS: Final = 64
MOST_CLUSTERS: Final = 64
MOST_IMAGES: Final = 100
"""In one event: more are counted, or `truncated` tells of them."""

What = Literal["new", "split", "changed", "merged", "gone"]
Kind = Literal["changed", "erased"]
Place = Annotated[str, Meta(pattern=r"^([0-9]{1,15}(-[0-9]{1,20})?)?\Z")]
"""An event's id, or its sequence alone; empty is before all that there are."""


class ClusterChange(Struct, omit_defaults=True, frozen=True):
    """A cluster that readers see differently now; what is no news is left out."""

    id: str
    what: What
    label: str | None = None
    hero_image_id: str | None = None
    size: int | None = None
    provisional: bool | None = None
    origin: str | None = None
    """Of a split one: where most of its images were shown."""
    successor: str | None = None
    """Of a merged one: what it is part of."""
    images_in: list[Id] = []
    images_out: list[Id] = []


class ImageChange(Struct, omit_defaults=True, frozen=True):
    images_in: list[Id] = []
    images_out: list[Id] = []


class Change(Struct, omit_defaults=True, frozen=True):
    """What a commit changed for readers."""

    version: int
    jobs: list[Id]
    num_clusters: Count
    num_images: Count
    num_unclustered: Count
    clusters: list[ClusterChange] = []
    unclustered: ImageChange | None = None
    more_jobs: int = 0
    truncated: bool = False


class Preview(Struct, frozen=True):
    """What corrections would come to, were they applied now."""

    view: View
    """From the engine it comes as JSON."""
    change: Change
    in_the_way: list[list[str]]
    """Pairs of clusters that would be merged though a user said that they are not one."""


class Event(Struct, frozen=True):
    """An event as it is given to who asks over HTTP."""

    id: str
    sequence: int
    at: str
    previous: str
    kind: Kind
    pet_id: Id
    incarnation: str
    before: str
    after: str
    change: Change | None
    """From the store it comes as it is kept there, as JSON."""


class Events(NamedTuple):
    """Events of a partition. `newest` is the id of the last one that was ever added, empty if none was.

    `is_whole`: none is missing between the place that was asked for and them.
    """

    events: list[Event]
    newest: str
    is_whole: bool


class Page(Struct, frozen=True):
    """Events of a partition in their order; `next` is the place behind them, `newest` the one behind all."""

    partition: Count
    events: list[Event]
    next: str
    newest: str


encode_change = msgspec.json.Encoder().encode
