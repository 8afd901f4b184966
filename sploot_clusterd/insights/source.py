"""What the daemon asks of a storage service, whatever it speaks: an adapter is a class with these methods."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, NamedTuple, Protocol

from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.model import ImageInsight

BadAnswer = Literal[
    "not_http",
    "status",
    "redirect",
    "encoding",
    "too_large",
    "not_json",
    "shape",
    "other_image",
    "vector",
    "adapter",
]
"""Why an answer could not be used; the closed set of that metric's label."""


class Fetched(NamedTuple):
    """An image's insight, and the encoder that made its vectors, if the service says so."""

    image: ImageInsight
    model_version: str | None


class Shown(NamedTuple):
    """Where a reader sees an image: what is told to the service after a commit."""

    pet_id: str
    image_id: str
    cluster_id: str | None
    """None: unclustered."""
    label: str | None
    position: int
    """Among the cluster's members, the hero's first; from 0."""
    score: float
    is_hero: bool
    model_version: str | None = None
    """The encoder whose vectors the album has."""


class SourceError(ClusterdError):
    """The service gave no answer that can be used."""


class SourceUnavailableError(SourceError):
    """Time-outs, resets, 429 and 5xx: worth asking again, later."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        """Seconds that the service asks for."""


class SourceRefusesError(SourceError):
    """401 and 403: no question will be answered until a setting is mended."""


class BadAnswerError(SourceError):
    """An answer that is not what the contract says."""

    def __init__(self, reason: BadAnswer, detail: str) -> None:
        super().__init__(detail)
        self.reason: BadAnswer = reason


class Source(Protocol):
    """A storage service. Each method may raise any SourceError, and may be called many times at once."""

    async def insight(self, image_id: str) -> Fetched | None:
        """What is known of the image; None if nothing is, or not its embedding yet."""

    def images_of(self, pet_id: str) -> AsyncIterator[Sequence[str]]:
        """The ids of all the pet's images, some at a time."""

    async def tell(self, shown: Shown) -> None:
        """Write-back: the service is told where an image is shown."""

    async def close(self) -> None:
        """Ends its connections."""
