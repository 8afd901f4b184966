"""Whether clusters are what a user saw: a digest of what the view shows of each, or the images that it listed."""

from collections.abc import Collection
from zlib import crc32

from sploot_clusterd.engine.addressing import find_cluster, stale
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.hero import best_members
from sploot_clusterd.model import Job

_MOST_NAMED = 10


def digest_of(images: Collection[str], size: int) -> str:
    """Of a cluster of that size, of which the view lists these images, in whatever order: eight hexadecimal digits."""
    return f"{crc32(' '.join(sorted(images)).encode(), size):08x}"


def check_seen(draft: Draft, job: Job) -> None:
    """Raises BadJobError if a cluster is not as it was seen; of a list of images it names what came and went."""
    for cluster, seen in job.seen.items():
        held = draft.clusters[find_cluster(draft, job.pet_id, cluster)]
        now = [member.image_id for _, member in best_members(held, draft.cells, draft.params)] if held.shown else []
        if isinstance(seen, str):
            if seen != digest_of(now, held.size):
                raise stale(f"seen: {cluster} is not as it was seen; it has {held.size} images now, first {_some(now)}")
            continue
        came = [image_id for image_id in now if image_id not in seen]
        went = [image_id for image_id in seen if image_id not in now]
        if came or went:
            raise stale(f"seen: {cluster} is not as it was seen: came {_some(came)}; went {_some(went)}")


def _some(images: Collection[str]) -> str:
    named = ", ".join(list(images)[:_MOST_NAMED]) or "none"
    more = len(images) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named
