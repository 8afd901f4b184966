"""Versions that Redis lost, as its feed shows: they stay, marked as living no more, and others are the newest."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from sploot_clusterd.history import statements
from sploot_clusterd.history.schema import newest_snapshots, pet_clusters, pet_latest


def give_up(connection: Connection, partition: int, sequence: int, living: Collection[str]) -> int:
    """What is written of events after this sequence, and is not among those that live; how many versions. A version of
    which no event told says nothing of the feed.
    """
    table = pet_clusters.c
    told = table.partition == partition, table.sequence > sequence, table.live, table.change != b""
    columns = table.pet_id, table.incarnation, table.version, table.token, table.sequence, table.at_ms
    lost: dict[tuple[str, str], list[Any]] = {}
    for row in connection.execute(select(*columns).where(*told)).all():
        if f"{row.sequence}-{row.at_ms}" not in living:
            lost.setdefault((row.pet_id, row.incarnation), []).append(row)
    for (pet_id, incarnation), rows in sorted(lost.items()):
        tokens = [row.token for row in rows]
        statements.supersede(connection, pet_id, incarnation, tokens, min(row.version for row in rows) - 1)
        _choose_newest(connection, pet_id, tokens)
    return sum(map(len, lost.values()))


def _choose_newest(connection: Connection, pet_id: str, lost: Sequence[str]) -> None:
    """In place of one that was lost: of a pet that has none, nothing is the newest."""
    for some in statements.pages(lost):
        snapshot = newest_snapshots.c.pet_id == pet_id, newest_snapshots.c.token.in_(some)
        connection.execute(delete(newest_snapshots).where(*snapshot))
    latest = connection.execute(select(pet_latest).where(pet_latest.c.pet_id == pet_id)).one_or_none()
    if latest is None or latest.token not in lost:
        return
    table = pet_clusters.c
    newest_first = table.at_ms.desc(), table.sequence.desc()
    living = select(pet_clusters).where(table.pet_id == pet_id, table.live).order_by(*newest_first).limit(1)
    row = connection.execute(living).one_or_none()
    if row is None:
        connection.execute(delete(pet_latest).where(pet_latest.c.pet_id == pet_id))
        return
    kept = {name: getattr(row, name) for name in latest._fields if name != "complete"}
    statements.upsert(connection, pet_latest, [{**kept, "complete": latest.complete}])
