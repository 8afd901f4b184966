"""The engine's settings: one frozen value, given to every call."""

import math
from dataclasses import dataclass, field, replace
from typing import Final, Self

from sploot_clusterd.config import Settings

_DEFAULT: Final = Settings()
"""Defaults of what an operator can set stand in `config` alone."""


@dataclass(frozen=True, slots=True)
class KindWeights:
    """How much each vector kind counts, before the combined vector is normalised."""

    embedding: float = _DEFAULT.engine.weights.embedding
    pose: float = _DEFAULT.engine.weights.pose
    context: float = _DEFAULT.engine.weights.context

    def of(self, kind: str) -> float:
        return float(getattr(self, kind))


@dataclass(frozen=True, slots=True)
class HeroWeights:
    """What makes a good member: see `hero.score`."""

    quality: float = _DEFAULT.engine.hero.quality
    closeness: float = _DEFAULT.engine.hero.closeness
    recency: float = _DEFAULT.engine.hero.recency
    enough_quality: float = 0.65
    """Quality above this adds nothing: among sharp photos the typical one is the better hero."""
    recency_days: float = 90.0
    """After so many days a photo's recency has halved."""
    margin: float = _DEFAULT.engine.hero.margin
    """A new hero must lead the present one by this much of the score."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The settings that decide which clusters are shown, which of their members are served and who is the hero."""

    min_cluster_size: int
    max_cluster_size: int
    hero: HeroWeights


@dataclass(frozen=True, slots=True)
class Absorbing:
    """When the images of a small group are shown with a larger one, though evidence alone would leave them apart."""

    weight: float = 2.5
    """Groups of less are dissolved."""
    likeness: float = 0.09
    """Mean centred cosine with the larger group's images from which an image goes to it ..."""
    lead: float = 0.04
    """... if it is so much more like that group than any other."""

    def at(self, scale: float) -> "Absorbing":
        """For an encoder whose cosines are `scale` times as large."""
        if scale == 1.0:
            return self
        return Absorbing(self.weight, self.likeness * scale, self.lead * scale)


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How cells are drawn towards their neighbours before a rebuild groups them, and how much larger, times, the
    evidence's numbers are then: cosines have grown.
    """

    neighbours: int = 8
    ratio: float = 1.5
    threshold: float = 2.3
    likeness: float = 2.3
    """Of `Absorbing`, and of its lead."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of `engine`, and the few of `clusters` and `albums` that the engine obeys."""

    algorithm: str = _DEFAULT.engine.algorithm
    weights: KindWeights = field(default_factory=KindWeights)
    hero: HeroWeights = field(default_factory=HeroWeights)
    min_cluster_size: int = _DEFAULT.engine.min_cluster_size
    max_cluster_size: int = _DEFAULT.clusters.max_cluster_size
    dedupe_jobs: int = _DEFAULT.albums.dedupe_jobs
    tombstone_days: int = _DEFAULT.albums.tombstone_days
    most_tombstones: int = _DEFAULT.albums.tombstones
    """Of an album: with more, the older half is forgotten."""
    most_announced: int = _DEFAULT.albums.announced_images
    """Images without vectors in an album."""
    max_cells: int = 512
    """Micro-clusters per space; what a job costs at most grows with it ..."""
    images_a_cell: int = 3
    """... and twice as many for a space that has so many images for each of them."""
    join_cosine: float = 0.95
    """Plain cosine from which an image joins a micro-cluster for good: only near copies do ..."""
    join_threshold: float = 0.6
    """... whose centred cosine is as high as this, for encoders that put all images close together."""
    merge_threshold: float = 0.06
    """Evidence score from which micro-clusters form one cluster; higher splits more."""
    usual_weight: float = 100.0
    """Weight of images up to which the threshold does not grow ..."""
    most_weight: float = 800.0
    """... and past which it grows no more: with 512 cells, real albums keep what they had up to here."""
    absorbing: Absorbing = field(default_factory=Absorbing)
    smoothing: Smoothing = field(default_factory=Smoothing)
    prior_ratio: float = 0.13
    """Variance of the clusters' centres over the variance within a cluster."""
    mean_prior: float = 16.0
    """Weight of images, times noise over common part, at which half of the album's own mean is subtracted."""
    rebuild_growth: float = 0.15
    rebuild_least: int = 6
    """A rebuild comes after this share of the images, and at least so many, came or went."""
    linkage_distance: float = 0.54
    """Cosine distance at which `average_linkage` cuts its tree."""
    serving: Serving = field(init=False)
    """Those of these settings that it names: wanted for each job, so made once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "serving", Serving(self.min_cluster_size, self.max_cluster_size, self.hero))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the daemon's settings say; the rest as it is by default."""
        weights, hero = settings.engine.weights, settings.engine.hero
        return cls(
            algorithm=settings.engine.algorithm,
            weights=KindWeights(weights.embedding, weights.pose, weights.context),
            hero=HeroWeights(hero.quality, hero.closeness, hero.recency, margin=hero.margin),
            min_cluster_size=settings.engine.min_cluster_size,
            max_cluster_size=settings.clusters.max_cluster_size,
            dedupe_jobs=settings.albums.dedupe_jobs,
            tombstone_days=settings.albums.tombstone_days,
            most_tombstones=settings.albums.tombstones,
            most_announced=settings.albums.announced_images,
        )

    def cells_of(self, images: int) -> int:
        """How many cells a space of so many images may have."""
        return min(max(self.max_cells, images // self.images_a_cell), 2 * self.max_cells)

    def threshold(self, weight: float) -> float:
        """The merge threshold of an album whose images weigh so much.

        In a larger album more pairs are tried, so chance alone gives higher scores: past `usual_weight` the threshold
        rises with the cube root, which was found on albums of 8 to 4,500 images. It stops at `most_weight`, for there
        are never more than `max_cells` to be paired. If it rose on, no two single images would reach it, and a cluster
        whose images are still cells of their own would fall apart.
        """
        return self.merge_threshold * math.cbrt(max(min(weight, self.most_weight) / self.usual_weight, 1.0))

    def serving_as(self, serving: Serving) -> Self:
        """With other settings of what is served."""
        return replace(
            self,
            min_cluster_size=serving.min_cluster_size,
            max_cluster_size=serving.max_cluster_size,
            hero=serving.hero,
        )

    @property
    def fewest_members(self) -> int:
        """How many best members of a micro-cluster must be known to serve any cluster of it."""
        return max(self.max_cluster_size, self.min_cluster_size)

    @property
    def best_members(self) -> int:
        """How many a micro-cluster keeps: twice as many, so that a removal seldom needs the image rows."""
        return 2 * self.fewest_members
