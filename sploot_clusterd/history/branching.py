"""How an event stands to what is written of its pet: whether it goes on from there, or another branch does.

A failover of Redis may lose commits; others bear their versions then. Tokens tell them apart: each event names that of
the album before it.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from sploot_clusterd.history.told import Told


class Newest(NamedTuple):
    """A pet's newest version that is written; `complete`: nothing is missing before it."""

    incarnation: str
    version: int
    token: str
    complete: bool = True


class Written(NamedTuple):
    """A version that is written, of the branch that lives."""

    token: str
    before: str
    version: int


class Standing(Enum):
    NEXT = "next"
    """It follows the newest version."""
    REPEATED = "repeated"
    LATE = "late"
    """What came after it is written already: it was in the feed of another partition."""
    NEW_LIFE = "new_life"
    BRANCH = "branch"
    """It follows an older version: what was written after that was lost."""
    JUMP = "jump"
    """It is newer, and what it follows was never told."""


class Verdict(NamedTuple):
    standing: Standing
    superseded: Sequence[str] = ()
    """Tokens of a BRANCH that lives no more."""
    kept: int = 0
    """The version that it follows."""


def at_first_sight(event: Told, newest: Newest | None) -> Standing | None:
    """None where it takes a look at what is written before."""
    if newest is None:
        return Standing.JUMP if event.before else Standing.NEXT
    if event.incarnation == newest.incarnation:
        if event.before == newest.token:
            return Standing.NEXT
        if event.after == newest.token:
            return Standing.REPEATED
    return None


def judged(event: Told, newest: Newest, written: Sequence[Written], *, is_older: bool) -> Verdict:
    """`written` are the versions of the event's incarnation from the one before it on; `is_older`: than the newest
    version, by its time.
    """
    versions = {each.token: each for each in written}
    if event.after in versions:
        return Verdict(Standing.REPEATED)
    if event.incarnation != newest.incarnation:
        return Verdict(Standing.LATE if is_older else Standing.NEW_LIFE)
    if event.after in _ancestors(newest.token, versions) or any(each.before == event.after for each in written):
        return Verdict(Standing.LATE)
    if event.before in versions:
        kept = {event.before, *_ancestors(event.before, versions)}
        lost = [token for token in versions if token not in kept]
        return Verdict(Standing.BRANCH, lost, versions[event.before].version)
    if event.version > newest.version:
        return Verdict(Standing.JUMP)
    lost = [token for token, each in versions.items() if each.version >= event.version]
    return Verdict(Standing.BRANCH, lost, event.version - 1)


def _ancestors(token: str, versions: Mapping[str, Written]) -> set[str]:
    found = set[str]()
    while (each := versions.get(token)) is not None and each.before not in found:
        token = each.before
        found.add(token)
    return found
