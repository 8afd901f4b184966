"""`history.url`: which databases it may name, what it turns on, and what it contradicts."""

import pytest

from sploot_clusterd.config import load
from sploot_clusterd.config.history import libpq_url, sqlite_file, url_is_allowed
from sploot_clusterd.errors import ConfigError

FILES = {
    "sqlite:///history.sqlite3": "history.sqlite3",
    "sqlite:////var/lib/clusterd/h.db": "/var/lib/clusterd/h.db",
    "sqlite:///h": "h",
}
POSTGRES = {
    "postgresql://h/db": "postgresql://h/db",
    "postgres://u:p%40%25@h:5432/db?sslmode=require": "postgresql://u:p%40%25@h:5432/db?sslmode=require",
    "postgresql+asyncpg://u@h1:1,h2:2/db?target_session_attrs=read-write": (
        "postgresql://u@h1:1,h2:2/db?target_session_attrs=read-write"
    ),
    "postgresql:///db?host=/run/postgresql": "postgresql:///db?host=/run/postgresql",
    "postgresql:///?service=clusters": "postgresql:///?service=clusters",
}


@pytest.mark.parametrize("url", FILES)
def test_files(url):
    assert url_is_allowed(url)
    assert (sqlite_file(url), libpq_url(url)) == (FILES[url], None)


@pytest.mark.parametrize("url", POSTGRES)
def test_urls_of_postgresql_are_libpqs_whatever_driver_they_name(url):
    assert url_is_allowed(url)
    assert (libpq_url(url), sqlite_file(url)) == (POSTGRES[url], None)


@pytest.mark.parametrize(
    "url",
    [
        "history.sqlite3",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///dir/",
        "sqlite:///h.db?mode=ro",
        "sqlite:///a b/h.db",
        "mysql://h/db",
        "postgresql://h",
        "postgresql://h/",
        "postgresql://u:p#s@h/db",
        "postgresql://u:p%s@h/db",
        "postgresql://[::1/db",
        "postgresql://h/db\n",
    ],
)
def test_what_is_refused_is_told_without_the_url(tmp_path, url):
    with pytest.raises(ConfigError, match=r"history\.url = \*+ .*expected sqlite:///file") as refused:
        load(environ={"DATABASE_URL": url + " x" if url.endswith("\n") else url}, directory=tmp_path)
    assert "u:p" not in str(refused.value)


def test_it_turns_the_feed_on(tmp_path):
    settings = load(environ={"DATABASE_URL": "sqlite:///h.db", "INTERNAL_TOKEN": "x" * 16}, directory=tmp_path)
    assert settings.feed.enabled
    assert settings.sources["feed.enabled"] == "as history.url is set"
    with pytest.raises(ConfigError, match=r"history.url = .*\$DATABASE_URL.*feed.enabled = false .*\$FEED_ENABLED"):
        load(environ={"DATABASE_URL": "sqlite:///h.db", "FEED_ENABLED": "no"}, directory=tmp_path)


def test_a_pooler_is_postgresqls(tmp_path):
    for url in ("", "sqlite:///h.db"):
        with pytest.raises(ConfigError, match=r"history\.pooler"):
            load(environ={"CLUSTERD_HISTORY_POOLER": "1", "DATABASE_URL": url}, directory=tmp_path)
