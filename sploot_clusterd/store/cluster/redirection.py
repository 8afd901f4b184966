"""What a cluster's node replies in place of what was asked: that it is to be asked elsewhere, or later."""

from typing import Final, NamedTuple

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.store.address import Place
from sploot_clusterd.store.connection import ReplyError
from sploot_clusterd.store.reasons import CLUSTER_MEANINGS, of_failure


class Redirection(NamedTuple):
    """`once`: only this call, after ASKING, for the slot is being moved there; else the slot's home is there."""

    slot: int
    place: Place
    once: bool


_LEADS: Final = ("MOVED ", "ASK ")


def redirection(reply: object, asked: Place) -> Redirection | None:
    """Where the node at `asked` says that the call is to go; None for any other reply."""
    if not isinstance(reply, ReplyError) or not str(reply).startswith(_LEADS):
        return None
    what, slot, where = str(reply).split(" ")[:3]
    host, _, port = where.rpartition(":")
    return Redirection(int(slot), Place(host.strip("[]") or asked.host, int(port)), what == "ASK")


def paused(reply: ReplyError) -> StoreUnavailableError | None:
    """The daemon's error where nothing was done as the slot is under way, or nobody serves it now; else None."""
    text = str(reply)
    for begins, reason, _ in CLUSTER_MEANINGS:
        if text.startswith(begins):
            return StoreUnavailableError(reason.format(text))
    return None


def of_node(place: Place, error: Exception) -> StoreUnavailableError:
    """Why a node did not do it, as far as we can tell."""
    told = error if isinstance(error, StoreUnavailableError) else of_failure(error)
    if not isinstance(told, StoreUnavailableError):
        return StoreUnavailableError(f"redis node {place}: {told}")
    why = (
        "does not answer"
        if isinstance(error, OSError) and told.detail == StoreUnavailableError().detail
        else told.detail
    )
    return type(told)(f"redis node {place}: {why}")
