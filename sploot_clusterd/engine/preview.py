"""What corrections would make of an album, without their being applied."""

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from sploot_clusterd import changes, view
from sploot_clusterd.correcting import clusters_named
from sploot_clusterd.engine.album import Album
from sploot_clusterd.engine.apart import told_apart
from sploot_clusterd.engine.apply import apply
from sploot_clusterd.engine.news import news_of
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.profile import Profiles
from sploot_clusterd.engine.render import render
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import Correction, Job, Merge, cluster_id, cluster_number

_NO_ID = "(preview)"
"""No job has it."""


def preview(
    album: Album, asked: Job, rows: Mapping[str, bytes], params: Params, profiles: Profiles, *, complete: bool
) -> changes.Preview:
    """The view as it would be, and what would be another than before, if the job were the next one.

    Raises BadJobError if it would be refused; NeedsAllRowsError and NeedsProfileError as `apply` does.
    """
    job = asked._replace(job_id=_NO_ID, sequence=EntryId(album.newest.ms + 1, 0))
    applied = apply(album, [job], rows, params, album.updated_ms, profiles=profiles, complete=complete)
    (outcome,) = applied.outcomes
    if outcome.error is not None:
        raise outcome.error
    return changes.Preview(
        cast("view.View", msgspec.Raw(render(applied.album, params))),  # encoded already
        news_of(album, applied.album, (), params),
        in_the_way(album, job.corrections),
    )


def in_the_way(album: Album, corrections: Sequence[Correction]) -> list[list[str]]:
    """Pairs of clusters that are to be merged, of which a user said that they are not one."""
    apart = told_apart(album)
    numbers = {cluster.anchor: cluster.number for cluster in album.clusters.values() if cluster.anchor is not None}
    anchors = {number: anchor for anchor, number in numbers.items()}
    found = list[list[str]]()
    for merge in [each for each in corrections if isinstance(each, Merge)]:
        named = {cluster_number(album.pet_id, cluster) for cluster in clusters_named(merge)}
        own = {anchors[number] for number in named if number in anchors}
        found += [
            [cluster_id(album.pet_id, numbers[one]), cluster_id(album.pet_id, numbers[other])]
            for one, other in sorted(apart)
            if own >= {one, other}
        ]
    return found
