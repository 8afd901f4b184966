"""What a simulated user gained: albums with one beside the same albums without."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np

from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.replay import Result
from sploot_clusterd.evaluate.scores import scores
from sploot_clusterd.evaluate.user import UserReplay


class Pair(NamedTuple):
    """A mean over albums without corrections, and with them; None: there is no such album."""

    without: float | None
    corrected: float | None

    def __str__(self) -> str:
        if self.without is None or self.corrected is None:
            return "-"
        return f"{self.without:.3f} -> {self.corrected:.3f} ({self.corrected - self.without:+.3f})"


class Gains(NamedTuple):
    """Means over all albums, but where it says otherwise."""

    corrections: float
    """An album."""
    refused: int
    """Corrections of all albums."""
    broken: int
    """What was said in all albums and does not hold in the end."""
    bcubed_f1: Pair
    bcubed_f1_of_later_photos: Pair
    """Of the photos that came after an album's first correction, among themselves; over albums that have some."""
    k_ratio: Pair

    @classmethod
    def of(cls, plain: Sequence[Result], replays: Sequence[UserReplay], results: Sequence[Result]) -> Self:
        """`results` are those of the replays, `plain` those of the same albums without corrections."""
        said = [replay.corrections for replay in replays]
        later = [
            (_of_later(replay.labelled, one, each.first), _of_later(replay.labelled, other, each.first))
            for replay, each, one, other in zip(replays, said, plain, results, strict=True)
            if each.first is not None and each.first < len(replay.labelled)
        ]

        def means(of: Callable[[Result], float]) -> Pair:
            return Pair(*(float(np.mean([of(each) for each in every])) for every in (plain, results)))

        return cls(
            float(np.mean([each.made for each in said])),
            sum(each.refused for each in said),
            sum(each.broken for each in said),
            means(lambda result: result.scores.bcubed_f1),
            Pair(*np.mean(later, axis=0).tolist()) if later else Pair(None, None),
            means(lambda result: result.scores.k_ratio),
        )

    def told(self) -> dict[str, str]:
        """As people read it, by figure."""
        return {
            "corrections, an album": f"{self.corrections:.1f}",
            "corrections refused": str(self.refused),
            "constraints broken": str(self.broken),
            "bcubed f1": str(self.bcubed_f1),
            "bcubed f1 of later photos": str(self.bcubed_f1_of_later_photos),
            "k ratio": str(self.k_ratio),
        }


def _of_later(labelled: LabelledAlbum, result: Result, first: int) -> float:
    return scores(labelled.label[first:], result.clusters[first:]).bcubed_f1
