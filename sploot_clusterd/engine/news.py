"""What a commit changes for readers, found where the new album is another than the old one: neither view is read."""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from sploot_clusterd.changes import MOST_JOBS, Change
from sploot_clusterd.engine.album import Album, Cluster, ProvisionalCluster
from sploot_clusterd.engine.differences import Shown, compare
from sploot_clusterd.engine.fragment import Face, Fragment, decoded_face
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.render import parts_of, unclustered


class _Clusters(Struct, frozen=True):
    """An album's: those that readers see, by their numbers, and those of which they see nothing but images."""

    seen: Mapping[int, Cluster | ProvisionalCluster]
    loose: Sequence[Cluster]


def news_of(before: Album, after: Album, jobs: Sequence[str], params: Params) -> Change:
    """What is different in the view of `after`, for which these jobs were applied to `before`."""
    old, new = _clusters(before), _clusters(after)
    numbers = _differing(before, after, old, new)
    was, now = _faces(_fragments(before, old, params, numbers), _fragments(after, new, params, numbers), numbers)
    found = compare(
        after.pet_id,
        Shown(was, _images(before, old.loose, after) if old.loose else ()),
        Shown(now, _images(after, new.loose, before) if new.loose else ()),
        after.successors,
    )
    return Change(
        after.version,
        list(jobs[:MOST_JOBS]),
        len(new.seen),
        after.num_images,
        sum([cluster.size for cluster in new.loose]) if new.loose else 0,
        found.clusters,
        found.unclustered,
        max(0, len(jobs) - MOST_JOBS),
        found.truncated,
    )


def _clusters(album: Album) -> _Clusters:
    """In one pass, as most of a small job's news is to look through them."""
    seen: dict[int, Cluster | ProvisionalCluster] = {}
    loose: list[Cluster] = []
    veiled = album.veiled
    for cluster in album.clusters.values():
        if cluster.hero is None:
            loose.append(cluster)
        elif cluster.number is not None and cluster.anchor not in veiled:
            seen[cluster.number] = cluster
    for provisional in album.provisional:
        if provisional.number is not None and provisional.last > provisional.first:
            seen[provisional.number] = provisional
    return _Clusters(seen, loose)


def _differing(before: Album, after: Album, old: _Clusters, new: _Clusters) -> Collection[int]:
    """Numbers of clusters that are not the very same in both albums; all where these show by different settings."""
    if not _serve_alike(before, after):
        return old.seen.keys() | new.seen.keys()
    numbers = {number for number, cluster in new.seen.items() if old.seen.get(number) is not cluster}
    numbers |= old.seen.keys() - new.seen.keys()
    if before.chunks != after.chunks:
        numbers |= {each.number for each in (*before.provisional, *after.provisional) if each.number is not None}
    return numbers


def _serve_alike(album: Album, other: Album) -> bool:
    return album.serving is other.serving or album.serving == other.serving


def _fragments(album: Album, clusters: _Clusters, params: Params, numbers: Collection[int]) -> Mapping[int, Fragment]:
    """Of its shown clusters, those of these numbers among them; what of these is not at hand is rendered."""
    ready = album.fragments if album.serving is not None else {}
    left = [number for number in numbers if number not in ready and number in clusters.seen]
    if not left:
        return ready
    return {**ready, **{number: Fragment("", raw) for number, raw in parts_of(album, params, left).items()}}


def _faces(
    old: Mapping[int, Fragment], new: Mapping[int, Fragment], numbers: Collection[int]
) -> tuple[dict[int, Face], dict[int, Face]]:
    """Before and after, of those of the clusters that are not the same in both, byte for byte."""
    was: dict[int, Face] = {}
    now: dict[int, Face] = {}
    for number in numbers:
        one, other = old.get(number), new.get(number)
        if one is not None and other is not None and one.raw == other.raw:
            continue
        if one is not None:
            was[number] = one.face or decoded_face(one.raw)
        if other is not None:
            now[number] = other.face or decoded_face(other.raw)
    return was, now


def _images(album: Album, loose: Sequence[Cluster], other: Album) -> list[str]:
    """Of these clusters, as far as the other album does not have them as they are; of all as above."""
    if _serve_alike(album, other):
        loose = [cluster for cluster in loose if other.clusters.get(cluster.key) is not cluster]
    return unclustered(album, loose)
