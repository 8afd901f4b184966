"""What is different between clusters as readers saw them and as they see them now."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from sploot_clusterd.changes import MOST_CLUSTERS, MOST_IMAGES, ClusterChange, ImageChange
from sploot_clusterd.engine.fragment import Face
from sploot_clusterd.model import cluster_id


class Shown(Struct, frozen=True):
    """Clusters of a view by their numbers, and images that it lists outside of all."""

    faces: Mapping[int, Face]
    loose: Sequence[str] = ()


class Differences(Struct, frozen=True):
    """`truncated`: there are too many to tell; no images are then."""

    clusters: list[ClusterChange]
    unclustered: ImageChange | None
    truncated: bool


def compare(pet_id: str, before: Shown, after: Shown, successors: Mapping[int, int]) -> Differences:
    """The differences, by the clusters' numbers.

    Clusters that are alike may be left out of both, and loose images too: but what moved has to be where it was and
    where it is. `successors` leads from numbers that were given up to those of which they became part.
    """
    changes: list[ClusterChange] = []
    for number in sorted(before.faces.keys() | after.faces.keys()):
        old, new = before.faces.get(number), after.faces.get(number)
        if new is None:
            changes.append(_gone(pet_id, number, before.faces[number], _heir(number, after, successors)))
        elif old is None:
            changes.append(_new(pet_id, number, new, _origin(new, before, after)))
        elif (change := _changed(pet_id, number, old, new)) is not None:
            changes.append(change)
    came, went = _moved(before.loose, after.loose)
    count = len(came) + len(went)
    for each in changes:
        count += len(each.images_in) + len(each.images_out)
    if count > MOST_IMAGES or len(changes) > MOST_CLUSTERS:
        bare = [structs.replace(change, images_in=[], images_out=[]) for change in changes[:MOST_CLUSTERS]]
        return Differences(bare, None, truncated=True)
    return Differences(changes, ImageChange(came, went) if came or went else None, truncated=False)


def _gone(pet_id: str, number: int, old: Face, heir: int | None) -> ClusterChange:
    change = ClusterChange(cluster_id(pet_id, number), "gone", images_out=[*old.images])
    return change if heir is None else structs.replace(change, what="merged", successor=cluster_id(pet_id, heir))


def _heir(number: int, after: Shown, successors: Mapping[int, int]) -> int | None:
    """The cluster of which one became part, if that is shown. Only of what was given up does a successor tell."""
    heir = successors.get(number)
    return heir if heir in after.faces else None


def _new(pet_id: str, number: int, new: Face, origin: int | None) -> ClusterChange:
    return ClusterChange(
        cluster_id(pet_id, number),
        "new" if origin is None else "split",
        label=new.label,
        hero_image_id=new.hero,
        size=new.size,
        provisional=new.provisional or None,
        origin=None if origin is None else cluster_id(pet_id, origin),
        images_in=[*new.images],
    )


def _origin(new: Face, before: Shown, after: Shown) -> int | None:
    """The cluster in which most of its images were shown that came from one that is there still."""
    images, living = set(new.images), sorted(before.faces.keys() & after.faces.keys())
    origins = {number: len(images.intersection(before.faces[number].images)) for number in living}
    origin = max(origins, key=origins.__getitem__, default=None)
    return origin if origin is not None and origins[origin] else None


def _changed(pet_id: str, number: int, old: Face, new: Face) -> ClusterChange | None:
    """None where nothing but the order of images is different."""
    images_in, images_out = _moved(old.images, new.images)
    if not (images_in or images_out) and _bare(old) == _bare(new):
        return None
    return ClusterChange(
        cluster_id(pet_id, number),
        "changed",
        label=new.label if new.label != old.label else None,
        hero_image_id=new.hero if new.hero != old.hero else None,
        size=new.size if new.size != old.size else None,
        provisional=new.provisional if new.provisional != old.provisional else None,
        images_in=images_in,
        images_out=images_out,
    )


def _bare(face: Face) -> tuple[object, ...]:
    return face.label, face.hero, face.size, face.provisional


def _moved(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which came, and which went; none is twice in either."""
    if before == after:
        return [], []
    old = set(before)
    came = [each for each in after if each not in old]
    if len(after) - len(came) == len(before):
        return came, []
    new = set(after)
    return came, [each for each in before if each not in new]
