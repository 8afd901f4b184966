"""What was shown, and what goes on from it: ids stay with their photos, and heroes stay while they are good enough.

A job may group clusters anew several times. Each time ids go on from the clusters that were there just before, which no
reader saw. So at the end of the job they are held against those from before it.
"""

from collections import defaultdict

from msgspec import structs

from sploot_clusterd.engine.album import Cluster
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.hero import choose_hero
from sploot_clusterd.engine.maintain import inherit, largest_parts
from sploot_clusterd.engine.rows import Row
from sploot_clusterd.engine.succession import heir_of, is_the_users, succeed


class Shown:
    """The draft's clusters at one moment, and which images they had."""

    def __init__(self, draft: Draft) -> None:
        self.clusters = dict(draft.clusters)
        self.successors = draft.successors
        self.rebuilt = draft.changes.rebuilt
        self._home = dict(draft.home)
        self._cells = dict(draft.cells)
        self._heirs = draft.heirs
        self._rows = dict(draft.rows)

    def overlap(self, draft: Draft) -> dict[tuple[int, int], int]:
        """How many images each cluster with a number has in common with each that is there now, by both keys."""
        numbered = {key for key, cluster in self.clusters.items() if cluster.number is not None}
        if not numbered:
            return {}
        found: dict[tuple[int, int], int] = defaultdict(int)
        moved: dict[int, int] = defaultdict(int)
        for image_id, row in draft.rows.items():
            before = self._row(draft, image_id)
            held, now = before.placed, row.placed
            if before is row or held is None:
                continue
            if now is not None and now.cell == held.cell:
                continue
            cell_id = held.cell if held.cell in self._cells else self._heirs[held.cell]
            moved[cell_id] += 1
            if now is not None:
                found[self._home[cell_id], draft.home[draft.living(now.cell)]] += 1
        for cell_id, key in self._home.items():
            if key in numbered and (count := self._cells[cell_id].count - moved.get(cell_id, 0)):
                found[key, draft.home[cell_id if cell_id in draft.cells else draft.living(cell_id)]] += count
        return {pair: count for pair, count in found.items() if pair[0] in numbered}

    def _row(self, draft: Draft, image_id: str) -> Row:
        return self._rows.get(image_id) or draft.row_before(image_id)


def keep_ids(draft: Draft, shown: Shown) -> bool:
    """Gives ids back that passed to other photos meanwhile, or were given up, though their own are all there.

    An id goes on with the cluster that has the largest part of its photos, unless that has another that was shown: then
    it leads there. Those of corrected clusters follow their anchors instead. Returns whether any id changed.
    """
    if draft.changes.rebuilt == shown.rebuilt:
        return False
    overlap = {
        (before, key): count
        for (before, key), count in shown.overlap(draft).items()
        if shown.clusters[before].space == draft.clusters[key].space  # `Cluster.left` tells of others
    }
    known = {cluster.number for cluster in shown.clusters.values()} - {None}
    if not overlap:
        return False
    changed = False
    for key, before in sorted(inherit(overlap).items()):
        old, heir = shown.clusters[before], draft.clusters[key]
        if heir.number in known or heir.anchor is not None:
            continue
        bearer = _bearer(draft, old)
        if bearer is None or _is_free(bearer):
            _give_back(draft, shown, old, heir, bearer)
            changed = True
    for before, key in sorted(largest_parts(overlap).items()):
        old = shown.clusters[before]
        bearer = _bearer(draft, old)
        if bearer is None or bearer.key == key or overlap.get((before, bearer.key)):
            continue
        if _is_free(bearer):
            draft.clusters[bearer.key] = structs.replace(bearer, number=None, group=None, matched=None, hero=None)
            draft.touched.add(bearer.key)
            succeed(draft, old, key)
            changed = True
    return changed


def number_strangers(draft: Draft, shown: Shown) -> None:
    """Gives a cluster a number of its own, to which another leads, where it would take that over for images that left
    long ago, though others that were shown under it are there. What users corrected is left to `go_on`.
    """
    for empty in [cluster for cluster in draft.clusters.values() if not cluster.cells]:
        key = heir_of(draft, empty)
        if key is None or (heir := draft.clusters[key]).number is not None or is_the_users(draft, heir, empty):
            continue
        before = next((old for old in shown.clusters.values() if old.shown and old.number == empty.number), None)
        own = set() if before is None else {now for each, now in shown.overlap(draft) if each == before.key}
        if own and key not in own:
            draft.clusters[key] = structs.replace(heir, number=draft.count_up("number"))


def keep_heroes(draft: Draft, shown: Shown) -> None:
    """A hero that was shown gives way only to one that is clearly better than it, whoever was the hero in between."""
    heroes = {cluster.number: cluster.hero for cluster in shown.clusters.values() if cluster.hero is not None}
    for key, served in draft.served.items():
        cluster = draft.clusters.get(key)
        if cluster is None or cluster.hero == (present := heroes.get(cluster.number, cluster.hero)):
            continue
        hero = choose_hero(present, served, draft.params.hero.margin)
        if hero != cluster.hero:
            draft.clusters[key] = structs.replace(cluster, hero=hero)
            draft.changes.hero_changes -= hero == present


def forget_unseen(draft: Draft, shown: Shown) -> None:
    """An id that was given and given up again without being shown leads nowhere: nobody can ask for it."""
    if draft.successors is not shown.successors:
        known = shown.successors.keys() | {cluster.number for cluster in shown.clusters.values()}
        draft.successors = {number: to for number, to in draft.successors.items() if number in known}


def _give_back(draft: Draft, shown: Shown, old: Cluster, heir: Cluster, bearer: Cluster | None) -> None:
    """`heir` takes the id of `old`, with what goes by it, from its `bearer`, which gets what the heir had."""
    matched = old.matched if bearer is None else bearer.matched
    if bearer is None and any(cluster.matched == matched for cluster in draft.clusters.values()):
        matched = heir.matched
    draft.clusters[heir.key] = structs.replace(
        heir, number=old.number, group=old.group or heir.group, matched=matched, hero=old.hero
    )
    draft.touched.add(heir.key)
    number = heir.number
    if bearer is not None:
        number = draft.count_up("number") if number is None else number
        taken = structs.replace(bearer, number=number, group=heir.group, matched=heir.matched, hero=None)
        draft.clusters[bearer.key] = taken
        draft.touched.add(bearer.key)
    led = {old.number: number, heir.number: old.number}
    led_before = [each for each, to in shown.successors.items() if to == old.number]
    draft.successors = {
        each: to if (now := old.number if each in led_before else led.get(to)) is None else now
        for each, to in draft.successors.items()
        if each != old.number
    }


def _is_free(bearer: Cluster) -> bool:
    """Whether its id may go: neither do users' corrections decide, nor `go_on`, as for one that is empty."""
    return bearer.anchor is None and len(bearer.cells) > 0


def _bearer(draft: Draft, old: Cluster) -> Cluster | None:
    """The cluster that has its number now: mostly what it became itself."""
    same = draft.clusters.get(old.key)
    if same is not None and same.number == old.number:
        return same
    return next((cluster for cluster in draft.clusters.values() if cluster.number == old.number), None)
