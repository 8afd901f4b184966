"""The default algorithm: a mixture with an unknown number of components, merged by evidence from micro-clusters.

Between rebuilds it is quiet: a new image joins or founds, and nothing else moves. A rebuild starts from all cells, so
its result hardly depends on the order of arrival.
"""

import numpy as np

from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.statistics import Cells, Ints, agglomerate, grouped, merge_scores


class Mixture:
    micro_cells = True

    def due(self, moved: int, settled: int, params: Params) -> bool:
        return moved >= max(params.rebuild_least, params.rebuild_growth * settled)

    def attach(self, cells: Cells, groups: Ints, params: Params) -> int | None:
        if not len(groups):
            return None
        count = int(groups.max()) + 1
        about = cells.about(params.mean_prior)
        sums, weights = grouped(cells, about, np.append(groups, count), count + 1)
        square = np.einsum("ij,ij->i", sums, sums).astype(np.float64)
        products = (sums @ sums[count]).astype(np.float64)
        scores = merge_scores(square, weights, count, products, params.prior_ratio)[:count]
        best = int(scores.argmax())
        return best if scores[best] > params.merge_threshold else None

    def partition(self, cells: Cells, params: Params) -> Ints:
        about = cells.about(params.mean_prior)
        return agglomerate(cells, about, params.prior_ratio, params.merge_threshold)
