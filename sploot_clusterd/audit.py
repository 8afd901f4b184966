"""Who changed what over HTTP, as it is kept and told."""

from typing import Annotated

from msgspec import Meta, Struct

MOST_ENTRIES = 10_000
"""That are kept, in all partitions."""


class AuditEntry(Struct, gc=False):
    """One change, or of submitted jobs how many."""

    at: str
    """RFC 3339."""
    actor: str
    """Whose token or user it was: `token 0`, `reader/0`, `people/ann`."""
    what: str
    """The operation: correct, invalidate, erase, pause, resume, submit."""
    pet_id: str | None
    """Which pet was changed; null where none was, or it is erased."""
    outcome: str
    """What was answered, `accepted`; `unknown` where the answer was a 5xx: it may have happened."""
    jobs: Annotated[int, Meta(ge=1)] | None = None
    """Of `submit`: how many jobs of this actor the process took within a minute; of many letters that were replayed or
    dropped, how many.
    """


class AuditPage(Struct):
    """Some entries, the newest first."""

    entries: list[AuditEntry]
    next: str | None
    """Where the older ones begin (`before`); null at the end."""
