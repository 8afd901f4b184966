"""Every key's name, in one place, with what it is for and when it expires.

One partition: with several, each name would carry the partition's hash tag, so that all keys of a commit share a slot.
"""

from typing import NamedTuple


class PetKeys(NamedTuple):
    album: str
    """HASH: version token, head, clusters' statistics, recent job ids. Expires after albums.ttl_seconds, if set."""
    images: str
    """HASH image id -> row with its vectors, tombstones too. Expires with the album."""
    view: str
    """STRING: the JSON that readers get, where the reference stored it. Expires after clusters.ttl_seconds."""


class Keys:
    """The names for one namespace and stream."""

    def __init__(self, namespace: str, stream: str, dead_letters: str) -> None:
        self._namespace = namespace
        self.stream = stream
        """STREAM of unsettled jobs. Never expires, never trimmed: entries are deleted when they are settled."""
        self.attempts = f"{stream}:attempts"
        """HASH entry id -> its record. Fields go with their entries."""
        self.dead_letters = dead_letters
        """STREAM of jobs set aside. Capped; what the cap drops is counted."""
        self.erased = f"{namespace}:erased"
        """HASH pet id -> the stream's last id at its DELETE. A mark goes when nothing older is unsettled."""

    def pet(self, pet_id: str) -> PetKeys:
        """The keys of one pet."""
        return PetKeys(f"{self._namespace}:album:{pet_id}", f"{self._namespace}:images:{pet_id}", self.view(pet_id))

    def view(self, pet_id: str) -> str:
        """Named alone for the read path, which wants nothing else."""
        return f"{self._namespace}:state:{pet_id}"
