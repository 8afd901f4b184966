"""The engine's state of one pet, without the images' rows.

An album is a value: `apply` makes a new one, which shares with the old one whatever did not change.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct, field

from sploot_clusterd.engine.fragment import Fragment
from sploot_clusterd.engine.heirs import Heirs
from sploot_clusterd.engine.listings import Chunk
from sploot_clusterd.engine.params import Serving
from sploot_clusterd.engine.rows import Pin, Stamp
from sploot_clusterd.engine.statistics import Doubles, Floats
from sploot_clusterd.engine.words import Anchor, Pair, Place, Word
from sploot_clusterd.entry_ids import EntryId

_BEGINNING = EntryId(0, 0)


class Member(Struct, array_like=True, frozen=True, gc=False):
    """One of a cell's best images."""

    image_id: str
    at: Stamp
    position: int
    """Place in its job: with `at`, the order of arrival."""
    quality: float | None
    closeness: float
    """Centred cosine to the cell's centroid when it joined."""
    taken_ms: int
    pinned: Pin | None = None


class Cell(Struct, array_like=True, frozen=True, gc=False):
    """A micro-cluster: images so alike that no later update parts them. Its vector sum and weight lie in its space."""

    space: int
    count: int = 0
    votes: dict[str, int] = {}
    quality_sum: float = 0.0
    quality_count: int = 0
    members: tuple[Member, ...] = ()
    """The best `Params.best_members`, best first."""
    anchor: int | None = None
    """Its mark: see `words`."""


class Cluster(Struct, array_like=True, frozen=True, gc=False):
    """A group of cells. All but its number, group, hero, matched label, anchor, `left` and `chosen` follows from them,
    as of its last change.
    """

    key: int
    """Rises with age; never shown."""
    space: int
    cells: tuple[int, ...]
    number: int | None = None
    """The number in its public id, given when it is first shown."""
    group: int | None = None
    """N of "Group N", given when it is first shown without a better label."""
    hero: str | None = None
    matched: str | None = None
    """The label that it was matched with by coverage."""
    vote: str | None = None
    size: int = 0
    closeness: tuple[float, ...] = ()
    """Centred cosine of each cell to the cluster."""
    newest_ms: int = 0
    """The album's newest photo when the cluster last changed: what recency is measured from."""
    anchor: int | None = None
    """That of the class of its cells which have one."""
    given: str | None = None
    """The label that a user gave it: its anchor's."""
    left: dict[int, int] = {}
    """How many of its images were sent again and joined other clusters, by the cells that they joined: it leads to
    those when it is empty.
    """
    chosen: str | None = None
    """The hero that a user chose last, though it may have gone to another space meanwhile."""

    @property
    def shown(self) -> bool:
        """Whether it was large enough when it was last brought up to date: only then has it a hero (and a number)."""
        return self.hero is not None


class ProvisionalCluster(Struct, array_like=True, frozen=True, gc=False):
    """Images without vectors that share a label by coverage; label None if the job gave no labels."""

    label: str | None
    number: int | None = None
    group: int | None = None
    first: int = 0
    """Its images are `first` to `last` (exclusive) of the provisional images in their order."""
    last: int = 0


class NewestJob(Struct, array_like=True, frozen=True, gc=False):
    """What the newest job that said so said; each with the sequence of that job."""

    labels_at: Stamp | None = None
    labels: tuple[str, ...] = ()
    coverage: dict[str, float] = {}
    quality_at: Stamp | None = None
    quality_score: float | None = None
    model_at: Stamp | None = None
    model_version: str | None = None


MOST_LABELS = 64
"""Labels that a cell counts votes for: each is rewritten with the cell."""


class Counters(Struct, array_like=True, frozen=True, gc=False):
    """What is given out next. None is ever given twice."""

    cell: int = 0
    cluster: int = 0
    space: int = 0
    number: int = 0
    group: int = 1
    segment: int = 0
    chunk: int = 0
    anchor: int = 0
    tombstones: int = 0
    """Not given out: removed images that are remembered, as far as it was counted."""


class Space(Struct, frozen=True):
    """The images of one model version: only these can be compared. Arrays are never written to."""

    number: int
    model_version: str
    layout: tuple[tuple[str, int], ...]
    ids: tuple[int, ...]
    """Its cells, rising."""
    sums: Floats
    """Sum of weight times unit vector of each cell, [cells, dimension]."""
    weights: Doubles
    """[cells]"""
    moved: int = 0
    """Images that came or went since the last rebuild."""
    partitioned: int = 0
    """Images at the last rebuild."""
    profile: int = 0
    """The generation of its model version's profile that vectors are compared by; 0 without one."""
    silhouette: float | None = None
    """How well its shown clusters were set apart at the last rebuild: see `quality`."""
    scale: float = 1.0
    """How large the cosines of its encoder are, by its profile: see `scale`."""

    @property
    def dimension(self) -> int:
        """Length of a vector as it is compared."""
        return int(self.sums.shape[1])


class Segment(NamedTuple):
    """Some recent job ids with their first entry ids, oldest first, and the number in its fields' names.

    `digests` are of the first of them, as many as there are.
    """

    number: int
    jobs: dict[str, EntryId]
    digests: tuple[int, ...] = ()


class Corrected(NamedTuple):
    """When what was last corrected, by keys of `precedence`. What is not in `places` was not later than `forgotten`."""

    forgotten: Stamp = (0, 0)
    places: Mapping[str, Stamp] = {}

    def __bool__(self) -> bool:
        """Whether there is anything to say."""
        return len(self.places) > 0 or self.forgotten != (0, 0)


class Album(Struct, frozen=True):
    """See the module. `fragments` holds the clusters that are rendered already, as `serving` says; it is not state."""

    pet_id: str
    version: int = 0
    updated_ms: int = 0
    newest_ms: int = 0
    newest: EntryId = _BEGINNING
    """The highest sequence."""
    counters: Counters = field(default_factory=Counters)
    job: NewestJob = field(default_factory=NewestJob)
    spaces: Mapping[int, Space] = field(default_factory=dict)
    cells: Mapping[int, Cell] = field(default_factory=dict)
    clusters: Mapping[int, Cluster] = field(default_factory=dict)
    heirs: Heirs = field(default_factory=Heirs)
    anchors: Mapping[int, Anchor] = field(default_factory=dict)
    successors: Mapping[int, int] = field(default_factory=dict)
    """Numbers of clusters that became part of others -> the numbers of those."""
    corrected: Corrected = field(default_factory=Corrected)
    apart: tuple[Pair, ...] = ()
    """Of whose clusters a user said that they are not one, the latest last: see `apart`."""
    words: tuple[Word, ...] = ()
    """What users said lately, the latest last."""
    hidden: Mapping[str, Place] = field(default_factory=dict)
    """Images that users hid, which are in no cell and in none of the `chunks`."""
    veiled: frozenset[int] = frozenset()
    """Anchors of clusters that users hid; it follows from the words."""
    segments: tuple[Segment, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    provisional: tuple[ProvisionalCluster, ...] = ()
    serving: Serving | None = None
    """The settings by which every cluster is up to date; None if that is not known."""
    fragments: Mapping[int, Fragment] = field(default_factory=dict)
    """By number."""

    @property
    def shown_clusters(self) -> int:
        """Clusters in the view, provisional ones among them."""
        return len(self.seen_clusters()) + sum([cluster.last > cluster.first for cluster in self.provisional])

    def seen_clusters(self) -> list[Cluster]:
        """Those with vectors that readers see."""
        veiled = self.veiled
        return [each for each in self.clusters.values() if each.hero is not None and each.anchor not in veiled]

    def is_seen(self, cluster: Cluster) -> bool:
        """Whether readers see it."""
        return cluster.shown and cluster.anchor not in self.veiled

    @property
    def unclustered_images(self) -> int:
        return sum([cluster.size for cluster in self.clusters.values() if cluster.hero is None])

    @property
    def silhouette(self) -> float | None:
        """The mean over spaces, by their images, of those with two shown clusters; None without such a space."""
        if not self.spaces:
            return None
        known = [
            (space.silhouette, space.partitioned)
            for space in self.spaces.values()
            if space.silhouette is not None and self._parted(space.number)
        ]
        total = sum([images for _, images in known])
        return sum([value * images for value, images in known]) / total if total else None

    def _parted(self, space: int) -> bool:
        """Whether two clusters of the space are shown."""
        return len([each for each in self.clusters.values() if each.hero is not None and each.space == space]) > 1

    @property
    def num_vector_images(self) -> int:
        """Hidden ones among them."""
        images = sum([cluster.size for cluster in self.clusters.values()])
        return images + sum([place.turn is None for place in self.hidden.values()]) if self.hidden else images

    @property
    def num_images(self) -> int:
        """All of the pet."""
        return sum([cluster.size for cluster in self.clusters.values()]) + len(self.hidden) + self.num_provisional

    @property
    def num_hidden(self) -> int:
        """Images that users hid, by themselves or with their clusters."""
        if not self.veiled:
            return len(self.hidden)
        return len(self.hidden) + sum([each.size for each in self.clusters.values() if each.anchor in self.veiled])

    @property
    def num_provisional(self) -> int:
        """Without vectors, and not hidden."""
        return sum([len(chunk.images) for chunk in self.chunks])


def new_album(pet_id: str) -> Album:
    return Album(pet_id)


def most_voted(votes: dict[str, int]) -> dict[str, int]:
    """The votes, or those for `MOST_LABELS` of the labels that have most; of equals the one that came first stays."""
    if len(votes) <= MOST_LABELS:
        return votes
    kept = sorted(votes, key=lambda label: -votes[label])[:MOST_LABELS]
    return {label: votes[label] for label in kept}


def sum_votes(cells: Iterable[Cell]) -> dict[str, int]:
    votes: dict[str, int] = {}
    for cell in cells:
        for label, count in cell.votes.items():
            votes[label] = votes.get(label, 0) + count
    return votes
