"""Albums as they were, and their views, out of the database again."""

from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, exists, select, union_all

from sploot_clusterd.history.packing import unpack
from sploot_clusterd.history.schema import cluster_snapshots, erased_pets, newest_snapshots
from sploot_clusterd.past import PastAlbum


def _nearest() -> Any:
    """The last album of a pet that is kept of a version, or of one before it; nothing from before an erasure."""
    found = union_all(*(_last(table) for table in (newest_snapshots, cluster_snapshots))).subquery()
    return select(found).order_by(found.c.version.desc(), found.c.at_ms.desc()).limit(1)


def _last(table: Table) -> Any:
    of_then = table.c.pet_id == bindparam("pet"), table.c.version <= bindparam("version"), ~_is_erased(table)
    newest = table.c.version.desc(), table.c.at_ms.desc()
    return select(select(*table.c["version", "at_ms", "album"]).where(*of_then).order_by(*newest).limit(1).subquery())


def _is_erased(table: Table) -> Any:
    return exists().where(erased_pets.c.pet_id == table.c.pet_id, erased_pets.c.erased_ms >= table.c.at_ms)


_NEAREST: Final = _nearest()
_NEWEST_VIEW: Final = select(newest_snapshots.c.view).where(
    newest_snapshots.c.pet_id == bindparam("pet"), ~_is_erased(newest_snapshots)
)


def album(connection: Connection, pet_id: str, version: int) -> PastAlbum | None:
    """The album as of this version, else as of the last one before it that is kept. Of a version that came twice, as
    Redis lost the first one, the later. Raises BadStateError.
    """
    found = connection.execute(_NEAREST, {"pet": pet_id, "version": version}).first()
    return PastAlbum(found.version, unpack(found.album)) if found else None


def newest_view(connection: Connection, pet_id: str) -> bytes | None:
    """The view of the newest album that is kept, as readers got it. Raises BadStateError."""
    view: bytes | None = connection.scalar(_NEWEST_VIEW, {"pet": pet_id})
    return unpack(view) if view is not None else None
