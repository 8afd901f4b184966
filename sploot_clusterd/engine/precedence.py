"""Which of two corrections counts: the one accepted later, also where the other one is applied after it.

An album remembers when what was last corrected: of a photo its cluster; of a cluster which photos are its own, its
name, and its hero. It remembers the latest of these. What is older than those that it forgot is refused, too: nobody
can tell.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import structs

from sploot_clusterd.correcting import OfImages, clusters_named
from sploot_clusterd.engine.album import Corrected
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.rows import Stamp
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import Apart, Correction, Hide, Merge, Rename, SetHero, Split, Unhide, cluster_number

_MOST: Final = 1000
_KEPT: Final = 750
"""Once there are too many, so many stay."""

_IMAGE, _MEMBERS, _NAME, _HERO, _SEEN = "i", "m", "n", "h", "v"


def in_time(draft: Draft, pet_id: str, correction: Correction, at: Stamp) -> Correction:
    """The correction without the photos of which a later one was applied before it.

    Raises BadJobError (`stale_correction`) if nothing of it is left, or a later one was applied to its clusters.
    """
    places = draft.corrected.places
    if at >= max(places.values(), default=draft.corrected.forgotten):
        return correction
    if at < draft.corrected.forgotten:
        raise _late("it comes too late: many later corrections were applied before it")
    for key in _of_clusters(draft, pet_id, correction):
        if at < places.get(key, at):
            raise _late("it comes too late: a later correction was applied to the same cluster before it")
    named = correction.image_ids if isinstance(correction, OfImages) else None
    if named is None:
        return correction
    left = [image_id for image_id in named if at >= places.get(_IMAGE + image_id, at)]
    if not left:
        raise _late("it comes too late: later corrections were applied to the same images before it")
    return structs.replace(correction, image_ids=left)


def note(draft: Draft, pet_id: str, correction: Correction, at: Stamp) -> None:
    """The correction was applied."""
    images = (correction.image_ids or ()) if isinstance(correction, OfImages) else ()
    keys = [*_of_clusters(draft, pet_id, correction), *(_IMAGE + image_id for image_id in images)]
    if not keys:
        return
    known = draft.corrected.places
    if draft.word is not None:
        draft.say(noted={key: known.get(key) for key in keys if key not in draft.word.noted})
    forgotten, places = draft.corrected.forgotten, {**known, **dict.fromkeys(keys, at)}
    if len(places) > _MOST:
        latest = sorted(places.items(), key=lambda each: each[1], reverse=True)
        places, forgotten = dict(latest[:_KEPT]), latest[_KEPT][1]
    draft.corrected = Corrected(forgotten, places)


def forget(draft: Draft, noted: Mapping[str, Stamp | None], at: Stamp) -> None:
    """What was noted at that place was never said; `noted` tells what was known before.

    Where the album went back to a former version since, all of that is noted at the place where it did.
    """
    forgotten, places = draft.corrected.forgotten, dict(draft.corrected.places)
    others = {key for word in draft.words for key in word.noted}
    for key, before in noted.items():
        if places.get(key) == at or (places.get(key) == forgotten and key not in others):
            del places[key]
            if before is not None:
                places[key] = max(before, forgotten)
    draft.corrected = Corrected(forgotten, places)


def was_corrected(corrected: Corrected, image_id: str) -> bool:
    """Whether a user said where the image belongs, as far as it is remembered."""
    return _IMAGE + image_id in corrected.places


def _of_clusters(draft: Draft, pet_id: str, correction: Correction) -> Iterator[str]:
    """What the correction says of clusters, by their numbers: those it names, and those that these became part of."""
    match correction:
        case Merge() | Split() | Apart():
            said = _MEMBERS
        case Rename():
            said = _NAME
        case SetHero():
            said = _HERO
        case Hide() | Unhide():
            said = _SEEN
        case _:
            return
    for cluster in clusters_named(correction):
        number = cluster_number(pet_id, cluster)
        if number is not None:
            yield f"{said}{number}"
            if number in draft.successors:
                yield f"{said}{draft.successors[number]}"


def _late(detail: str) -> BadJobError:
    return BadJobError("stale_correction", detail)
