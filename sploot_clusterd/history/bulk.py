"""Many rows in one statement, by the drivers' own ways: what SQLAlchemy does for each row, and to build a statement,
costs more than they.

SQLite gets one statement with the values of each row, and keys as a JSON list; PostgreSQL an array of each column.
"""

# ruff: noqa: S608 - the names in statements are those of our tables and columns

import functools
from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Boolean, Connection, Integer, LargeBinary, Table, Text

Row = dict[str, Any]
"""Values by column; of rows that go together all have the same."""

IS_OPEN: Final = "until_version IS NULL AND live"
"""Of an interval."""
_json: Final = msgspec.json.Encoder().encode
_ARRAYS: Final = {Text: "text[]", BigInteger: "bigint[]", Integer: "int[]", Boolean: "bool[]", LargeBinary: "bytea[]"}


def insert(connection: Connection, table: Table, rows: Sequence[Row], order: Sequence[str], conflict: str = "") -> None:
    """In the order of these columns' values, so that writers that meet wait for each other in one direction. `conflict`
    is what the statement says of rows that are there.
    """
    if not rows:
        return
    rows = sorted(rows, key=itemgetter(*order))
    statement = _insert(table, tuple(rows[0]), conflict, connection.dialect.name == "sqlite")
    _execute(connection, statement, rows)


def close(connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Open intervals of these keys end; `rows` have the keys, `until_version` and `until_ms`."""
    if rows:
        statement = _close(table, tuple(keys), connection.dialect.name == "sqlite")
        values = [{name: row[name] for name in ("until_version", "until_ms", *keys)} for row in rows]
        _execute(connection, statement, sorted(values, key=itemgetter(*keys)))


def fetch(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    keys: Collection[str],
    where: str = "",
    *,
    since: tuple[str, int] | None = None,
) -> Sequence[Any]:
    """These columns of all rows whose first one is one of the keys. `where` is what else holds of them, in words that
    both databases understand; `since`: that a column is not lower than a number. SQLite's booleans are 0 and 1.
    """
    if not keys:
        return []
    is_sqlite = connection.dialect.name == "sqlite"
    column, least = since or ("", 0)
    statement = _select(table, tuple(names), where, column, is_sqlite)
    asked = _json([*keys]).decode() if is_sqlite else [*keys]
    return connection.exec_driver_sql(statement, (asked, least) if column else (asked,)).all()


def _execute(connection: Connection, statement: str, rows: Sequence[Row]) -> None:
    values = [tuple(row.values()) for row in rows]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(statement, values)
    else:
        connection.exec_driver_sql(statement, tuple(map(list, zip(*values, strict=True))))


@functools.cache
def _insert(table: Table, names: tuple[str, ...], conflict: str, is_sqlite: bool) -> str:
    rows = f"VALUES ({', '.join('?' * len(names))})" if is_sqlite else f"SELECT * FROM {_unnested(table, names)}"
    return f"INSERT INTO {table.name} ({', '.join(map(_quoted, names))}) {rows} {conflict}"


@functools.cache
def _close(table: Table, keys: tuple[str, ...], is_sqlite: bool) -> str:
    if is_sqlite:
        where = " AND ".join(f"{key} = ?" for key in keys)
        return f"UPDATE {table.name} SET until_version = ?, until_ms = ? WHERE {where} AND {IS_OPEN}"
    # A plan that was made while there were few rows is kept: so none may be possible that goes through all open ones.
    # Each row's id is looked up by itself; then nothing but the ids tells of an index.
    names = ("until_version", "until_ms", *keys)
    alike = " AND ".join(f"each.{key} = closed.{key}" for key in keys)
    return (
        f"WITH closed ({', '.join(names)}) AS MATERIALIZED (SELECT * FROM {_unnested(table, names)}), "
        "found AS MATERIALIZED (SELECT one.id, closed.until_version, closed.until_ms FROM closed CROSS JOIN LATERAL "
        f"(SELECT id FROM {table.name} AS each WHERE {alike} AND {IS_OPEN} LIMIT 1) AS one) "
        f"UPDATE {table.name} SET until_version = found.until_version, until_ms = found.until_ms FROM found "
        f"WHERE {table.name}.id = found.id AND {table.name}.id = ANY(ARRAY(SELECT id FROM found)) "
        f"AND ({table.name}.until_version IS NOT NULL) IS NOT TRUE"
    )


@functools.cache
def _select(table: Table, names: tuple[str, ...], where: str, since: str, is_sqlite: bool) -> str:
    among = "IN (SELECT value FROM json_each(?))" if is_sqlite else "= ANY(%b::text[])"
    parts = [f"{names[0]} {among}", where, f"{since} >= {'?' if is_sqlite else '%b::bigint'}" if since else ""]
    conditions = " AND ".join(filter(None, parts))
    return f"SELECT {', '.join(map(_quoted, names))} FROM {table.name} WHERE {conditions}"


def _unnested(table: Table, names: Sequence[str]) -> str:
    arrays = ", ".join(f"%b::{_array(table.c[name].type)}" for name in names)
    return f"unnest({arrays})"


def _array(kind: object) -> str:
    return next(array for each, array in _ARRAYS.items() if isinstance(kind, each))


def _quoted(name: str) -> str:
    return f'"{name}"'
