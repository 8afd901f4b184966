"""An album's figures for people who want to know how good clusters are. Only the album is looked at, no image's row."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sploot_clusterd.engine.album import Album
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.questions import suggest
from sploot_clusterd.quality import MOST_LOOKS, AlbumFigures, ModelFigures, Sample, SizeCount
from sploot_clusterd.view import MOST_SUGGESTIONS

_STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 10_000)
"""Sizes of clusters; the last step takes all that are larger."""
_DIGITS = 3


class Reviewed(NamedTuple):
    """One album: its figures, those by encoder, and the sizes of its clusters."""

    album: AlbumFigures
    models: list[ModelFigures]
    sizes: list[int]


def review(album: Album, params: Params) -> Reviewed:
    """Costs what its questions cost: bounded by the cells of its spaces."""
    seen = [each for each in album.clusters.values() if album.is_seen(each)]
    models = []
    for space in album.spaces.values():
        mine = [each for each in album.clusters.values() if each.space == space.number]
        shown = [each for each in mine if album.is_seen(each)]
        models.append(
            ModelFigures(
                space.model_version,
                1,
                sum(each.size for each in mine),
                len(shown),
                sum(each.size for each in mine if not each.shown),
                _rounded(space.silhouette) if len(shown) > 1 else None,
            )
        )
    gain = sum(each.expected_gain for each in suggest(album, params, MOST_SUGGESTIONS).suggestions)
    figures = AlbumFigures(
        *(album.pet_id, album.num_vector_images, len(seen), album.unclustered_images),
        silhouette=_rounded(album.silhouette),
        gain=round(gain, _DIGITS),
    )
    return Reviewed(figures, models, [each.size for each in seen])


def summed(reviews: Iterable[Reviewed], at: str, *, unreadable: int, complete: bool) -> Sample:
    """What albums come to together."""
    reviews = list(reviews)
    albums = [each.album for each in reviews]
    asked = sorted((each for each in albums if each.gain > 0), key=lambda each: -each.gain)
    by_step = Counter(_step(size) for each in reviews for size in each.sizes)
    return Sample(
        at,
        len(albums),
        unreadable,
        complete,
        sum(each.images for each in albums),
        round(sum(each.gain for each in albums), _DIGITS),
        _by_model(each for one in reviews for each in one.models if each.images),
        [SizeCount(step, by_step[step]) for step in _STEPS if by_step[step]],
        asked[:MOST_LOOKS],
    )


def _by_model(figures: Iterable[ModelFigures]) -> list[ModelFigures]:
    """The encoder of most images first."""
    by_version: dict[str, list[ModelFigures]] = {}
    for each in figures:
        by_version.setdefault(each.model_version, []).append(each)
    return sorted((_together(version, each) for version, each in by_version.items()), key=lambda each: -each.images)


def _together(version: str, each: list[ModelFigures]) -> ModelFigures:
    known = [(one.silhouette, one.images) for one in each if one.silhouette is not None]
    images = sum(count for _, count in known)
    return ModelFigures(
        version,
        len(each),
        sum(one.images for one in each),
        sum(one.clusters for one in each),
        sum(one.unclustered for one in each),
        _rounded(sum(value * count for value, count in known) / images) if images else None,
    )


def _step(size: int) -> int:
    return next((step for step in _STEPS if size <= step), _STEPS[-1])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
