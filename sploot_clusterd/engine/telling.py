"""What an album tells of its user's words: what was said lately, and what is hidden."""

from datetime import UTC, datetime

from sploot_clusterd import view
from sploot_clusterd.engine.album import Album
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.render import cluster_view


def said(album: Album) -> view.SaidList:
    """The corrections that can be taken back, the latest first, by their jobs."""
    return view.SaidList(
        [view.Said(word.job_id, word.actor, _time(word.at[0]), list(word.said)) for word in reversed(album.words)],
        album.version,
    )


def hidden(album: Album, params: Params) -> view.HiddenList:
    """What users hid: clusters as a view would show them, and images."""
    clusters = sorted(
        (cluster for cluster in album.clusters.values() if cluster.shown and cluster.anchor in album.veiled),
        key=lambda cluster: cluster.number or 0,
    )
    serving = params if album.serving is None else params.serving_as(album.serving)
    return view.HiddenList(
        [cluster_view(album.pet_id, cluster, album.cells, serving) for cluster in clusters],
        sorted(album.hidden),
        album.version,
    )


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
