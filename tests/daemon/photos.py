"""Photos of several looks, some of which are rather like others."""

import numpy as np


def photos(group: int, share: float = 0.0) -> list[dict]:
    """Insights of one look, which has a share of the first one."""
    found = []
    for number in range(6):
        vector = np.random.default_rng(100 * group + number).normal(size=24) * 0.05
        vector[0] += share
        vector[group] += 1.0
        found.append({"image_id": f"g{group}-{number}", "embedding": vector.tolist(), "quality": 0.9})
    return found
