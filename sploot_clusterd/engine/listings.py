"""Images without vectors, as an album has them: in the order of their turns, in chunks."""

from typing import NamedTuple

from msgspec import Struct

Turn = tuple[int, int, int]
"""Where an image was announced first: the sequence of the job, and the image's place in it."""


class Listing(Struct, array_like=True, frozen=True, gc=False):
    """An image without vectors."""

    quality: float | None
    turn: Turn = (0, 0, 0)
    """Albums that were stored without turns have them in their order."""


class Chunk(NamedTuple):
    """Some images without vectors, in the order of their turns, and their qualities; none where no image has one.

    Kept beside them, as they are gone through after each job, and the images themselves are spread over memory.
    """

    number: int
    images: dict[str, Listing]
    qualities: tuple[float | None, ...] = ()

    @classmethod
    def of(cls, number: int, images: dict[str, Listing]) -> "Chunk":
        qualities = tuple([listing.quality for listing in images.values()])
        return cls(number, images, qualities if any(quality is not None for quality in qualities) else ())

    def extended(self, image_id: str, listing: Listing) -> "Chunk":
        """With one more image, the last one."""
        images = {**self.images, image_id: listing}
        if self.qualities:
            return Chunk(self.number, images, (*self.qualities, listing.quality))
        return Chunk(self.number, images) if listing.quality is None else Chunk.of(self.number, images)
