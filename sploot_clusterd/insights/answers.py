"""Answers as jobs: what the storage service said of a pet's images, as the main stream carries it."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sploot_clusterd.insights.source import Fetched
from sploot_clusterd.insights.spans import current_context
from sploot_clusterd.model import KINDS, FetchedKind, JobPayload, JobRequest, PackedVector
from sploot_clusterd.wire import encode_fetched

_REASON: Final = "insights_fetched"


def alike(answers: Mapping[str, Fetched]) -> list[dict[str, Fetched]]:
    """The answers in parts whose vectors can be compared, for one that is of another length fails its whole job."""
    parts: dict[object, dict[str, Fetched]] = {}
    for image_id, fetched in answers.items():
        parts.setdefault((fetched.model_version, _lengths(fetched)), {})[image_id] = fetched
    return list(parts.values())


def job_of_answers(pet_id: str, job_id: str, answers: Sequence[Fetched]) -> bytes:
    """A job with vectors; of one model version."""
    payload = JobPayload(images=[each.image for each in answers], model_version=answers[0].model_version)
    return _encoded(pet_id, job_id, "answers", payload)


def job_without_answers(pet_id: str, job_id: str) -> bytes:
    """A job that only has the view tell what is out."""
    return _encoded(pet_id, job_id, "answers", JobPayload())


def job_of_list(pet_id: str, job_id: str, image_ids: Collection[str], *, last: bool) -> bytes:
    """A job that announces the images of which nothing is known."""
    return _encoded(pet_id, job_id, "list" if last else "part_of_list", JobPayload(image_ids=list(image_ids)))


def _encoded(pet_id: str, job_id: str, kind: FetchedKind, payload: JobPayload) -> bytes:
    return encode_fetched(
        JobRequest(pet_id, job_id, _REASON, payload=payload), job_id, kind, time.time(), context=current_context()
    )


def _lengths(fetched: Fetched) -> tuple[int, ...]:
    vectors = [getattr(fetched.image, kind) for kind in KINDS]
    return tuple(len(each.data if isinstance(each, PackedVector) else each or ()) for each in vectors)
