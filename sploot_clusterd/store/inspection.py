"""What is wrong with keys of ours that hold something else, or a stream that takes nothing more: what, and its mend."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sploot_clusterd.entry_ids import HIGHEST_ID
from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.keys import Keys
from sploot_clusterd.store.connection import ReplyError

_SYMPTOMS: Final = ("WRONGTYPE", "ERR The stream has exhausted")


class KeyFault(NamedTuple):
    """`shared`: it concerns every pet."""

    key: str
    text: str
    shared: bool

    def error(self) -> BadStateError | StoreUnavailableError:
        """For whoever needed the key."""
        return StoreUnavailableError(self.text) if self.shared else BadStateError(self.text)


def is_symptom(reply: ReplyError) -> bool:
    """Whether a look at the keys of the call may tell more than the reply."""
    return str(reply).startswith(_SYMPTOMS)


def faults(keys: Keys, names: Sequence[str], states: Sequence[tuple[bytes, bytes]]) -> Iterator[KeyFault]:
    """What is wrong with the keys of these names, of which `inspect.lua` found the type and a stream's last id.

    What concerns every pet comes first.
    """
    looked_at = dict(zip(names, states, strict=True))
    for key in sorted(looked_at, key=lambda name: name not in keys.shared):
        kind, last_id = (part.decode(errors="replace") for part in looked_at[key])
        expected = keys.type_of(key)
        if kind not in (expected, "none"):
            yield KeyFault(
                key,
                f"redis holds a {kind} under {key}, where a {expected} of ours belongs: "
                f"RENAME it or DEL it there, or mend clusters.namespace and stream.key",
                key in keys.shared,
            )
        elif last_id == str(HIGHEST_ID) and key != keys.feed:  # which the next commit begins anew
            yield KeyFault(key, _exhausted(keys, key), shared=True)


def _exhausted(keys: Keys, key: str) -> str:
    what = f"an entry with the highest possible id was added to {key}, which can take no other: "
    if key == keys.dead_letters:
        return what + f"redis-cli RENAME {key} {key}.full keeps its letters and lets new ones in"
    return what + f"it is made anew once its jobs are settled; to lose them: redis-cli DEL {key}"
