"""What follows from a cluster's cells, brought up to date for the clusters that a job touched, or new settings."""

from msgspec import structs

from sploot_clusterd.engine.album import Cluster, sum_votes
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.forgetting import drop_marks
from sploot_clusterd.engine.hero import best_members, choose_hero, newest_pin
from sploot_clusterd.engine.place import fill
from sploot_clusterd.engine.statistics import centred_part, cosines_to_sum
from sploot_clusterd.engine.succession import go_on


def follow_settings(draft: Draft) -> None:
    """Touches every cluster if the settings are not those by which the album is up to date.

    Raises NeedsAllRowsError if cells have more images than they know and those they know were chosen by other weights.
    """
    held, wanted = draft.serving, draft.params.serving
    if held is wanted or held == wanted:
        return
    draft.touched.update(draft.clusters)
    if held is not None and held.hero != wanted.hero:
        fill(draft, {cell_id for cell_id, cell in draft.cells.items() if len(cell.members) < cell.count})
    draft.serving = wanted


def refresh(draft: Draft) -> None:
    """Sizes, closeness, votes, numbers and heroes of touched clusters; empty ones are dropped. Others keep theirs."""
    for key in sorted(key for key, cluster in draft.clusters.items() if not cluster.cells):
        go_on(draft, draft.clusters.pop(key))
    for key in sorted(draft.touched):
        draft.served.pop(key, None)
        cluster = draft.clusters.get(key)
        if cluster is None:
            continue
        _restate(draft, cluster, _closeness(draft, cluster))
    draft.touched.clear()
    drop_marks(draft)


def _closeness(draft: Draft, cluster: Cluster) -> tuple[float, ...]:
    """Of each cell to the cluster; a cell alone is the cluster."""
    if len(cluster.cells) == 1:
        return (1.0,)
    block = draft.blocks[cluster.space]
    at = [block.index(cell_id) for cell_id in cluster.cells]
    sums = centred_part(block.cells, block.cells.about(draft.params.mean_prior), at)
    return tuple(cosines_to_sum(sums).tolist())


def _restate(draft: Draft, cluster: Cluster, closeness: tuple[float, ...]) -> None:
    cells = [draft.cells[cell_id] for cell_id in cluster.cells]
    votes = sum_votes(cells)
    size = sum(cell.count for cell in cells)
    shown = size >= draft.params.min_cluster_size or cluster.anchor is not None
    cluster = structs.replace(
        cluster,
        size=size,
        closeness=closeness,
        vote=min(votes, key=lambda label: (-votes[label], label)) if votes else None,
        newest_ms=draft.newest_ms,
        number=draft.count_up("number") if shown and cluster.number is None else cluster.number,
    )
    hero, chosen = None, cluster.chosen
    if shown:
        served = best_members(cluster, draft.cells, draft.params)
        draft.served[cluster.key] = served
        hero = choose_hero(cluster.hero, served, draft.params.hero.margin)
        draft.changes.hero_changes += cluster.hero is not None and cluster.hero != hero
        pinned = newest_pin(served)
        chosen = chosen if pinned is None else pinned[1].image_id
    draft.clusters[cluster.key] = structs.replace(cluster, hero=hero, chosen=chosen)
