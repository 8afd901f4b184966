"""Which process had better read which partition: a pure function of who is there and who reads what now."""

import hashlib
from collections.abc import Sequence


def assigned(owners: Sequence[str], members: Sequence[str]) -> list[str]:
    """By partition, the member that is to read it; `owners` are those that do now, empty for nobody.

    Their numbers of partitions differ by one at most. Who has no more than that keeps what it has, and no partition
    moves that need not. What is free goes by rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to
    increase hit rates", 1998): to the member with the highest hash of its name and the partition that has room.
    """
    if not members:
        return [""] * len(owners)
    held = {member: [n for n, owner in enumerate(owners) if owner == member] for member in members}
    least, more = divmod(len(owners), len(members))
    by_count = sorted(members, key=lambda member: (-len(held[member]), member))
    room = {member: least + (rank < more) for rank, member in enumerate(by_count)}
    plan = [""] * len(owners)
    for member in members:
        for n in sorted(held[member], key=lambda n: _weight(member, n), reverse=True)[: room[member]]:
            plan[n] = member
            room[member] -= 1
    for n in range(len(plan)):
        if not plan[n]:
            plan[n] = max((member for member in members if room[member]), key=lambda member: _weight(member, n))
            room[plan[n]] -= 1
    return plan


def _weight(member: str, partition: int) -> bytes:
    return hashlib.blake2b(f"{partition} {member}".encode(), digest_size=8).digest()
