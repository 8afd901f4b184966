"""What clusters of images with vectors are called: by their user, their images, the job's labels, or "Group N"."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from msgspec import structs

from sploot_clusterd.engine.album import Cluster
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.provisional import shares
from sploot_clusterd.engine.succession import heir_of, takes_label

_DIGITS = 12
"""Sums that differ by less are equal."""


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
        waiting = _hand_on(draft)
        _match(draft, [draft.clusters[key] for key in keys], waiting)
    for key in keys:
        cluster = draft.clusters[key]
        if not _is_called(cluster) and cluster.matched is None and cluster.group is None:
            draft.clusters[key] = structs.replace(cluster, group=draft.count_up("group"))


def _with_given(draft: Draft, cluster: Cluster) -> Cluster:
    """The cluster with its anchor's label."""
    given = draft.constraints.labels.get(cluster.anchor) if cluster.anchor is not None else None
    if given != cluster.given:
        cluster = draft.clusters[cluster.key] = structs.replace(cluster, given=given)
    return cluster


def _is_called(cluster: Cluster) -> bool:
    """Whether its user or its images say what it is called."""
    return cluster.given is not None or cluster.vote is not None


def _hand_on(draft: Draft) -> set[int]:
    """Lets matched labels go to where most images of their clusters are that are sent again, as by another encoder,
    once their clusters are not shown any more. Returns the keys of clusters that wait for such a label.
    """
    waiting: set[int] = set()
    labels = draft.job.labels
    for cluster in [cluster for cluster in draft.clusters.values() if cluster.left and cluster.matched in labels]:
        key = heir_of(draft, cluster)
        heir = draft.clusters[key] if key is not None else cluster
        if heir.key == cluster.key or heir.matched is not None or not takes_label(draft, heir, cluster):
            continue
        if cluster.shown or not heir.shown:
            waiting.add(heir.key)
        elif not _is_called(heir):
            draft.clusters[heir.key] = structs.replace(heir, matched=cluster.matched)
            draft.clusters[cluster.key] = structs.replace(cluster, matched=None)
    return waiting


def _match(draft: Draft, shown: list[Cluster], waiting: AbstractSet[int]) -> None:
    """Matches free labels with unlabelled clusters, but for those `waiting` for others, so that shares of images and
    coverage differ least in sum.
    """
    labels = draft.job.labels
    used = {cluster.given or cluster.vote or cluster.matched for cluster in shown}
    used |= {cluster.matched for cluster in draft.clusters.values() if cluster.left}  # its images take it along
    free = [label for label in labels if label not in used]
    unlabelled = [each for each in shown if not _is_called(each) and each.matched is None and each.key not in waiting]
    if not free or not unlabelled:
        return
    expected = dict(zip(labels, shares(labels, draft.job.coverage), strict=True))
    total = sum(cluster.size for cluster in shown)
    unlabelled.sort(key=lambda cluster: -cluster.size)
    free.sort(key=lambda label: -round(expected[label], _DIGITS))
    parts, wanted = [cluster.size / total for cluster in unlabelled], [expected[label] for label in free]
    if len(parts) <= len(wanted):
        pairs = list(enumerate(assign(parts, wanted)))
    else:
        pairs = [(at, column) for column, at in enumerate(assign(wanted, parts))]
    for at, column in pairs:
        cluster = unlabelled[at]
        draft.clusters[cluster.key] = structs.replace(cluster, matched=free[column])


def assign(few: Sequence[float], many: Sequence[float]) -> list[int]:
    """For each of `few` a place in `many`, no place twice, so that differences are least in sum.

    Both fall. On a line some best assignment never crosses (Karp and Li, "Two special cases of the assignment problem",
    1975), so the places rise, and each follows from the best sums of those before it. Of equals the first is taken.
    """
    best, steps = np.zeros(len(many) + 1), []
    for value in few:
        step = np.append(np.inf, best[:-1] + np.abs(np.array(many) - value))
        best = np.minimum.accumulate(step)
        steps.append(step)
    places, end = [], len(many)
    for step in reversed(steps):
        end = int(step[: end + 1].round(_DIGITS).argmin()) - 1
        places.append(end)
    return places[::-1]
