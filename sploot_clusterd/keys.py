"""Every key's name, in one place, with what it is for and when it expires; those of one pet are in `pet_keys`.

Where the stream has several partitions, all names begin with their partition's hash tag, so that the keys of a call
share a slot; with one they have no tag. `Layout` tells whose keys are where.
"""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence

from sploot_clusterd.partitioning import Placing, partition_of, tag_of
from sploot_clusterd.pet_keys import OF_A_PET, TYPES, PetKeys, SampleKeys


def namespace_agreement(namespace: str) -> str:
    """Where those who use a namespace write down what they go by."""
    return f"{namespace}:agreed"


class Keys:
    """The names for one namespace and stream, where there is one partition."""

    def __init__(self, namespace: str, stream: str, dead_letters: str) -> None:
        self._name(namespace, stream, dead_letters, tag="")
        self._partition = 0
        self.stream_agreement = f"{stream}:agreement"
        """HASH process -> the settings that it goes by, and when it said so. A field goes 150 s after the process."""
        self.namespace_agreement = namespace_agreement(namespace)
        """HASH as that of the stream."""
        self.partitions = f"{namespace}:partitions"
        """STRING, how many partitions there are, and how that changes (`Placing`). Never expires."""
        self.paused = f"{namespace}:paused"
        """STRING, why no process takes jobs. Expires when that ends."""
        self.fleet = f"{namespace}:fleet"
        """HASH process -> what it told of itself last. Expires 60 s after the last of them is silent."""
        self._settings += (
            ("clusters.namespace", self.paused, "string"),
            ("clusters.namespace", self.fleet, "hash"),
            ("stream.key", self.stream_agreement, "hash"),
            ("clusters.namespace", self.namespace_agreement, "hash"),
            ("clusters.namespace", self.partitions, "string"),
        )

    def _name(self, namespace: str, stream: str, dead_letters: str, *, tag: str) -> None:
        """What each partition has."""
        self._tag = tag
        letters = f"{tag}{namespace}:letters:{dead_letters}"
        namespace, stream, dead_letters = tag + namespace, tag + stream, tag + dead_letters
        self._namespace = namespace
        self._of_a_pet = {name: f"{namespace}:{kind}:" for name, kind in OF_A_PET.items()}
        """What a pet's keys begin with, by what they are called here."""
        self._parts: dict[tuple[str, ...], list[tuple[str, bool]]] = {}
        """What `named` was asked for: each key, or what it begins with, and whether it is a pet's."""
        self.stream = stream
        """STREAM of unsettled jobs. Never expires, never trimmed: entries are deleted when they are settled."""
        self.attempts = f"{stream}:attempts"
        """HASH entry id -> its record. Fields go with their entries."""
        self.wants = f"{namespace}:wants"
        """ZSET pet id -> when the first insight that it wants is to be asked for (ms). Members go with the wants."""
        self.tellings = f"{namespace}:tellings"
        """ZSET pet id -> when the storage service is to be told of it (ms). Members go when it is told."""
        self.dead_letters = dead_letters
        """STREAM of jobs set aside. Capped; what the cap drops is counted."""
        self.letter_sizes = f"{letters}:sizes"
        """HASH letter id -> its bytes; `bytes`: their sum; `last`: all are in it up to that one."""
        self.letter_pets = f"{letters}:pets"
        """ZSET pet id, NUL, letter id: which letters name a pet. Members go with their letters."""
        self.erased = f"{namespace}:erased"
        """HASH pet id -> the stream's last id at its DELETE. A mark goes when nothing older is unsettled."""
        self.erasing = f"{namespace}:erasing"
        """HASH pet id -> when it was erased (ms), until history has forgotten it. A field goes then."""
        self.profiles = f"{namespace}:profiles"
        """HASH model version -> its state: the current generation, and whether that is settled. Never expires."""
        self.learning = f"{namespace}:learning"
        """STRING, set when a process begins to learn a profile. Expires after 10 s: nobody has to live to free it."""
        self.feed = f"{namespace}:feed"
        """STREAM of changes, for other services. Trimmed by bytes and age; expires when its last event is too old."""
        self.feed_index = f"{namespace}:feed:index"
        """HASH pet id -> its last event's id, gone with that; `*`: the very last one's id, and the bytes of all."""
        self.feed_writer = f"{namespace}:feed:writer"
        """STRING, the process that writes history, with one partition. Expires 5 s after it last said so."""
        self.audit = f"{namespace}:audit"
        """STREAM of who changed what over HTTP. Capped; entries of erased pets go."""
        self.audit_pets = f"{namespace}:audit:pets"
        """ZSET pet id, NUL, entry's id: which entries name a pet. Members go with their entries."""
        self.backfills = f"{namespace}:backfills"
        """HASH backfill -> how far it has come. A field goes when its backfill is done."""
        self._settings: tuple[tuple[str, str, str], ...] = (
            ("stream.key", self.stream, "stream"),
            ("stream.key", self.attempts, "hash"),
            ("stream.dead_letter", self.dead_letters, "stream"),
            ("clusters.namespace", self.letter_sizes, "hash"),
            ("clusters.namespace", self.letter_pets, "zset"),
            ("clusters.namespace", self.erased, "hash"),
            ("clusters.namespace", self.erasing, "hash"),
            ("clusters.namespace", self.profiles, "hash"),
            ("clusters.namespace", self.learning, "string"),
            ("clusters.namespace", self.feed, "stream"),
            ("clusters.namespace", self.feed_index, "hash"),
            ("clusters.namespace", self.feed_writer, "string"),
            ("clusters.namespace", self.audit, "stream"),
            ("clusters.namespace", self.audit_pets, "zset"),
            ("clusters.namespace", self.backfills, "hash"),
            ("clusters.namespace", self.wants, "zset"),
            ("clusters.namespace", self.tellings, "zset"),
        )
        """By which setting each key that all pets share is named, and its type."""

    @property
    def fence(self) -> tuple[str, str] | None:
        """The key with the number of the layout, and the one that is gone by here; None with one partition."""
        return None

    @property
    def partition(self) -> int:
        """Its number."""
        return self._partition

    @property
    def tag(self) -> str:
        """What all names begin with; empty with one partition."""
        return self._tag

    @property
    def absent(self) -> str:
        """Of a key that is never there: by it a cluster is asked whether the partition is all on one node."""
        return f"{self.stream}:absent"

    @functools.cached_property
    def shared(self) -> Mapping[str, str]:
        """The types of those that are no pet's and no model version's, by their names."""
        return {key: kind for _, key, kind in self._settings}

    def used_twice(self) -> Iterator[tuple[str, str, str]]:
        """Keys that would hold two things, each with the two settings that its names come from."""
        for (one, key, _), (other, same, _) in itertools.combinations(self._settings, 2):
            if key == same:
                yield key, one, other

    def like_a_pets(self) -> Mapping[str, str]:
        """By the setting, the first key that some pet's or model version's key would be as well."""
        of_others = tuple(f"{self._namespace}:{kind}:" for kind in TYPES)
        return {setting: key for setting, key, _ in reversed(self._settings) if key.startswith(of_others)}

    def type_of(self, key: str) -> str:
        """Which type of Redis a key of ours has."""
        return self.shared.get(key) or TYPES[key.removeprefix(f"{self._namespace}:").partition(":")[0]]

    def pet(self, pet_id: str) -> PetKeys:
        """The keys of one pet."""
        return PetKeys(*self.named(PetKeys._fields, pet_id))

    def of_insights(self, pet_id: str) -> list[str]:
        """What a commit writes to where insights are fetched, in the order in which its script takes them."""
        return self.named(("wanted", "asked", "untold", "wants", "tellings"), pet_id)

    def profile(self, model_version: str) -> str:
        """HASH generation -> profile, and the digest of each. Never expires: albums of old generations need theirs."""
        return f"{self._namespace}:profile:{model_version}"

    def sample(self, model_version: str) -> SampleKeys:
        """The fleet's sample of one model version."""
        return SampleKeys(f"{self._namespace}:sample:{model_version}", f"{self._namespace}:sampled:{model_version}")

    def view(self, pet_id: str) -> str:
        """Named alone for the read path, which wants nothing else."""
        return f"{self._namespace}:state:{pet_id}"

    def jobs(self, pet_id: str) -> str:
        """Named alone for submits."""
        return f"{self._namespace}:jobs:{pet_id}"

    def named(self, names: tuple[str, ...], pet_id: str) -> list[str]:
        """Keys by what they are called here; those of a pet are `pet_id`'s."""
        parts = self._parts.get(names)
        if parts is None:
            of_a_pet = self._of_a_pet
            parts = [(of_a_pet.get(name) or getattr(self, name), name in of_a_pet) for name in names]
            self._parts[names] = parts
        return [part + pet_id if of_pet else part for part, of_pet in parts]


class PartitionKeys(Keys):
    """The names of one of several partitions, and the number of the layout that is gone by there."""

    def __init__(self, partition: int, namespace: str, stream: str, dead_letters: str) -> None:
        self._partition = partition
        tag = tag_of(partition)
        self._name(namespace, stream, dead_letters, tag=tag)
        self.owner = f"{tag}{stream}:owner"
        """STRING, the process that reads the partition. Expires when that has not said for long that it is there."""
        self.routed = f"{tag}{stream}:routed"
        """HASH: the `last` entry of the plain stream that was moved here or passed over, and the number of the `router`
        that did it; of the first partition, how many `routers` there were, too.
        """
        self.origins = f"{tag}{namespace}:origins"
        """HASH pet id -> the plain stream's last id at its DELETE. A field goes when nothing older is left there."""
        self.members = f"{tag}{stream}:members"
        """Of the first partition. ZSET process -> when it last said that it is there (ms). A member goes 5 s later."""
        self.router = f"{tag}{stream}:router"
        """Of the first partition. STRING, the process that moves entries of the plain stream. Expires as `owner`."""
        self.mover = f"{tag}{stream}:mover"
        """Of the first partition. STRING, who changes the number of partitions. Expires soon after it is gone."""
        self.layout = f"{tag}{namespace}:layout"
        """STRING, the number of the layout that the partition's pets are placed by; without it, 1. Never expires."""
        self.goes_by = ""
        """The number of the layout that this process goes by, '' until it has asked; scripts refuse another one than is
        stored.
        """
        self._settings += (
            ("stream.key", self.members, "zset"),
            ("stream.key", self.router, "string"),
            ("stream.key", self.mover, "string"),
            ("clusters.namespace", self.layout, "string"),
            ("stream.key", self.owner, "string"),
            ("stream.key", self.routed, "hash"),
            ("clusters.namespace", self.origins, "hash"),
        )

    @property
    def fence(self) -> tuple[str, str]:
        return self.layout, self.goes_by


class Layout:
    """Whose keys are where: one partition without a tag, or several with one each. These may become more, and pets may
    move among them, by what is recorded in Redis.
    """

    def __init__(self, namespace: str, stream: str, dead_letters: str, partitions: int) -> None:
        self._names = namespace, stream, dead_letters
        self.plain = Keys(*self._names)
        """What all partitions share, and where producers add to that know of none; with one partition, all there is."""
        self.placing = Placing(partitions)
        """By which pets are placed now."""
        self.several = list[PartitionKeys]()
        """Those of each partition; empty where there is one. The list grows, and never shrinks."""
        self.partitions: Sequence[Keys] = self.several if partitions > 1 else [self.plain]
        if partitions > 1:
            self._name_all(partitions)

    @property
    def is_one(self) -> bool:
        return not self.several

    @property
    def is_known(self) -> bool:
        """Whether it is what is recorded, and not only what is set."""
        return self.is_one or self.several[0].goes_by != ""

    def follow(self, placing: Placing) -> None:
        """Goes by this from now on, where there are several partitions."""
        self.placing = placing
        self._name_all(placing.total)
        for n, keys in enumerate(self.several):
            keys.goes_by = str(placing.number_of(n))

    def _name_all(self, count: int) -> None:
        self.several += [PartitionKeys(n, *self._names) for n in range(len(self.several), count)]

    def number(self, pet_id: str) -> int:
        """The pet's partition."""
        return self.placing.place(pet_id) if self.several else 0

    def of(self, pet_id: str) -> Keys:
        """The keys of the pet's partition."""
        return self.partitions[self.number(pet_id)]

    def places(self, pet_id: str) -> Sequence[Keys]:
        """Where the pet may be while its group is in motion: first where it was, then where it will be."""
        if not self.placing.target:
            return [self.of(pet_id)]
        return [self.partitions[partition_of(pet_id, count)] for count in (self.placing.count, self.placing.target)]
