"""Every key's name, in one place, with what it is for and when it expires.

One partition: with several, each name would carry the partition's hash tag, so that all keys of a commit share a slot.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple


class PetKeys(NamedTuple):
    album: str
    """HASH: version token, head, clusters' statistics, recent job ids. Expires after albums.ttl_seconds, if set."""
    images: str
    """HASH image id -> row with its vectors, tombstones too. Expires with the album."""
    view: str
    """STRING: the JSON that readers get, where the reference stored it. Expires after clusters.ttl_seconds."""


_OF_A_PET: Final = frozenset(PetKeys._fields)
KINDS: Final = ("album", "images", "state", "profile", "sample", "sampled", "letters")
"""What follows the namespace in keys that go on with a name that is not ours."""
_TYPES: Final = {
    "album": "hash",
    "images": "hash",
    "state": "string",
    "profile": "hash",
    "sample": "hash",
    "sampled": "zset",
}
"""Of the keys of a pet or a model version, by what follows the namespace in their names."""


class SampleKeys(NamedTuple):
    images: str
    """HASH slot -> one image of the fleet's sample, with its vectors. Deleted when the profile settles."""
    slots: str
    """ZSET of those slots by priority, to find the one that has to give way. Lives as long as the images."""


def namespace_agreement(namespace: str) -> str:
    """Where those who use a namespace write down what they go by."""
    return f"{namespace}:agreed"


class Keys:
    """The names for one namespace and stream."""

    def __init__(self, namespace: str, stream: str, dead_letters: str) -> None:
        self._namespace = namespace
        self.stream = stream
        """STREAM of unsettled jobs. Never expires, never trimmed: entries are deleted when they are settled."""
        self.attempts = f"{stream}:attempts"
        """HASH entry id -> its record. Fields go with their entries."""
        self.stream_agreement = f"{stream}:agreement"
        """HASH process -> the settings that it goes by, and when it said so. A field goes 150 s after the process."""
        self.dead_letters = dead_letters
        """STREAM of jobs set aside. Capped; what the cap drops is counted."""
        self.letter_sizes = f"{namespace}:letters:{dead_letters}:sizes"
        """HASH letter id -> its bytes; `bytes`: their sum; `last`: all are in it up to that one."""
        self.letter_pets = f"{namespace}:letters:{dead_letters}:pets"
        """ZSET pet id, NUL, letter id: which letters name a pet. Members go with their letters."""
        self.erased = f"{namespace}:erased"
        """HASH pet id -> the stream's last id at its DELETE. A mark goes when nothing older is unsettled."""
        self.profiles = f"{namespace}:profiles"
        """HASH model version -> its state: the current generation, and whether that is settled. Never expires."""
        self.learning = f"{namespace}:learning"
        """STRING, set when a process begins to learn a profile. Expires after 10 s: nobody has to live to free it."""

        self.namespace_agreement = namespace_agreement(namespace)
        """HASH as that of the stream."""
        self._settings = (
            ("stream.key", self.stream, "stream"),
            ("stream.key", self.attempts, "hash"),
            ("stream.key", self.stream_agreement, "hash"),
            ("stream.dead_letter", self.dead_letters, "stream"),
            ("clusters.namespace", self.letter_sizes, "hash"),
            ("clusters.namespace", self.letter_pets, "zset"),
            ("clusters.namespace", self.erased, "hash"),
            ("clusters.namespace", self.profiles, "hash"),
            ("clusters.namespace", self.learning, "string"),
            ("clusters.namespace", self.namespace_agreement, "hash"),
        )
        """By which setting each key that all pets share is named, and its type."""
        self._shared = {key: kind for _, key, kind in self._settings}

    @property
    def shared(self) -> Mapping[str, str]:
        """The types of those that are no pet's and no model version's, by their names."""
        return self._shared

    def used_twice(self) -> Iterator[tuple[str, str, str]]:
        """Keys that would hold two things, each with the two settings that its names come from."""
        for (one, key, _), (other, same, _) in itertools.combinations(self._settings, 2):
            if key == same:
                yield key, one, other

    def like_a_pets(self) -> Mapping[str, str]:
        """By the setting, the first key that some pet's or model version's key would be as well."""
        of_others = tuple(f"{self._namespace}:{kind}:" for kind in _TYPES)
        return {setting: key for setting, key, _ in reversed(self._settings) if key.startswith(of_others)}

    def type_of(self, key: str) -> str:
        """Which type of Redis a key of ours has."""
        return self._shared.get(key) or _TYPES[key.removeprefix(f"{self._namespace}:").partition(":")[0]]

    def pet(self, pet_id: str) -> PetKeys:
        """The keys of one pet."""
        return PetKeys(f"{self._namespace}:album:{pet_id}", f"{self._namespace}:images:{pet_id}", self.view(pet_id))

    def profile(self, model_version: str) -> str:
        """HASH generation -> profile, and the digest of each. Never expires: albums of old generations need theirs."""
        return f"{self._namespace}:profile:{model_version}"

    def sample(self, model_version: str) -> SampleKeys:
        """The fleet's sample of one model version."""
        return SampleKeys(f"{self._namespace}:sample:{model_version}", f"{self._namespace}:sampled:{model_version}")

    def view(self, pet_id: str) -> str:
        """Named alone for the read path, which wants nothing else."""
        return f"{self._namespace}:state:{pet_id}"

    def named(self, names: Sequence[str], pet_id: str) -> list[str]:
        """Keys by what they are called here; those of a pet are `pet_id`'s."""
        pet = self.pet(pet_id)
        return [getattr(pet if name in _OF_A_PET else self, name) for name in names]
