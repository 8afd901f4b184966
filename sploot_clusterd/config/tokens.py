"""Tokens as they are set, or as they stand in files."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sploot_clusterd.config import insights
from sploot_clusterd.config.access import Grant, Scope
from sploot_clusterd.config.files import read_named, warnings_of
from sploot_clusterd.config.http import HttpSettings
from sploot_clusterd.config.insights import InsightsSettings
from sploot_clusterd.config.kinds import Secret
from sploot_clusterd.config.sections import MetricsSettings
from sploot_clusterd.errors import ConfigError

_READ: Final[frozenset[Scope]] = frozenset({"read"})
_SUBMIT: Final[frozenset[Scope]] = frozenset({"submit"})


def of_http(http: HttpSettings, warnings: list[str]) -> HttpSettings:
    """With the tokens of files, and who else may what. Raises ConfigError for a file that cannot be used."""
    http = dataclasses.replace(
        http,
        tokens=_in_files(http.token_files, "http.token_files", warnings) or http.tokens,
        reader_tokens=_in_files(http.reader_token_files, "http.reader_token_files", warnings) or http.reader_tokens,
        producer_tokens=_in_files(http.producer_token_files, "http.producer_token_files", warnings)
        or http.producer_tokens,
    )
    return dataclasses.replace(http, grants=tuple(_grants(http, warnings)))


def of_metrics(metrics: MetricsSettings, warnings: list[str]) -> MetricsSettings:
    """As `of_http`."""
    tokens = _in_files(metrics.token_files, "metrics.token_files", warnings) or metrics.tokens
    return dataclasses.replace(metrics, tokens=tokens)


def of_insights(section: InsightsSettings, warnings: list[str]) -> InsightsSettings:
    """As `of_http`."""
    key, file = "insights.token_file", section.token_file
    if file is None:
        return section
    tokens = _in_file(file, key, warnings)
    if len(tokens) > 1:
        raise ConfigError(f"{key}: {file} has {len(tokens)} lines; expected one token")
    if not re.fullmatch(insights.TOKEN_PATTERN, tokens[0].reveal()):
        raise ConfigError(f"{key}: the token in {file}: expected {insights.TOKEN_ALLOWED}")
    return dataclasses.replace(section, token=tokens[0])


def _grants(http: HttpSettings, warnings: list[str]) -> Iterator[Grant]:
    """Those that have anybody."""
    if http.reader_tokens:
        yield Grant("http.reader_tokens", "reader", _READ, http.reader_tokens)
    if http.producer_tokens:
        yield Grant("http.producer_tokens", "producer", _SUBMIT, http.producer_tokens)
    for n, access in enumerate(http.access or ()):
        key, scopes = f"http.access[{n}]", frozenset(access.scopes)
        if access.token_file:
            tokens = _in_file(access.token_file, f"{key}.token_file", warnings)
        else:
            tokens = (access.token,) if access.token else ()
        yield Grant(key, access.name, scopes, tokens, access.identities or ())


def _in_files(files: tuple[str, ...] | None, key: str, warnings: list[str]) -> tuple[Secret, ...]:
    return tuple(token for file in files or () for token in _in_file(file, key, warnings))


def _in_file(file: str, key: str, warnings: list[str]) -> tuple[Secret, ...]:
    try:
        text, info = read_named(Path(file), "surrogateescape")
    except OSError as error:
        raise ConfigError(f"{key}: {file} cannot be read: {error.strerror}") from None
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None
    warnings += (f"{key}: {warning}" for warning in warnings_of(Path(file), info, is_secret=True))
    tokens = tuple(Secret(line.strip()) for line in text.splitlines() if line.strip())
    if not tokens:
        raise ConfigError(f"{key}: {file} is empty; expected a token a line")
    return tokens
