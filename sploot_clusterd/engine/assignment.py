"""Which cluster each image is in: what a view, which lists the best members only, does not tell."""

from collections.abc import Mapping

from sploot_clusterd.engine.album import Album
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.rows import decode_row


def assignment(album: Album, rows: Mapping[str, bytes], params: Params) -> dict[str, int]:
    """The shown number of each image's cluster. Images without vectors, and those in no shown cluster, are left out.

    `rows` holds every row of the album. Raises BadStateError if one cannot be read.
    """
    number_of_cell = {
        cell: cluster.number
        for cluster in album.clusters.values()
        if cluster.number is not None and (cluster.size >= params.min_cluster_size or cluster.anchor is not None)
        for cell in cluster.cells
    }
    assigned = {}
    for image_id, raw in rows.items():
        vectors = decode_row(raw).placed
        if vectors is None:
            continue
        number = number_of_cell.get(album.heirs.get(vectors.cell, vectors.cell))
        if number is not None:
            assigned[image_id] = number
    return assigned
