"""Where settings come from: a TOML file, a .env file, the environment. Each yields the raw values it gives, by key."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from sploot_clusterd.config.access import holds_token
from sploot_clusterd.config.files import read_named, warnings_of
from sploot_clusterd.config.kinds import MASK, PartsError, shown
from sploot_clusterd.config.schema import SCHEMA, TABLES, environment_names, near_miss
from sploot_clusterd.errors import ConfigError

SYSTEM_FILE: Final = Path("/etc/sploot-clusterd/config.toml")
_OURS: Final = ("CLUSTERD_", "CLUSTER_")
_LONGEST_SHOWN: Final = 80
OWN_NAMES: Final = frozenset(name for key in SCHEMA for name in environment_names(key))
"""Every variable that is a setting."""


class Given(NamedTuple):
    """A raw value and, for people, where it stands. None takes the default back."""

    value: object
    source: str
    is_text: bool = False
    """It still has to be read as a number, a list, ..."""


def find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file: the one asked for, else $CLUSTERD_CONFIG, else the system's where there is one."""
    if path is not None:
        return path
    if named := environ.get("CLUSTERD_CONFIG"):
        return Path(named)
    return SYSTEM_FILE if SYSTEM_FILE.exists() else None


def from_toml(file: Path, problems: list[str], warnings: list[str]) -> dict[str, Given]:
    """Every key of the file. Unknown ones go to `problems`. Raises ConfigError if the file cannot be read."""
    try:
        text, info = read_named(file)
        tree = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # TOML's and UTF-8's
        raise ConfigError(f"{file}: not TOML: {error}") from None
    entries = {}
    for key, value in _leaves(tree, ""):
        if key in SCHEMA:
            entries[key] = Given(value, str(file))
        else:
            problems.append(_unknown(key, file))
    warnings += warnings_of(file, info, is_secret=any(map(_holds_secret, entries, entries.values())))
    return entries


def _holds_secret(key: str, entry: Given) -> bool:
    if key == "http.access":
        return holds_token(entry.value)
    return SCHEMA[key].secret and (
        not key.endswith(".url") or "@" in str(entry.value) or "password=" in str(entry.value)
    )


def from_environment(environ: Mapping[str, str], source: str = "") -> dict[str, Given]:
    """The settings that variables give, as texts. An empty variable counts as not set, as compose files pass those."""
    entries = {}
    for key in SCHEMA:
        name = next((name for name in environment_names(key) if environ.get(name)), None)
        if name is not None:
            entries[key] = Given(environ[name], f"{source}${name}", is_text=True)
    return entries


def misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Warnings for variables that look like ours and are none. Not refused: they may be another program's."""
    known = {"CLUSTERD_CONFIG", *OWN_NAMES}
    for name in sorted(environ):
        if name.startswith(_OURS) and name not in known and (meant := near_miss(name, known, 0.85)):
            yield f"${name} is not a setting and was ignored; did you mean ${meant}?"


def checked(entries: Mapping[str, Given], problems: list[str]) -> dict[str, object]:
    """The values as the sections hold them. What is not allowed goes to `problems`."""
    values = {}
    for key, (raw, source, is_text) in entries.items():
        setting = SCHEMA[key]
        try:
            values[key] = setting.check(setting.from_text(str(raw)) if is_text else raw)
        except PartsError as error:
            problems += (f"{key}{where} ({source}): expected {allowed}" for where, allowed in error.problems)
        except (ValueError, TypeError):
            value = MASK if setting.secret else _abridged(raw)
            problems.append(f"{key} = {value} ({source}): expected {setting.allowed}")
    return values


def dotenv_applies(file: Path, environ: Mapping[str, str], toml: Mapping[str, Given]) -> bool:
    """A .env file is a developer's: it is read in `local` only."""
    environment = environ.get("ENVIRONMENT") or toml.get("service.environment", Given("local", "")).value
    return str(environment).lower() == "local" and os.path.lexists(file)


def _leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        key = prefix + name
        if isinstance(value, dict) and key in TABLES:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _unknown(key: str, file: Path) -> str:
    if key in TABLES:
        return f"{key} ({file}): expected a table, [{key}]"
    table = key.rpartition(".")[0]
    siblings = [known for known in (*SCHEMA, *TABLES) if known.rpartition(".")[0] == table]
    meant = near_miss(key, siblings) or near_miss(key, (*SCHEMA, *TABLES))
    return f"{key} ({file}): there is no such setting" + (f"; did you mean {meant}?" if meant else "")


def _abridged(value: object) -> str:
    text = shown(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
