"""Cuts a batch's jobs into parts, so that one pet's large jobs do not keep those of others, or the watchdog, waiting.

How a pet's jobs are spread over commits makes no difference to it, so they may be cut anywhere.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sploot_clusterd.ingest.batch import Delivery, JobsByPet
from sploot_clusterd.model import Job

_IMAGES_A_PART: Final = 256
"""Of one pet: about a second with vectors of 1,280 numbers. `force`, which goes through all its images, ends a part."""


def parts(jobs: JobsByPet) -> Iterator[JobsByPet]:
    """What is to be applied one after the other: of each pet the next of its jobs, in their order."""
    rest = {pet_id: _cut(of_pet) for pet_id, of_pet in jobs.items()}
    while part := {pet_id: of_pet for pet_id, cut in rest.items() if (of_pet := next(cut, None))}:
        yield part


def _cut(jobs: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    begin = images = 0
    for at, (_, job) in enumerate(jobs):
        images += _images(job)
        if at > begin and images > _IMAGES_A_PART:
            yield jobs[begin:at]
            begin, images = at, _images(job)
        if job.force:
            yield jobs[begin : at + 1]
            begin, images = at + 1, 0
    if begin < len(jobs):
        yield jobs[begin:]


def _images(job: Job) -> int:
    return len(job.images) + len(job.removed)
