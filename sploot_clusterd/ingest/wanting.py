"""Which insights a commit leaves word of: what its pet wants of the storage service, and what that is to be told.

Applying a job never waits for the service. Word is left in the same step as the album, so that none is lost.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sploot_clusterd.engine import Applied, around_wants, seen_anew
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import Job
from sploot_clusterd.store import LIST, Commit, InsightNews


class Wanting:
    """What one process's commits say of insights."""

    def __init__(self, left: asyncio.Event, metrics: Metrics, *, write_back: bool) -> None:
        """`left` is set where word was left, for those who take it up. `write_back`: whether the service is told where
        readers see images.
        """
        self.left = left
        self._wanted = metrics.insights_wanted
        self._write_back = write_back

    def news(
        self, jobs: Sequence[Job], applied: Applied, view: bytes, *, is_new: bool, view_before: Callable[[], bytes]
    ) -> tuple[bytes, InsightNews]:
        """The view up to the number of wants, and the commit's word. The pet's whole list is wanted with its first job
        (then it `is_new`), and with `force`.
        """
        new_wants, old_wants = applied.new_wants, applied.old_wants
        untold: Mapping[str, bytes] = {}
        if self._write_back and view and applied.changed:
            removed = {image_id for job in jobs for image_id in job.removed}
            untold = seen_anew(view_before(), view, removed)
        for job in jobs:
            if not job.fetched and (job.force or is_new):
                new_wants = [LIST, *applied.new_wants]
            elif job.fetched == "list":
                old_wants = [LIST, *applied.old_wants]
        view, rest_of_view = around_wants(view) if view else (b"", b"")
        return view, InsightNews(new_wants, old_wants, rest_of_view, untold)

    def committed(self, commits: Sequence[Commit]) -> None:
        """These were written."""
        news = [each.insights for each in commits if each.insights and each.version is not None]
        self._wanted.inc(sum(len(each.new_wants) for each in news))
        if any(each.new_wants or each.untold for each in news):
            self.left.set()
