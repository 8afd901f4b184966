"""Which jobs an album has taken lately, so that one that comes again changes nothing.

Their ids are kept with their first places and digests, in segments, for only a changed segment is written.
"""

from typing import Final
from zlib import crc32

import msgspec

from sploot_clusterd.engine.album import Segment
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import Job

_PER_SEGMENT: Final = 16
_UNKNOWN: Final = 0
"""The digest of a job that was taken before there were digests."""

_encode = msgspec.msgpack.Encoder().encode


def remembered(draft: Draft, job: Job) -> EntryId | None:
    """The first sequence of a job that the album has seen lately."""
    for segment in draft.segments:
        if job.job_id in segment.jobs:
            return segment.jobs[job.job_id]
    return None


def says_otherwise(draft: Draft, job: Job) -> bool:
    """Whether the album remembers another job under the id of this one."""
    for segment in draft.segments:
        if job.job_id in segment.jobs:
            known = dict(zip(segment.jobs, segment.digests, strict=False)).get(job.job_id, _UNKNOWN)
            return known not in (_UNKNOWN, digest(job))
    return False


def remember(draft: Draft, job: Job) -> None:
    """Adds the job to the newest segment; whole segments are forgotten once the others hold `dedupe_jobs`."""
    if not draft.segments or len(draft.segments[-1].jobs) >= _PER_SEGMENT:
        draft.segments.append(Segment(draft.count_up("segment"), {}))
    number, jobs, digests = draft.segments[-1]
    unknown = (_UNKNOWN,) * (len(jobs) - len(digests))
    draft.segments[-1] = Segment(number, {**jobs, job.job_id: job.sequence}, (*digests, *unknown, digest(job)))
    others = (len(draft.segments) - 2) * _PER_SEGMENT + len(draft.segments[-1].jobs)
    if len(draft.segments) > 1 and others >= draft.params.dedupe_jobs:
        del draft.segments[0]


def digest(job: Job) -> int:
    """A number from 1 to 2^32 - 1 that jobs share that say the same: all but id, place and trace counts.

    It only tells mistakes: a cryptographic hash costs more, and lets go of the interpreter's lock for a vector.
    """
    images = [
        (image.image_id, sorted([(kind, vector.tobytes()) for kind, vector in image.vectors.items()]), *image[2:])
        for image in job.images
    ]
    pet_said = (job.labels, sorted(job.coverage.items()), job.quality_score, job.model_version)
    said: tuple[object, ...] = (job.force, job.image_ids, job.removed, images, job.corrections, pet_said)
    return crc32(_encode((*said, job.restore.version) if job.restore else said)) or 1
