"""What clusters of images with vectors are called: by their user, their images, the job's labels, or "Group N"."""

import numpy as np
from msgspec import structs
from scipy.optimize import linear_sum_assignment

from sploot_clusterd.engine.album import Cluster
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.provisional import shares


def label_of(cluster: Cluster) -> str:
    return cluster.given or cluster.vote or cluster.matched or f"Group {cluster.group}"


def relabel(draft: Draft) -> None:
    """Gives every shown cluster a label. A matched one stays until votes outdo it or the newest labels lack it."""
    keys = sorted(key for key, cluster in draft.clusters.items() if cluster.shown)
    for key in keys:
        cluster = _with_given(draft, draft.clusters[key])
        if cluster.matched is not None and (_is_called(cluster) or cluster.matched not in draft.job.labels):
            draft.clusters[key] = structs.replace(cluster, matched=None)
    if draft.job.labels:
        _match(draft, [draft.clusters[key] for key in keys])
    for key in keys:
        cluster = draft.clusters[key]
        if not _is_called(cluster) and cluster.matched is None and cluster.group is None:
            draft.clusters[key] = structs.replace(cluster, group=draft.count_up("group"))


def _with_given(draft: Draft, cluster: Cluster) -> Cluster:
    """The cluster with its anchor's label."""
    given = draft.anchors[cluster.anchor].label if cluster.anchor is not None else None
    if given != cluster.given:
        cluster = draft.clusters[cluster.key] = structs.replace(cluster, given=given)
    return cluster


def _is_called(cluster: Cluster) -> bool:
    """Whether its user or its images say what it is called."""
    return cluster.given is not None or cluster.vote is not None


def _match(draft: Draft, shown: list[Cluster]) -> None:
    """Matches free labels with unlabelled clusters so that shares of images and coverage differ least in sum."""
    labels = draft.job.labels
    used = {cluster.given or cluster.vote or cluster.matched for cluster in shown}
    free = [label for label in labels if label not in used]
    unlabelled = [cluster for cluster in shown if not _is_called(cluster) and cluster.matched is None]
    if not free or not unlabelled:
        return
    expected = dict(zip(labels, shares(labels, draft.job.coverage), strict=True))
    total = sum(cluster.size for cluster in shown)
    costs = np.abs(
        np.array([cluster.size / total for cluster in unlabelled])[:, None] - np.array([expected[x] for x in free])
    )
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        cluster = unlabelled[row]
        draft.clusters[cluster.key] = structs.replace(cluster, matched=free[column])
