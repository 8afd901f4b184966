"""Keys of one pet, and of one model version: what each is for, its type and when it expires."""

from typing import Final, NamedTuple


class PetKeys(NamedTuple):
    album: str
    """HASH: version token, head, clusters' statistics, recent job ids. Expires after albums.ttl_seconds, if set."""
    images: str
    """HASH image id -> row with its vectors, tombstones too. Expires with the album."""
    view: str
    """STRING: the JSON that readers get, where the reference stored it. Expires after clusters.ttl_seconds."""
    wanted: str
    """ZSET image id -> when its insight is to be asked for (ms); `*`: the pet's whole list. Expires with the album."""
    asked: str
    """HASH image id -> how asking for it went, where it is not done. Expires with the album."""
    untold: str
    """HASH image id -> where readers see it, JSON that the storage service is to be told. Expires with the album."""
    dropped: str
    """STRING, there where the view was invalidated: only a job brings it back. Expires when the view would have."""
    snapshots: str
    """HASH restore -> the album as it was, for the job that restores it. Expires an hour after the last one came."""
    jobs: str
    """LIST of events: what became of the pet's latest jobs. Expires jobs.ttl_seconds after the newest one."""


OF_A_PET: Final = {name: "state" if name == "view" else name for name in PetKeys._fields}
"""What follows the namespace in a pet's keys, by what they are called here."""
KINDS: Final = (*OF_A_PET.values(), "profile", "sample", "sampled", "letters")
"""What follows the namespace in keys that go on with a name that is not ours."""
TYPES: Final = {
    **dict.fromkeys(("album", "images", "asked", "untold", "snapshots", "profile", "sample"), "hash"),
    **dict.fromkeys(("state", "dropped"), "string"),
    **dict.fromkeys(("wanted", "sampled"), "zset"),
    "jobs": "list",
}
"""Of the keys of a pet or a model version, by what follows the namespace in their names."""


class SampleKeys(NamedTuple):
    images: str
    """HASH slot -> one image of the fleet's sample, with its vectors. Deleted when the profile settles."""
    slots: str
    """ZSET of those slots by priority, to find the one that has to give way. Lives as long as the images."""
