"""The built-in adapter: the storage service that today's embedder writes to. docs/insights.md has its contract."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from sploot_clusterd.config import InsightsSettings
from sploot_clusterd.config.insights import NO_FIELD
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.insights.decoding import decoded
from sploot_clusterd.insights.http import Http
from sploot_clusterd.insights.source import BadAnswerError, Fetched, Shown
from sploot_clusterd.model import ImageInsight

_PAGE: Final = 500
"""Ids handed on at once."""
_NAME: Final = "sploot-clusterd"
"""What a cluster's tag is said to be made by, where no encoder is known."""


class _Answer(msgspec.Struct, gc=False):
    """What is read of an image's insight; the rest is ignored, its tags too."""

    has_embedding: bool | None = None
    embedding: list[float] | None = None
    quality_score: float | None = None
    captured_at: datetime | None = None
    source_image_id: str | int | None = None


class _Images(msgspec.Struct, gc=False):
    image_ids: list[str | int]


class _Cluster(msgspec.Struct, gc=False):
    id: str | None
    label: str | None
    position: int
    score: float
    is_hero: bool


class _Told(msgspec.Struct, gc=False):
    """Its `quality_score` is the image's own, and never sent: a cluster's score in its place would choose the heroes of
    the next job.
    """

    source_image_id: str
    processor_version: str
    tags: dict[str, _Cluster]


class StorageService:
    """GET an image's insight and a pet's list, POST where an image is shown."""

    def __init__(self, http: Http, settings: InsightsSettings) -> None:
        """Raises ConfigError."""
        self._http = http
        named = settings.url is not None and settings.url.reveal().rstrip("/").endswith("/internal")
        self._prefix = "" if named else "/internal"
        self._answer = msgspec.json.Decoder(_with_fields(settings))
        self._images = msgspec.json.Decoder(_Images)
        self._encode = msgspec.json.Encoder().encode

    async def insight(self, image_id: str) -> Fetched | None:
        body = await self._http.get(f"{self._prefix}/insights/{image_id}")
        if body is None:
            return None
        answer = decoded(self._answer, body)
        if answer.source_image_id is not None and str(answer.source_image_id) != image_id:
            raise BadAnswerError("other_image", "the insight of another image than the one that was asked for")
        if answer.has_embedding is False or (answer.has_embedding is None and not answer.embedding):
            return None
        if not answer.embedding:
            raise BadAnswerError("vector", "has_embedding is true, and there is no embedding")
        image = ImageInsight(
            image_id,
            embedding=answer.embedding,
            quality=answer.quality_score,
            label=getattr(answer, "label", None) or None,
            captured_at=answer.captured_at,
        )
        return Fetched(image, getattr(answer, "version", None) or None)

    async def images_of(self, pet_id: str) -> AsyncIterator[Sequence[str]]:
        body = await self._http.get(f"{self._prefix}/pets/{pet_id}/images-with-embeddings")
        if body is None:
            return
        image_ids = list(dict.fromkeys(map(str, decoded(self._images, body).image_ids)))
        for start in range(0, len(image_ids), _PAGE):
            yield image_ids[start : start + _PAGE]

    async def tell(self, shown: Shown) -> None:
        cluster = _Cluster(shown.cluster_id, shown.label, shown.position, shown.score, shown.is_hero)
        told = _Told(shown.image_id, shown.model_version or _NAME, {"cluster": cluster})
        await self._http.post(f"{self._prefix}/insights", self._encode(told))

    async def close(self) -> None:
        await self._http.close()


def _with_fields(settings: InsightsSettings) -> type[_Answer]:
    """An answer with `label` and `version`, which are the members that the settings name. Raises ConfigError."""
    fields = {"label": settings.label_field, "version": settings.version_field}
    named = {name: field for name, field in fields.items() if field != NO_FIELD}
    for name, field in named.items():
        if field in _Answer.__struct_fields__ or list(named.values()).count(field) > 1:
            raise ConfigError(
                f"insights.{name}_field: {field} has a meaning of its own; name another field, or {NO_FIELD}"
            )
    answer: Any = msgspec.defstruct(
        "_AnswerWithFields", [(name, str | None, None) for name in named], bases=(_Answer,), rename=named, gc=False
    )
    whole: type[_Answer] = answer
    return whole
