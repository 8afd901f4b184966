"""What a commit changes for readers, found where the new album is another than the old one: neither view is read."""

from collections.abc import Collection, Mapping, Sequence

from sploot_clusterd.changes import MOST_JOBS, Change
from sploot_clusterd.engine.album import Album, Cluster
from sploot_clusterd.engine.differences import Shown, compare
from sploot_clusterd.engine.fragment import Face, Fragment, decoded_face
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.render import parts_of, unclustered


def news_of(before: Album, after: Album, jobs: Sequence[str], params: Params) -> Change:
    """What is different in the view of `after`, for which these jobs were applied to `before`."""
    found = compare(after.pet_id, *_differing(before, after, params), after.successors)
    return Change(
        after.version,
        list(jobs[:MOST_JOBS]),
        after.shown_clusters,
        after.num_images,
        after.unclustered_images,
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
    was, now = _fragments(before, params, numbers), _fragments(after, params, numbers)
    return (
        Shown(_faces(was, now), unclustered(before, old)),
        Shown(_faces(now, was), unclustered(after, new)),
    )


def _fragments(album: Album, params: Params, numbers: Collection[int]) -> dict[int, Fragment]:
    """Of its shown clusters of these numbers; those that are not at hand are rendered."""
    ready = album.fragments if album.serving is not None else {}
    found = {number: ready[number] for number in numbers if number in ready}
    if len(found) < len(numbers):
        left = [number for number in numbers if number not in found]
        found |= {number: Fragment("", raw) for number, raw in parts_of(album, params, left).items()}
    return found


def _others(album: Album, other: Album) -> list[Cluster]:
    """The album's clusters that the other one does not have as they are; all where it shows by other settings."""
    if album.serving != other.serving:
        return list(album.clusters.values())
    return [cluster for key, cluster in album.clusters.items() if other.clusters.get(key) is not cluster]


def _faces(fragments: Mapping[int, Fragment], others: Mapping[int, Fragment]) -> dict[int, Face]:
    """Of the clusters that are not the same in both, byte for byte."""
    return {
        number: each.face or decoded_face(each.raw)
        for number, each in fragments.items()
        if number not in others or others[number].raw != each.raw
    }
