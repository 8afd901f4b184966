"""The default algorithm: a mixture with an unknown number of components, merged by evidence from micro-clusters.

Between rebuilds it is quiet: a new image joins or founds, and nothing else moves. A rebuild starts from all cells, so
its result hardly depends on the order of arrival.
"""

import numpy as np

from sploot_clusterd.engine.evidence import absorb, agglomerate, best_for_last
from sploot_clusterd.engine.handful import clearly_likest
from sploot_clusterd.engine.neighbours import smoothed
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.statistics import Cells, Centring, Ints, grouped


class Mixture:
    micro_cells = True

    def due(self, moved: int, partitioned: int, params: Params) -> bool:
        return moved >= max(params.rebuild_least, params.rebuild_growth * partitioned)

    def attach(self, cells: Cells, groups: Ints, params: Params) -> int | None:
        """The group that evidence speaks for, else the strong one that the image is clearly most like."""
        if not len(groups):
            return None
        count = int(groups[groups.argmax()]) + 1
        every = np.empty(len(groups) + 1, dtype=np.int64)
        every[:-1], every[-1] = groups, count
        about = cells.about(params.mean_prior)
        sums, weights = grouped(cells, about, every, count + 1)
        products = sums.dot(sums[count]).astype(np.float64)
        best, score = best_for_last(sums, weights, products, params.prior_ratio * cells.scale)
        if score > _threshold(cells, about, params):
            return best
        near, weight, rule = products.tolist(), weights.tolist(), params.absorbing.at(cells.scale)
        strong = [group for group in range(count) if weight[group] >= rule.weight]
        return clearly_likest({group: near[group] / (weight[group] * weight[count]) for group in strong}, rule)

    def partition(self, cells: Cells, params: Params) -> Ints:
        by = params.smoothing
        about = cells.about(params.mean_prior)
        sums = cells.centred(about)
        sums = smoothed(sums, cells.weights, by.neighbours, cells.scale)
        ratio, threshold = by.ratio * params.prior_ratio * cells.scale, by.threshold * _threshold(cells, about, params)
        groups = agglomerate(sums, cells.weights, ratio, threshold)
        return absorb(sums, cells.weights, groups, params.absorbing.at(by.likeness * cells.scale))


def _threshold(cells: Cells, about: Centring, params: Params) -> float:
    """The score of a pair of cosine c is about 2 r c - r^2: where r and c are k times as large, it is k^2 times."""
    return params.threshold(about.weight) * cells.scale**2
