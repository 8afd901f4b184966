"""`clusterd partitions plan | move`: another number of partitions, while daemons run."""

# ruff: noqa: T201 - a command prints

import asyncio
import json
from dataclasses import asdict, replace
from typing import Final

from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.progress import Progress
from sploot_clusterd.store import Carried, GroupMoved, Move, Store

_WAYS: Final = 3
"""A pet is read, written and deleted: three times what reading it took, about."""
_COLUMNS: Final = (("group", 6), ("pets", 9), ("to move", 9), ("jobs", 7), ("letters", 7))


async def plan(store: Store, target: int, *, as_json: bool) -> None:
    """Prints what each group holds and how long it would take. Raises ClusterdError for a number that cannot be."""
    now = await store.recorded.check()
    if _is_there(now, target):
        return
    placing = _towards(now, target)
    pets, seconds, longest = 0, 0.0, 0.0
    if not as_json:
        print(" ".join(f"{name:<{width}}" for name, width in _COLUMNS), "partitions")
    async for group in store.move(placing).plan():
        held = group.held
        takes = held.seconds / max(1, held.read) * held.leave * _WAYS
        pets, seconds, longest = pets + held.leave, seconds + takes, max(longest, takes)
        if as_json:
            told = {"group": group.group, "partitions": group.partitions, "pets": held.pets, "to_move": held.leave}
            print(json.dumps({**told, "jobs": held.jobs, "letters": held.letters, "seconds": round(takes, 3)}))
        else:
            cells = zip((group.group, held.pets, held.leave, held.jobs, held.letters), _COLUMNS, strict=True)
            print(" ".join(f"{cell:<{width}}" for cell, (_, width) in cells), ",".join(map(str, group.partitions)))
    if not as_json:
        print(f"{pets} pets would be carried, which takes about {seconds:.1f} s; nothing was changed")
        print(f"the pets of a group would be refused (503) for about {longest:.1f} s, while it is in motion")


async def move(store: Store, target: int, *, as_json: bool) -> None:
    """Changes the number, or goes on with what was interrupted. Raises ClusterdError, StoreUnavailableError."""
    now = await store.recorded.check()
    if _is_there(now, target):
        return
    work = store.move(_towards(now, target))
    await work.take()
    holding = asyncio.create_task(work.keep(), name="keeps others off")
    moving = asyncio.create_task(_move(store, work, begun=bool(now.target), as_json=as_json), name="moves")
    try:
        await asyncio.wait((holding, moving), return_when=asyncio.FIRST_COMPLETED)
        if holding.done():
            holding.result()
        await moving
    finally:
        for task in (holding, moving):
            task.cancel()
        await asyncio.gather(holding, moving, return_exceptions=True)
        await work.let_go()


async def _move(store: Store, work: Move, *, begun: bool, as_json: bool) -> None:
    progress, done = Progress(), False
    groups = work.placing.groups

    def show(group: int, carried: Carried) -> None:
        progress.show(f"group {group + 1} of {groups}: {carried.pets} pets")

    try:
        if not begun:
            await _begin(store, work)
        async for group in work.groups(show):
            progress.clear()
            print(json.dumps(_told(group)) if as_json else _line(group), flush=True)
        done = True
    finally:
        placing = work.placing
        if not (done or as_json):
            print(f"interrupted with {placing.moved} of {groups} groups moved: the same command goes on from there")
    if not as_json:
        print(f"there are {placing.count} partitions now: set stream.partitions (CLUSTER_PARTITIONS) to that")


async def _begin(store: Store, work: Move) -> None:
    if work.placing.count == 1 and (others := await store.others()):
        raise ClusterdError(
            f"from one partition to several no daemon may run, and there is {', '.join(others)}: stop all of them "
            "first; one that was killed counts for 150 s"
        )
    await work.begin()


def _is_there(now: Placing, target: int) -> bool:
    if now.target or now.count != target:
        return False
    print(f"there are {target} partitions already")
    return True


def _towards(now: Placing, target: int) -> Placing:
    """Raises ClusterdError where that cannot be."""
    if now.target and now.target != target:
        raise ClusterdError(
            f"a move to {now.target} partitions was begun: finish it first (partitions move {now.target})"
        )
    if target == 1:
        raise ClusterdError(
            "there is no way back to one partition: begin anew in another database, or under other names"
        )
    return now if now.target else replace(now, target=target)


def _told(group: GroupMoved) -> dict[str, object]:
    return {
        "group": group.group,
        "groups": group.groups,
        **asdict(group.carried),
        "refused_seconds": round(group.refused_seconds, 3),
    }


def _line(group: GroupMoved) -> str:
    carried = group.carried
    return (
        f"group {group.group + 1} of {group.groups}: {carried.pets} pets, {carried.jobs} jobs, {carried.letters} dead "
        f"letters moved; refused for {group.refused_seconds:.2f} s"
    )
