"""The limits that are settings: how many entries a well-shaped job may have, and how long its ids may be.

What raises raises `BadJobError` with reason `invalid`, and a text that names the field and what is allowed.
"""

from collections.abc import Collection, Mapping, Sequence

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.correcting import clusters_named, images_corrected
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import Apart, Correction, Hide, JobRequest, Seen, Undo, Unhide, cluster_id, cluster_number


def check_limits(request: JobRequest, limits: LimitsSettings) -> None:
    """Lengths of lists and ids."""
    _check_id("pet_id", request.pet_id, limits.id_length)
    if request.job_id:
        _check_id("job_id", request.job_id, limits.id_length)
    payload = request.payload
    if payload is None:
        return
    few, many = limits.images_per_job, limits.image_ids_per_job
    if payload.images:
        _check_count("payload.images", payload.images, few)
        _check_ids("payload.images[{}].image_id", [image.image_id for image in payload.images], limits.id_length)
    if payload.image_ids:
        _check_count("payload.image_ids", payload.image_ids, many)
        _check_ids("payload.image_ids[{}]", payload.image_ids, limits.id_length)
    if payload.removed_image_ids:
        _check_count("payload.removed_image_ids", payload.removed_image_ids, many)
        _check_ids("payload.removed_image_ids[{}]", payload.removed_image_ids, limits.id_length)
    if payload.labels:
        _check_count("payload.labels", payload.labels, few)
    if payload.coverage:
        _check_count("payload.coverage", payload.coverage, few)
    if payload.seen:
        check_seen("payload.seen", payload.seen, request.pet_id, limits)
    if payload.corrections:
        check_corrections("payload.corrections", payload.corrections, request.pet_id, limits)


def check_corrections(where: str, corrections: Sequence[Correction], pet_id: str, limits: LimitsSettings) -> None:
    """How many there are, of what length their lists and ids are, and that they name clusters of the pet."""
    most, images = limits.images_per_job, 0  # each of these images is placed anew, as those of a job are
    if len(corrections) > most:
        raise BadJobError("invalid", f"{where}: at most {most} entries are allowed, got {len(corrections)}")
    for n, correction in enumerate(corrections):
        clusters, image_ids = clusters_named(correction), images_corrected(correction)
        if len(clusters) > most:
            raise BadJobError("invalid", f"{where}[{n}].clusters: at most {most} ids are allowed, got {len(clusters)}")
        if any(cluster_number(pet_id, cluster) is None for cluster in clusters):
            raise BadJobError("invalid", f"{where}[{n}]: a cluster's id is {cluster_id(pet_id[:128], '<number>')} here")
        if isinstance(correction, Apart) and len(set(clusters)) == 1:
            raise BadJobError("invalid", f"{where}[{n}].clusters: expected two different clusters")
        if isinstance(correction, Hide | Unhide) and (correction.cluster is None) == (correction.image_ids is None):
            raise BadJobError("invalid", f"{where}[{n}]: expected either cluster or image_ids")
        if isinstance(correction, Undo):
            _check_id(f"{where}[{n}].job_id", correction.job_id, limits.id_length)
        _check_ids(f"{where}[{n}]", image_ids, limits.id_length)
        images += len(image_ids)
    if images > most:
        raise BadJobError("invalid", f"{where}: at most {most} images in all are allowed, got {images}")


def check_seen(where: str, seen: Mapping[str, Seen], pet_id: str, limits: LimitsSettings) -> None:
    """How many clusters and images it names, and that they are the pet's."""
    most = limits.images_per_job
    if len(seen) > most:
        raise BadJobError("invalid", f"{where}: at most {most} clusters are allowed, got {len(seen)}")
    if any(cluster_number(pet_id, cluster) is None for cluster in seen):
        raise BadJobError("invalid", f"{where}: a cluster's id is {cluster_id(pet_id[:128], '<number>')} here")
    for images in seen.values():
        if not isinstance(images, str):
            _check_count(where, images, most)
            _check_ids(where, images, limits.id_length)


def _check_count(name: str, values: Collection[object], most: int) -> None:
    if len(values) > most:
        raise BadJobError("invalid", f"{name}: at most {most} entries are allowed, got {len(values)}")


def _check_ids(where: str, ids: Sequence[str], longest: int) -> None:
    """`where` has braces in the place of an id's number."""
    if ids and len(max(ids, key=len)) > longest:
        for n, each in enumerate(ids):
            _check_id(where.format(n), each, longest)


def _check_id(where: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise BadJobError("invalid", f"{where}: an id has at most {longest} characters")
