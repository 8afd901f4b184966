"""From the sources to one checked `Settings`."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sploot_clusterd.config import grants, redis_url, rules, sources, tokens
from sploot_clusterd.config.dotenv import read_dotenv
from sploot_clusterd.config.files import without_mark
from sploot_clusterd.config.schema import build
from sploot_clusterd.config.sections import Sections
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

    def without_tokens(self) -> "Settings":
        """The same, for who keeps it: tokens are kept as digests, or by who sends them, only."""
        http = dataclasses.replace(
            self.http, tokens=(), reader_tokens=None, producer_tokens=None, access=None, grants=()
        )
        metrics = dataclasses.replace(self.metrics, tokens=None)
        asked = dataclasses.replace(self.insights, token=None)
        return dataclasses.replace(self, http=http, metrics=metrics, insights=asked)


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
    problems = [*rules.contradictions(settings, settings.sources), *_unreadable(settings)]
    _raise(problems)
    warnings = [*settings.warnings, *rules.unverified_tls(settings, settings.sources)]
    settings = dataclasses.replace(
        settings,
        http=tokens.of_http(settings.http, warnings),
        metrics=tokens.of_metrics(settings.metrics, warnings),
        insights=tokens.of_insights(settings.insights, warnings),
    )
    warnings += rules.no_token(settings, settings.sources)
    warnings += rules.grpc_port(settings, settings.sources)
    problem, warning = rules.weak_tokens(settings, settings.sources)
    of_metrics = rules.weak_metrics_tokens(settings, settings.sources)
    _raise([*filter(None, (problem, of_metrics)), *grants.problems(settings)])
    return dataclasses.replace(settings, warnings=(*warnings, *([warning] if warning else ())))


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
    warnings: list[str] = []
    entries = sources.from_toml(file, problems, warnings) if file else {}
    dotenv = directory / ".env"
    variables: dict[str, str] = {}
    if sources.dotenv_applies(dotenv, environ, entries):
        variables, of_dotenv = read_dotenv(dotenv, sources.OWN_NAMES)
        warnings += of_dotenv
        entries |= sources.from_environment(variables, f"{dotenv}: ")
    entries |= sources.from_environment(environ)
    entries = {key: entry for key, entry in {**entries, **overrides}.items() if entry.value is not None}
    values = sources.checked(entries, problems)
    _raise(problems)
    if "history.url" in entries and "feed.enabled" not in entries:  # it is what history is written from
        values["feed.enabled"] = True
        entries["feed.enabled"] = Given(True, "as history.url is set")
    settings = build(
        Settings,
        values,
        file=file,
        sources={key: entry.source for key, entry in entries.items()},
        overrides=overrides,
        warnings=(*warnings, *sources.misspelt({**variables, **environ})),
    )
    texts = {key: str(entry.value) for key, entry in entries.items() if entry.is_text}
    several = rules.tokens_with_commas(settings, settings.sources, texts)
    return dataclasses.replace(settings, warnings=(*settings.warnings, *several))


def _unreadable(settings: Sections) -> Iterator[str]:
    """Files for TLS that are not there: at each connection they would only seem to be an outage."""
    of_url = [("redis.url", file) for file in redis_url.tls_files(settings.redis.url.reveal())]
    cas = ("redis.ssl_ca_certs", settings.redis.ssl_ca_certs), ("insights.ca_file", settings.insights.ca_file)
    for key, file in (*cas, *of_url):
        try:
            if file:
                with Path(file).open("rb") as opened:
                    without_mark(opened.read(4), file)  # OpenSSL skips a mark, and finds nothing in UTF-16
        except OSError as error:
            yield f"{key}: {file} cannot be read: {error.strerror}"
        except ConfigError as error:
            yield f"{key}: {error}"


def _raise(problems: list[str]) -> None:
    if problems:
        raise ConfigError("\n".join(problems))
