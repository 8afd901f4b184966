"""Whether what an adapter returned can be used. Raises BadAnswerError where it cannot."""

import re
from collections.abc import Sequence
from typing import Final

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.insights.source import BadAnswerError, Fetched
from sploot_clusterd.model import ID_PATTERN, KINDS, TEXT_PATTERN
from sploot_clusterd.wire import packed

_id: Final = re.compile(ID_PATTERN)
_text: Final = re.compile(TEXT_PATTERN)


def checked(found: Fetched, image_id: str, limits: LimitsSettings) -> Fetched | None:
    """The same with its vectors packed; None if it has none."""
    if found.image.image_id != image_id:
        raise BadAnswerError("other_image", "the insight of another image than the one that was asked for")
    try:
        image = packed(found.image, limits)
    except BadJobError as error:
        is_vector = error.detail.startswith(KINDS)
        raise BadAnswerError("vector" if is_vector else "shape", error.detail) from None
    if found.model_version is not None and not _text.match(found.model_version):
        raise BadAnswerError("shape", "model_version: expected 1 to 128 printable characters")
    return found._replace(image=image) if any(getattr(image, kind) for kind in KINDS) else None


def checked_ids(image_ids: Sequence[str], limits: LimitsSettings) -> Sequence[str]:
    for image_id in image_ids:
        if len(image_id) > limits.id_length or not _id.match(image_id):
            rule = f"expected 1 to {limits.id_length} of the characters A-Z a-z 0-9 . _ : -"
            raise BadAnswerError("shape", f"image_ids: {rule}, got {image_id[:64]!r}")
    return image_ids
