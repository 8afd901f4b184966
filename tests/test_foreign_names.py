"""No class of ours lives on a private name of somebody else's: a minor release of theirs may take it away."""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import sploot_clusterd

PACKAGE = Path(sploot_clusterd.__file__).parent

PUBLIC = {"_asdict", "_exit", "_fields", "_make", "_replace"}
"""Documented, for all that they begin with an underscore."""


def modules() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] not in {"__main__", "env"}:  # env is run by Alembic alone
            yield ".".join(parts).removesuffix(".__init__")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def tree_of(thing: object) -> ast.AST:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError):  # written in C
        return ast.Module([], [])


def private_names(tree: ast.AST, *, of_self: bool) -> set[str]:
    """Private attributes that are named, of `self` and `cls` or of anything else."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            found |= {node.attr} if own is of_self else set()
    return found


@cache
def defined_by(base: type) -> frozenset[str]:
    """The private names of a class: its members, and what its methods set."""
    members = {name for name in (*vars(base), *getattr(base, "__slots__", ())) if is_private(name)}
    return frozenset(members | private_names(tree_of(base), of_self=True))


def is_ours(thing: type) -> bool:
    return thing.__module__.split(".")[0] == PACKAGE.name


def violations(module: object) -> set[str]:
    """Private names of others in a module: those of foreign base classes, and those that no class here defines."""
    classes = [
        thing for thing in vars(module).values() if inspect.isclass(thing) and thing.__module__ == module.__name__
    ]
    found = set()
    for each in classes:
        foreign = {name for base in each.__mro__[1:] if not is_ours(base) for name in defined_by(base)}
        found |= private_names(tree_of(each), of_self=True) & foreign
    tree = tree_of(module)
    ours = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    ours |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return found | (private_names(tree, of_self=False) - private_names(tree, of_self=True) - ours)


@pytest.mark.parametrize("name", list(modules()))
def test_no_private_name_of_somebody_elses(name: str):
    assert violations(importlib.import_module(name)) == set()


def test_the_rule_sees_what_it_is_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "bent.py").write_text(
        "from redis.asyncio.connection import ConnectionPool\n"
        "class Pool(ConnectionPool):\n"
        "    def release(self, connection):\n"
        "        self._in_use_connections.remove(connection)\n"
        "        self._ours = connection._writer\n"
        "        connection.pool._ours = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert violations(importlib.import_module("bent")) == {"_in_use_connections", "_writer"}
