"""Cuts one pet's jobs into parts, each with a commit of its own, so that a backfill is seen to make progress.

How a pet's jobs are spread over commits makes no difference to it, so they may be cut anywhere.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sploot_clusterd.ingest.batch import Delivery
from sploot_clusterd.model import Job

_PART_SECONDS: Final = 1.0
"""Of estimated work: what a conflict costs at most, but for a job that takes longer by itself."""


def next_part(jobs: Sequence[Delivery], seconds: Callable[[Job], float]) -> Sequence[Delivery]:
    """The first of them: as many as are estimated to take a second together, and one at least."""
    total = 0.0
    for at, (_, job) in enumerate(jobs):
        total += seconds(job)
        if at and total > _PART_SECONDS:
            return jobs[:at]
    return jobs
