"""What a setting may be: its type, its range, and how it is read from TOML and from the environment.

Each factory (`whole`, `text`, ...) declares one field of a section: default, explanation, range, environment variable.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

MASK: Final = "********"
_IN_URL: Final = r"(?<=://)([^/@:]*):.*@|(?<=[?&]password=)[^&]*"  # not compiled: a probe never needs it
_BOOLEANS: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


class Secret:
    """A text that is not shown by print, repr, logging or an error. Only `reveal()` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return MASK


class SecretUrl(Secret):
    """A URL that may carry a password: shown without it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return re.sub(_IN_URL, lambda match: MASK if match[1] is None else f"{match[1]}:{MASK}@", self._text)


class PartsError(ValueError):
    """What is not allowed within a setting that has parts of its own: where, with the value, and what is expected."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.problems = problems


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """How one field is explained and read. `from_text` and `check` raise ValueError for what is not allowed."""

    explanation: str
    allowed: str
    from_text: Callable[[str], object]
    check: Callable[[object], object]
    env: tuple[str, ...]
    secret: bool


def setting(field: dataclasses.Field[Any]) -> Setting:
    """The declaration behind a section's field."""
    declared: Setting = field.metadata["setting"]
    return declared


def whole(default: T, explanation: str, lowest: int = 0, highest: int = 2**53, *, env: str = "") -> T:
    """A whole number, `lowest` to `highest`."""

    def check(value: object) -> object:
        return _wanted(value, type(value) is int and lowest <= value <= highest)

    return _declare(
        default, explanation, f"a whole number from {lowest} to {highest}", from_text=int, check=check, env=env
    )


def number(default: T, explanation: str, lowest: float = 0.0, highest: float = 1e9, *, env: str = "") -> T:
    """A finite number, `lowest` to `highest`."""

    def check(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
            raise ValueError
        return float(value)

    return _declare(
        default, explanation, f"a number from {lowest:g} to {highest:g}", from_text=float, check=check, env=env
    )


def switch(default: T, explanation: str, *, env: str = "") -> T:
    def from_text(text: str) -> object:
        return _wanted(_BOOLEANS.get(text.lower()), text.lower() in _BOOLEANS)

    def check(value: object) -> object:
        return _wanted(value, type(value) is bool)

    return _declare(default, explanation, "true or false", from_text=from_text, check=check, env=env)


def choice(default: T, explanation: str, options: tuple[str, ...], *, env: str = "") -> T:
    """One of `options`, in any case."""
    spelled = {option.lower(): option for option in options}

    def check(value: object) -> object:
        return _wanted(spelled.get(str(value).lower()), isinstance(value, str) and value.lower() in spelled)

    return _declare(default, explanation, "one of " + ", ".join(options), from_text=str, check=check, env=env)


def text(
    default: T, explanation: str, pattern: str = r"[^\x00-\x1f\x7f]+", what: str = "a text", *, env: str = ""
) -> T:
    """A text that matches `pattern` as a whole; `what` is that pattern in words."""

    def check(value: object) -> object:
        return _wanted(value, isinstance(value, str) and re.fullmatch(pattern, value) is not None)

    return _declare(default, explanation, what, from_text=str, check=check, env=env)


def secret(default: T, explanation: str, pattern: str = r"(?s:.+)", what: str = "a text", *, env: str = "") -> T:
    """A text that is not shown, and matches `pattern` as a whole; `what` is that pattern in words."""

    def check(value: object) -> object:
        return Secret(str(_wanted(value, isinstance(value, str) and re.fullmatch(pattern, value) is not None)))

    return _declare(default, explanation, what, from_text=str, check=check, env=env, is_secret=True)


def secret_url(default: T, explanation: str, is_allowed: Callable[[str], bool], allowed: str, *, env: str = "") -> T:
    """A URL for which `is_allowed` holds; `allowed` is that in words."""

    def check(value: object) -> object:
        url = str(_wanted(value, isinstance(value, str))).strip()
        return SecretUrl(_wanted(url, is_allowed(url)))

    return _declare(default, explanation, allowed, from_text=str, check=check, env=env, is_secret=True)


def texts(default: T, explanation: str, *, env: str = "") -> T:
    """A list of texts; in the environment, separated by commas."""

    def check(value: object) -> object:
        return tuple(_list_of_texts(value))

    return _declare(default, explanation, "a list of one or more texts", from_text=_split, check=check, env=env)


def networks(default: T, explanation: str, *, env: str = "") -> T:
    """A list of IP addresses and networks; in the environment, separated by commas."""

    def check(value: object) -> object:
        import ipaddress  # noqa: PLC0415 - a probe never needs it

        texts = _list_of_texts(value)
        return tuple(_wanted(text, ipaddress.ip_network(text).prefixlen > 0) for text in texts)

    allowed = "a list of one or more addresses and networks, as 10.0.0.7 and 10.1.0.0/16"
    return _declare(default, explanation, allowed, from_text=_split, check=check, env=env)


def secrets(default: T, explanation: str, *, env: str = "") -> T:
    """A list of secrets; in the environment, separated by commas."""

    def check(value: object) -> object:
        return tuple(Secret(item) for item in _list_of_texts(value))

    return _declare(
        default, explanation, "a list of one or more texts", from_text=_split, check=check, env=env, is_secret=True
    )


def secret_tables(default: T, explanation: str, read: Callable[[object], object], allowed: str) -> T:
    """A list of tables that `read` makes something of, or raises PartsError; in the environment, as JSON."""
    return _declare(default, explanation, allowed, from_text=json.loads, check=read, env="", is_secret=True)


def shown(value: object) -> str:
    """A setting's value as TOML would write it, secrets masked."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return "{" + ", ".join(f"{name} = {shown(each)}" for name, each in fields.items() if each is not None) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, Secret):
        return json.dumps(repr(value), ensure_ascii=False)
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _declare(
    default: T,
    explanation: str,
    allowed: str,
    *,
    from_text: Callable[[str], object],
    check: Callable[[object], object],
    env: str,
    is_secret: bool = False,
) -> T:
    declared = Setting(explanation, allowed, from_text, check, tuple(env.split()), is_secret)
    return dataclasses.field(default=default, metadata={"setting": declared})


def _wanted(value: object, is_allowed: bool) -> Any:
    if not is_allowed:
        raise ValueError
    return value


def _split(text: str) -> list[str]:
    return [item for item in (part.strip() for part in text.split(",")) if item]


def _list_of_texts(value: object) -> list[str]:
    is_list = isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)
    return list(_wanted(value, is_list))
