"""The settings as one flat table, `section.key` to its declaration, derived from the sections; and back to sections."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from sploot_clusterd.config.kinds import Setting, setting
from sploot_clusterd.config.sections import Sections

T = TypeVar("T")


def _fields_of(section: type[Any], prefix: str = "") -> Iterator[tuple[str, Setting]]:
    for field in dataclasses.fields(section):
        if field.metadata:
            yield prefix + field.name, setting(field)
        elif nested := _nested(field):
            yield from _fields_of(nested, f"{prefix}{field.name}.")


def _nested(field: dataclasses.Field[Any]) -> type[Any] | None:
    """The section that a field holds, if it holds one."""
    factory: Any = field.default_factory
    return factory if isinstance(factory, type) and dataclasses.is_dataclass(factory) else None


SCHEMA: Final[Mapping[str, Setting]] = dict(_fields_of(Sections))
"""`stream.maxlen` and so on, in the order in which they are documented."""

TABLES: Final = frozenset(key.rpartition(".")[0] for key in SCHEMA)
"""The TOML tables that exist: `stream`, `engine.weights`, ..."""


def environment_names(key: str) -> tuple[str, ...]:
    """The variables that set `key`; the first that is set counts."""
    prefix = "CLUSTER" if key.startswith("engine.") else "CLUSTERD"
    return SCHEMA[key].env or (f"{prefix}_{key.replace('.', '_').upper()}",)


def near_miss(unknown: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name that was probably meant."""
    import difflib  # noqa: PLC0415 - only mistakes need it, and a probe should be quick

    return next(iter(difflib.get_close_matches(unknown, list(known), 1, likeness)), None)


def value_of(sections: Sections, key: str) -> object:
    value: object = sections
    for name in key.split("."):
        value = getattr(value, name)
    return value


def build(section: type[T], values: Mapping[str, object], prefix: str = "", **others: object) -> T:
    """A section, and all within it, with the checked `values`; a key that is not there keeps its default."""
    arguments: dict[str, object] = dict(others)
    for field in dataclasses.fields(section):  # type: ignore[arg-type]
        key = prefix + field.name
        if field.metadata:
            if key in values:
                arguments[field.name] = values[key]
        elif nested := _nested(field):
            arguments[field.name] = build(nested, values, f"{key}.")
    return section(**arguments)
