"""Many rows in one statement, by the drivers' own ways: what SQLAlchemy does for each row costs more than the row.

SQLite gets one statement with the values of each row, PostgreSQL an array of each column.
"""

# ruff: noqa: S608 - the names in statements are those of our tables and columns

import functools
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Connection, Integer, LargeBinary, Table, Text

Row = dict[str, Any]
"""Values by column; of rows that go together all have the same."""

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
    is_open = "until_version IS NULL AND live"
    if is_sqlite:
        where = " AND ".join(f"{key} = ?" for key in keys)
        return f"UPDATE {table.name} SET until_version = ?, until_ms = ? WHERE {where} AND {is_open}"
    names = ("until_version", "until_ms", *keys)
    where = " AND ".join(f"{table.name}.{key} = closed.{key}" for key in keys)
    return (
        f"UPDATE {table.name} SET until_version = closed.until_version, until_ms = closed.until_ms "
        f"FROM {_unnested(table, names)} AS closed ({', '.join(names)}) "
        f"WHERE {where} AND {table.name}.until_version IS NULL AND {table.name}.live"
    )


def _unnested(table: Table, names: Sequence[str]) -> str:
    arrays = ", ".join(f"%b::{_array(table.c[name].type)}" for name in names)
    return f"unnest({arrays})"


def _array(kind: object) -> str:
    return next(array for each, array in _ARRAYS.items() if isinstance(kind, each))


def _quoted(name: str) -> str:
    return f'"{name}"'
