"""Images that are in a cluster that a view shows, and that it does not list: it shows the best of a cluster alone."""

from typing import Final

from sploot_clusterd.engine import Params, decode_album
from sploot_clusterd.engine.assignment import assignment
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.history.shown import Shown
from sploot_clusterd.model import cluster_id
from sploot_clusterd.store import Picture

_ANY_SIZE: Final = Params(min_cluster_size=1)
"""Which clusters are large enough, the view says."""


def unlisted(picture: Picture, shown: Shown) -> set[tuple[str, str]]:
    """(cluster, image). Of an album that cannot be read, none: its jobs say so. One of which all is listed is not."""
    if shown.lists_all():
        return set()
    clusters = {each.id for each in shown.clusters}
    listed = {image for _, image in shown.members()}
    try:
        numbers = assignment(decode_album(picture.pet_id, picture.fields), picture.rows, _ANY_SIZE)
    except BadStateError:
        return set()
    places = {(cluster_id(picture.pet_id, number), image) for image, number in numbers.items()}
    return {(cluster, image) for cluster, image in places if cluster in clusters and image not in listed}
