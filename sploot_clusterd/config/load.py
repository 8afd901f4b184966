"""From the sources to one checked `Settings`."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sploot_clusterd.config import rules, sources
from sploot_clusterd.config.kinds import Secret
from sploot_clusterd.config.schema import build
from sploot_clusterd.config.sections import HttpSettings, Sections
from sploot_clusterd.config.sources import Given
from sploot_clusterd.errors import ConfigError

_NOTHING: Final[Mapping[str, Given]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Settings(Sections):
    """All sections, and where they came from. `Settings()` is every default."""

    file: Path | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """`section.key` to a file, a variable or an option; a key that is not there has its default."""
    overrides: Mapping[str, Given] = field(default_factory=dict, repr=False)
    """What the command line gave; it stays so over a reload."""
    warnings: tuple[str, ...] = ()
    """What an operator should read at start."""


def load(
    file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path = Path(),
    overrides: Mapping[str, Given] = _NOTHING,
) -> Settings:
    """The settings to start with: defaults, TOML, `directory`/.env (in `local`), environment, `overrides`; later wins.

    Raises ConfigError that lists everything that is unknown, of the wrong type or out of range, and then whatever
    contradicts: a line each, with the key, the value, its source and what is allowed.
    """
    settings = read(file, environ=environ, directory=directory, overrides=overrides)
    problems = list(rules.contradictions(settings, settings.sources))
    _raise(problems)
    settings = dataclasses.replace(settings, http=_with_token_files(settings.http))
    problem, warning = rules.weak_tokens(settings, settings.sources)
    _raise([problem] if problem else [])
    return dataclasses.replace(settings, warnings=(*settings.warnings, *([warning] if warning else ())))


def reload(settings: Settings) -> Settings:
    """The same sources, read again."""
    return load(settings.file, overrides=settings.overrides)


def read(
    file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path = Path(),
    overrides: Mapping[str, Given] = _NOTHING,
) -> Settings:
    """As `load`, without opening token files and without refusing contradictions: enough to find a running daemon."""
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    file = sources.find_file(file, environ)
    given = sources.from_toml(file, problems) if file else {}
    dotenv = directory / ".env"
    variables: dict[str, str] = {}
    if sources.dotenv_applies(dotenv, environ, given):
        variables = sources.from_dotenv(dotenv)
        given |= sources.from_environment(variables, f"{dotenv}: ")
    given |= sources.from_environment(environ)
    given = {key: entry for key, entry in {**given, **overrides}.items() if entry.value is not None}
    values = sources.checked(given, problems)
    _raise(problems)
    return build(
        Settings,
        values,
        file=file,
        sources={key: entry.source for key, entry in given.items()},
        overrides=overrides,
        warnings=tuple(sources.misspelt({**variables, **environ})),
    )


def _with_token_files(http: HttpSettings) -> HttpSettings:
    if not http.token_files:
        return http
    return dataclasses.replace(http, tokens=tuple(map(_token_in, http.token_files)))


def _token_in(name: str) -> Secret:
    try:
        token = Path(name).read_text(errors="surrogateescape").strip()
    except OSError as error:
        raise ConfigError(f"http.token_files: {name} cannot be read: {error.strerror}") from None
    if not token:
        raise ConfigError(f"http.token_files: {name} is empty; expected one token")
    return Secret(token)


def _raise(problems: list[str]) -> None:
    if problems:
        raise ConfigError("\n".join(problems))
