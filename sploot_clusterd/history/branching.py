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
    NAMED = "named"
    """It follows the newest version, of which it was not known yet which life of the pet it is."""
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
    if not newest.incarnation and event.before == newest.token:
        return Verdict(Standing.NAMED)
    if event.incarnation != newest.incarnation:
        return Verdict(Standing.LATE if is_older else Standing.NEW_LIFE)
    if any(each.before == event.after for each in written):
        return Verdict(Standing.LATE)
    return _branched(event, newest, versions)


def _branched(event: Told, newest: Newest, versions: Mapping[str, Written]) -> Verdict:
    written = [*versions.values()]
    if event.before in versions:
        version = versions[event.before].version
        return Verdict(Standing.BRANCH, superseded(event.before, version, written), version)
    if event.version > newest.version:
        return Verdict(Standing.JUMP)
    return Verdict(Standing.BRANCH, superseded(event.after, event.version, written), event.version - 1)


def superseded(token: str, version: int, written: Sequence[Written]) -> list[str]:
    """Tokens that live no more, where this one of this version is the newest."""
    versions = {each.token: each for each in written}
    if token in versions:
        kept = {token, *_ancestors(token, versions)}
        return [each for each in versions if each not in kept]
    return [each.token for each in written if each.version >= version]


def _ancestors(token: str, versions: Mapping[str, Written]) -> set[str]:
    found = set[str]()
    while (each := versions.get(token)) is not None and each.before not in found:
        token = each.before
        found.add(token)
    return found
