"""Who may what over HTTP: the scopes, and the tables of `[[http.access]]` that give them away."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, get_args

from sploot_clusterd.config.kinds import PartsError, Secret, shown

Scope = Literal["read", "correct", "submit", "operate", "erase"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
ALL_SCOPES: Final = frozenset(SCOPES)
ALLOWED: Final = "tables with name, scopes (of " + ", ".join(SCOPES) + "), and one of token, token_file and identities"
_WAYS: Final = ("token", "token_file", "identities")


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """One table: who shows the token, one of those in the file, or comes as one of the identities has the scopes."""

    name: str
    scopes: tuple[Scope, ...]
    token: Secret | None = None
    token_file: str | None = None
    identities: tuple[str, ...] | None = None


class Grant(NamedTuple):
    """What tokens and identities are good for, with those that stood in files."""

    setting: str
    """Where it comes from, for people."""
    name: str
    scopes: frozenset[Scope]
    tokens: tuple[Secret, ...] = ()
    identities: tuple[str, ...] = ()


def read_access(value: object) -> tuple[Access, ...]:
    """The tables, checked one by one. Raises PartsError with all that is wrong in them, ValueError for no tables."""
    if not isinstance(value, list) or not value or not all(isinstance(table, dict) for table in value):
        raise ValueError
    problems = [(f"[{n}]{where}", allowed) for n, table in enumerate(value) for where, allowed in _problems(table)]
    if problems:
        raise PartsError(problems)
    return tuple(map(_access, value))


def holds_token(value: object) -> bool:
    """Whether a token stands in the tables themselves, before they are checked."""
    return isinstance(value, list) and any(isinstance(table, dict) and "token" in table for table in value)


def _access(table: Mapping[str, Any]) -> Access:
    return Access(
        table["name"],
        tuple(scope for scope in SCOPES if scope in table["scopes"]),
        Secret(table["token"]) if "token" in table else None,
        table.get("token_file"),
        tuple(table["identities"]) if "identities" in table else None,
    )


def _problems(table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Each says where, and what is expected there; none shows a token."""
    known = [field.name for field in dataclasses.fields(Access)]
    for field in sorted(table.keys() - set(known)):
        yield f".{field}", f"one of the keys {', '.join(known)}"
    name = table.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        yield _with_value("name", table), "a name of 1 to 64 of the characters A-Z a-z 0-9 . _ -"
    if not ALL_SCOPES.issuperset(_texts(table.get("scopes")) or [""]):
        yield _with_value("scopes", table), f"a list of one or more of {', '.join(SCOPES)}"
    ways = [way for way in _WAYS if way in table]
    if len(ways) != 1:
        yield "", f"one of {', '.join(_WAYS)}" + (f", and not {' and '.join(ways)}" if ways else "")
    for way in ("token", "token_file"):
        if way in table and not (table[way] and isinstance(table[way], str)):
            yield f".{way}", "a text"
    if "identities" in table and not all(map(_is_identity, _texts(table["identities"]) or [""])):
        yield _with_value("identities", table), "a list of one or more texts without commas"


def _with_value(field: str, table: Mapping[str, object]) -> str:
    return f".{field} = {shown(table[field])}" if field in table else f".{field}"


def _texts(value: object) -> list[str]:
    """The value, if it is a list of texts; else an empty one."""
    return value if isinstance(value, list) and all(isinstance(each, str) for each in value) else []


def _is_identity(text: str) -> bool:
    return bool(text) and "," not in text and text == text.strip()
