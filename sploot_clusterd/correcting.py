"""What corrections speak of."""

from collections.abc import Sequence
from typing import Final

from sploot_clusterd.model import (
    Apart,
    Correction,
    Hide,
    Merge,
    Move,
    NotHere,
    SetHero,
    Split,
    Stay,
    Undo,
    Unhide,
)

OPS: Final = (
    "merge", "split", "move", "rename", "set_hero", "apart", "stay", "hide", "unhide", "not_here", "undo",
)  # fmt: skip
"""What a correction's `op` may be."""

OfImages = Split | Move | Stay | NotHere | Hide | Unhide
"""Those that say where images belong; of a cluster as a whole `hide` and `unhide` name none."""


def clusters_named(correction: Correction) -> Sequence[str]:
    match correction:
        case Merge() | Apart():
            return correction.clusters
        case Move():
            return (correction.to,)
        case Undo():
            return ()
        case _:
            return () if correction.cluster is None else (correction.cluster,)


def images_corrected(correction: Correction) -> Sequence[str]:
    match correction:
        case Split() | Move() | Stay() | NotHere():
            return correction.image_ids
        case Hide() | Unhide():
            return correction.image_ids or ()
        case Merge():
            return () if correction.image_id is None else (correction.image_id,)
        case SetHero():
            return (correction.image_id,)
        case _:
            return ()
