"""What a commit changes for readers, found where the new album is another than the old one: neither view is read."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from sploot_clusterd.changes import MOST_JOBS, Change
from sploot_clusterd.engine.album import Album, Cluster
from sploot_clusterd.engine.differences import Face, Shown, compare
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.render import parts_of, unclustered


class _Member(Struct, gc=False):
    image_id: str


class _Fragment(Struct, gc=False):
    label: str
    hero_image_id: str | None
    members: list[_Member]
    size: int
    provisional: bool


_fragment: Final = msgspec.json.Decoder(_Fragment).decode


def news_of(before: Album, after: Album, jobs: Sequence[str], params: Params) -> Change:
    """What is different in the view of `after`, for which these jobs were applied to `before`."""
    found = compare(after.pet_id, *_differing(before, after, params), after.successors)
    shown = [cluster.size for cluster in after.clusters.values() if cluster.shown]
    provisional = [each for each in after.provisional if each.last > each.first]
    num_images = after.num_vector_images
    return Change(
        after.version,
        list(jobs[:MOST_JOBS]),
        len(shown) + len(provisional),
        num_images + after.num_provisional,
        num_images - sum(shown),
        found.clusters,
        found.unclustered,
        max(0, len(jobs) - MOST_JOBS),
        found.truncated,
    )


def _differing(before: Album, after: Album, params: Params) -> tuple[Shown, Shown]:
    """What readers saw and see of clusters that are not the very same in both albums."""
    old, new = _others(before, after), _others(after, before)
    numbers = {cluster.number for cluster in (*old, *new) if cluster.shown and cluster.number is not None}
    if before.provisional != after.provisional or before.chunks != after.chunks:
        numbers |= {each.number for each in (*before.provisional, *after.provisional) if each.number is not None}
    was, now = parts_of(before, params, numbers), parts_of(after, params, numbers)
    return (
        Shown(_faces(was, now), unclustered(before, old)),
        Shown(_faces(now, was), unclustered(after, new)),
    )


def _others(album: Album, other: Album) -> list[Cluster]:
    """The album's clusters that the other one does not have as they are; all where it shows by other settings."""
    if album.serving != other.serving:
        return list(album.clusters.values())
    return [cluster for key, cluster in album.clusters.items() if other.clusters.get(key) is not cluster]


def _faces(parts: Mapping[int, bytes], others: Mapping[int, bytes]) -> dict[int, Face]:
    """Of the clusters that are not the same in both, byte for byte."""
    return {number: _face(_fragment(raw)) for number, raw in parts.items() if raw != others.get(number)}


def _face(fragment: _Fragment) -> Face:
    images = [member.image_id for member in fragment.members]
    return Face(fragment.label, fragment.hero_image_id, fragment.size, fragment.provisional, images)
