"""The settings of the engine, in sections as in `sections`. Its `Params` says more about what each one does."""

from dataclasses import dataclass, field

from sploot_clusterd.config.kinds import number, text, whole


@dataclass(frozen=True, slots=True)
class WeightsSettings:
    """How much each vector kind counts when images are compared."""

    embedding: float = number(1.0, "Weight of the embedding.", 0.0, 1000.0)
    pose: float = number(0.3, "Weight of the pose vector.", 0.0, 1000.0)
    context: float = number(0.3, "Weight of the context vector.", 0.0, 1000.0)


@dataclass(frozen=True, slots=True)
class HeroSettings:
    """How members are ranked and heroes chosen. The three weights are used in proportion to their sum."""

    quality: float = number(0.55, "Weight of an image's quality.", 0.0, 1000.0)
    closeness: float = number(0.42, "Weight of how typical of its cluster an image is.", 0.0, 1000.0)
    recency: float = number(0.03, "Weight of how recent an image is.", 0.0, 1000.0)
    margin: float = number(0.03, "How far another image's score, of 0 to 1, must lead to become the hero.", 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How albums are clustered."""

    algorithm: str = text(
        "mixture",
        "mixture, average_linkage, or an entry point of the group sploot_clusterd.engines.",
        r"[A-Za-z0-9_.-]+",
        "the name of an algorithm",
    )
    min_cluster_size: int = whole(2, "Images that a cluster needs to be shown.", 1, 10_000)
    weights: WeightsSettings = field(default_factory=WeightsSettings)
    hero: HeroSettings = field(default_factory=HeroSettings)
