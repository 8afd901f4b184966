"""What was found under an id, as callers are told."""

from typing import Literal

from msgspec import Struct

MOST_FOUND = 100
"""In one answer."""


class Found(Struct, gc=False):
    """Something that has the id; what does not go with it is null."""

    what: Literal["pet", "job", "image", "dead_letter"]
    pet_id: str | None
    """Whose it is. Of a dead letter any text that its entry claims, or null where it names none."""
    job_id: str | None = None
    image_id: str | None = None
    dead_letter: str | None = None
    """The letter's own id, as `clusterd dlq` takes it."""
    reason: str | None = None


class Findings(Struct):
    """What was found in a part of all that is kept."""

    found: list[Found]
    next: str | None
    """Where the search goes on (`after`); null where all was looked through."""
