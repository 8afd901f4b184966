"""`clusterd partitions`: who reads each partition and how much waits there; how producers find a pet's."""

# ruff: noqa: T201 - a command prints

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.keys import Layout
from sploot_clusterd.partitioning import slot_of
from sploot_clusterd.partitions.code import code
from sploot_clusterd.partitions.moving import move, plan
from sploot_clusterd.store import Stats, Store, session

_COLUMNS: Final = (("partition", 9), ("slot", 5), ("waiting", 7), ("pending", 7), ("oldest", 7))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """What the command line asks for; the exit code. Raises ClusterdError, where Redis cannot be reached too."""
    if args.action == "code":
        stream = settings.stream
        layout = Layout(settings.clusters.namespace, stream.key, stream.dead_letter, stream.partitions)
        print(code(args.language, [keys.stream for keys in layout.partitions]), end="")
        return 0

    async def work(store: Store) -> int:
        if args.action == "show":
            await _show(store, args.pets, as_json=args.json)
        elif args.action == "plan" or args.dry_run:
            await plan(store, args.count, as_json=args.json)
        else:
            await move(store, args.count, as_json=args.json)
        return 0

    return session.run(settings, work)


async def _show(store: Store, pets: Sequence[str], *, as_json: bool) -> None:
    if not as_json:
        print(" ".join(f"{name:<{width}}" for name, width in _COLUMNS), "stream", "reader" if store.tenure else "")
    meant = [(pet_id, store.layout.number(pet_id)) for pet_id in pets] or [
        ("", n) for n in range(len(store.partitions))
    ]
    about = [*await _partitions(store)]
    for pet_id, number in meant:
        whose = {"pet_id": pet_id} if pet_id else {}
        print(json.dumps({**whose, **about[number]}) if as_json else _row(about[number], pet_id))
    if store.layout.placing.target and not (as_json or pets):
        print(store.layout.placing.progress)
    if store.tenure and store.plain and not (as_json or pets):
        router, unrouted = await store.tenure.hold_router(see=True), await store.plain.stats()
        print(f"{store.layout.plain.stream}: {unrouted.unsettled} to be moved, by {router.holder or 'nobody'}")


async def _partitions(store: Store) -> Iterator[dict[str, Any]]:
    owners = await store.tenure.owners() if store.tenure else [""]
    figures = await store.stats()
    return (
        {
            "partition": partition.number,
            "slot": slot_of(partition.keys.stream),
            **_figures(stats),
            "stream": partition.keys.stream,
            "reader": owner or None,
        }
        for partition, stats, owner in zip(store.partitions, figures, owners, strict=True)
    )


def _figures(stats: Stats | StoreUnavailableError) -> dict[str, Any]:
    """None each where the partition's server does not tell."""
    if isinstance(stats, StoreUnavailableError):
        return {"waiting": None, "pending": None, "oldest_seconds": None}
    return {
        "waiting": stats.unsettled,
        "pending": max(stats.pending, 0),
        "oldest_seconds": round(stats.oldest_unsettled_ms / 1000, 1),
    }


def _row(about: dict[str, Any], pet_id: str) -> str:
    *figures, stream, reader = about.values()
    cells = " ".join(
        f"{'?' if cell is None else cell!s:<{width}}" for cell, (_, width) in zip(figures, _COLUMNS, strict=True)
    )
    return " ".join(filter(None, (cells, stream, reader, pet_id)))
