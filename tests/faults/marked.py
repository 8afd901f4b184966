"""The daemon with jobs that do harm: `python -m tests.faults.marked`. What a job does, its job id says.

No production code has to know of it: the planner's one step that applies jobs is wrapped before the daemon starts.
"""

import os
import signal
import sys
from collections.abc import Sequence

from sploot_clusterd.cli import main
from sploot_clusterd.engine import Album, Applied, Profiles
from sploot_clusterd.ingest.batch import Delivery
from sploot_clusterd.ingest.plan import PetJobs
from sploot_clusterd.ingest.planner import Planner

FAILS_ONCE = "fails-once"
"""Its first run raises, its second does not."""
FAILS_ALWAYS = "fails-always"
DIES_ONCE = "dies-once"
"""Its first run ends the process, its second raises, its third does not."""
KILLS = "kills"
"""Each run ends the process."""

_apply = Planner._apply


def _apply_marked(
    planner: Planner, pet: PetJobs, album: Album, jobs: Sequence[Delivery], profiles: Profiles
) -> Applied:
    for entry, job in jobs:
        if job.job_id.startswith(KILLS) or (job.job_id.startswith(DIES_ONCE) and entry.delivery == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if job.job_id.startswith(FAILS_ALWAYS):
            raise ArithmeticError("a job that always fails")
        if job.job_id.startswith((FAILS_ONCE, DIES_ONCE)) and entry.attempts == 0:
            raise ArithmeticError("a job that fails once")
    return _apply(planner, pet, album, jobs, profiles)


if __name__ == "__main__":
    Planner._apply = _apply_marked  # type: ignore[method-assign]
    sys.exit(main())
