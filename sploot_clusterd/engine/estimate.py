"""How long applying some jobs will take, roughly: for the caller to decide where to run it."""

from collections.abc import Sequence

from sploot_clusterd.correcting import images_corrected
from sploot_clusterd.engine.album import Album
from sploot_clusterd.engine.maintain import KEPT_AT_CAP
from sploot_clusterd.engine.params import Params
from sploot_clusterd.model import Job, Undo

# Seconds, measured on one core with vectors of 512 values.
_JOB = 130e-6
_IMAGE = 120e-6
_VALUE = 4e-9
_REBUILD_CELL = 15e-6
_REBUILD_PAIR = 75e-9
_REBUILD_VALUE = 50e-12
_LISTED = 10e-6
_PROVISIONAL = 0.3e-6
_PLACED_AGAIN = 150e-6

_USUAL = Params()
"""An estimate need not know the settings."""


def work_estimate(album: Album, jobs: Sequence[Job]) -> float:
    """Seconds, from sizes alone; within a factor of about three."""
    images = listed = dimension = 0
    for job in jobs:
        listed += len(job.image_ids)
        images += len(job.images) + len(job.removed)
        if job.images:
            dimension = max(dimension, sum(map(len, job.images[0].vectors.values())))
        images += sum(len(images_corrected(correction)) for correction in job.corrections) if job.corrections else 0
    seconds = len(jobs) * _JOB + listed * _LISTED
    if images:
        dimension = max([dimension, *[space.dimension for space in album.spaces.values()]])
        most_cells = _USUAL.cells_of(album.num_vector_images + images)
        cells = min(len(album.cells) + images, most_cells)
        rebuilds = _rebuilds(album, images, len(jobs), most_cells)
        seconds += images * (_IMAGE + cells * dimension * _VALUE)
        seconds += rebuilds * cells * (_REBUILD_CELL + cells * (_REBUILD_PAIR + dimension * _REBUILD_VALUE))
    if listed or album.chunks:
        seconds += len(jobs) * album.num_provisional * _PROVISIONAL
    if forced := [job for job in jobs if _groups_anew(job)]:
        seconds += len(forced) * recluster_estimate(album)
    return seconds


def recluster_estimate(album: Album) -> float:
    """Seconds that it takes to cluster the album again from all its images, as roughly."""
    values = len(album.cells) * max((space.dimension for space in album.spaces.values()), default=0)
    return album.num_vector_images * (_PLACED_AGAIN + values * _VALUE)


def _rebuilds(album: Album, images: int, jobs: int, most_cells: int) -> int:
    """How many rebuilds so many images bring about at most: after 15 % growth, one a job, and at each cap on cells."""
    partitioned, moved = 0, images
    for space in album.spaces.values():
        partitioned += space.partitioned
        moved += space.moved
    at_cap = max(len(album.cells) + images - most_cells, 0) // (most_cells - int(most_cells * KEPT_AT_CAP))
    return min(int(moved / max(_USUAL.rebuild_least, _USUAL.rebuild_growth * partitioned)), jobs) + at_cap


def _groups_anew(job: Job) -> bool:
    """It may have the whole album grouped anew."""
    if job.force or job.restore is not None:
        return True
    return any(isinstance(each, Undo) for each in job.corrections) if job.corrections else False
