"""Cells that a user said do not belong to a cluster: they are free, but never in that one."""

import numpy as np

from sploot_clusterd.engine.block import Block
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.statistics import Ints


def expel(draft: Draft, block: Block, groups: Ints, anchors: Ints) -> Ints:
    """The groups [k], without the cells that are barred from theirs, one after the other: each goes where the algorithm
    would have it join if its group were not there, or is a group of its own. What was just split off takes in none.

    `anchors` [k] are those of the cells (-1: none).
    """
    if not draft.constraints.barring:
        return groups
    groups = groups.astype(np.int64)
    for at, cell_id in enumerate(block.ids):
        barred = draft.barred(draft.cells[cell_id].anchor)
        if not barred:
            continue
        away = np.unique(groups[np.isin(anchors, list(barred))])
        if groups[at] not in away:
            continue
        closed = np.unique(groups[np.isin(anchors, list(draft.closed))])
        (others,) = (~np.isin(groups, (*away, *closed))).nonzero()
        numbers, homes = np.unique(groups[others], return_inverse=True)
        cells = block.cells.chosen([*others.tolist(), at])
        group = draft.algorithm.attach(cells, homes.astype(np.int64), draft.params)
        found = group is not None and 0 <= group < len(numbers)
        groups[at] = numbers[group] if found else groups.max() + 1
    return groups
