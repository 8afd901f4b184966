"""What corrections name: clusters by their public ids, and where images are."""

from collections.abc import Iterable

from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.rows import Vectors
from sploot_clusterd.engine.succession import find
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import cluster_number


def find_cluster(draft: Draft, pet_id: str, cluster: str) -> int:
    """The key of the cluster that a public id leads to. Raises BadJobError."""
    number = cluster_number(pet_id, cluster)
    if number is None or number >= draft.counters.number:
        raise stale(f"the pet never had {cluster}")
    if any(provisional.number == number for provisional in draft.provisional):
        raise stale(f"{cluster} is provisional: its images have no vectors yet")
    key = find(draft, number)
    if key is None:
        raise stale(f"{cluster} is gone: none of its images is left")
    return key


def clusters_found(draft: Draft, pet_id: str, clusters: Iterable[str]) -> set[int]:
    """The keys of those that are there."""
    numbers = {cluster_number(pet_id, cluster) for cluster in clusters} - {None}
    return {key for number in numbers if number is not None and (key := find(draft, number)) is not None}


def homes(draft: Draft, image_ids: Iterable[str]) -> dict[str, int]:
    """The cluster of each image that is in one, in the order given."""
    rows = {image_id: draft.row(image_id).placed for image_id in image_ids}
    return {image_id: draft.home[draft.living(held.cell)] for image_id, held in rows.items() if held is not None}


def placed_in(draft: Draft, key: int, image_ids: Iterable[str]) -> list[str]:
    """Those of the images that are in the cluster. Raises BadJobError if none is."""
    placed = [image_id for image_id, home in homes(draft, image_ids).items() if home == key]
    if not placed:
        raise stale("image_ids: none of these images is in the cluster any more")
    return placed


def vectors_of(draft: Draft, image_id: str) -> Vectors:
    """Of an image that is in a cluster."""
    vectors = draft.row(image_id).placed
    if vectors is None:
        raise ValueError("an image in a cluster has vectors")
    return vectors


def stale(detail: str) -> BadJobError:
    return BadJobError("stale_correction", detail)
