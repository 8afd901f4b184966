"""`clusterd --embedded`: the daemon on a private Redis, with a token of its own, and a word on how to try it."""

# ruff: noqa: T201 - a command prints

import asyncio
import functools
import os
import secrets
import shlex
import stat
import sys
from pathlib import Path
from typing import Final

from sploot_clusterd import __version__, config, daemon, ownership, private_redis
from sploot_clusterd.config import Given, Settings
from sploot_clusterd.config.files import without_mark
from sploot_clusterd.config.history import url_is_allowed
from sploot_clusterd.config.show import base_url
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import ConfigError, StartError
from sploot_clusterd.waiting import pause

_SOURCE: Final = "--embedded"
_WATCH_SECONDS: Final = 0.5
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_JOB: Final = (
    '{"pet_id": "pet_123", "job_id": "job_456", "reason": "insights_ready", "payload": {'
    '"image_ids": ["img_001", "img_002", "img_003"], "labels": ["Portraits", "Action Shots"], '
    '"coverage": {"portrait": 0.6, "action": 0.4}, "quality_score": 0.85}}'
)


def run(directory: Path, file: Path | None) -> int:
    """Run the daemon until it ends, then stop its Redis. Gives the daemon's exit code; raises as its parts do."""
    configured = config.read(file)
    with EmbeddedRedis(directory) as server:
        if server.mended:
            print(f"clusterd: {server.mended}", file=sys.stderr, flush=True)
        overrides = private_redis.settings_of(directory)
        token = None
        if not configured.sources.keys() & {"http.tokens", "http.token_files"}:
            token = server.directory / "token"
            overrides["http.tokens"] = Given([kept_token(token)], _SOURCE)
        overrides |= _history_beside(server.directory, configured)
        settings = config.load(file, overrides=overrides)
        if settings.sources.get("history.url") == _SOURCE:
            _migrate(private_redis.history_of(server.directory), settings)
        return daemon.run(
            settings,
            on_ready=lambda: print(welcome(settings, server, token), flush=True),
            watch=functools.partial(_watch, server),
        )


def _history_beside(directory: Path, configured: Settings) -> dict[str, Given]:
    """History in a file beside Redis' own, where what it needs is installed and nothing else is configured of it."""
    from sploot_clusterd import history  # noqa: PLC0415 - costs nothing where there is none

    url = f"sqlite:///{private_redis.history_of(directory)}"
    fed = configured.feed.enabled or "feed.enabled" not in configured.sources
    if "history.url" in configured.sources or not fed or history.missing():
        return {}
    if not url_is_allowed(url):
        print("clusterd: no history is kept, as no URL can name a file in this directory", file=sys.stderr, flush=True)
        return {}
    return {"history.url": Given(url, _SOURCE)}


def _migrate(file: Path, settings: Settings) -> None:
    """Nobody else may read the file. Raises ClusterdError for one that cannot hold history."""
    from sploot_clusterd.history.migrating import migrate  # noqa: PLC0415 - as above

    try:
        with os.fdopen(ownership.open_ours(file), "r+b") as opened:
            os.fchmod(opened.fileno(), 0o600)
    except OSError as error:
        raise StartError(f"{file}: cannot hold history ({error}); move it away, or set DATABASE_URL") from None
    migrate(settings.history)


def kept_token(file: Path) -> str:
    """The token in `file`, made at the first start. Only its owner can change it, or read it. Raises StartError."""
    try:
        with os.fdopen(ownership.open_ours(file), "r+b") as opened:
            was_open = os.fstat(opened.fileno()).st_mode & _OTHERS
            os.fchmod(opened.fileno(), 0o600)
            if token := without_mark(opened.read(), str(file)).decode().strip():
                if was_open:
                    warning = f"others could read {file} until now: delete it, and the next start makes a new token"
                    print(f"clusterd: {warning}", file=sys.stderr, flush=True)
                return token
            token = secrets.token_urlsafe(24)
            opened.seek(0)
            opened.truncate()
            opened.write(f"{token}\n".encode())
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise StartError(
            f"{file}: cannot hold the token ({error}); move it away and a new token is made, or set INTERNAL_TOKEN"
        ) from None
    return token


def welcome(settings: Settings, server: EmbeddedRedis, token: Path | None) -> str:
    """Where the daemon listens, and the commands to try. `token` is the file that holds it; None: it is configured."""
    lines = [
        f"clusterd {__version__} is ready",
        f"  data     {server.directory}",
        f"  Redis    {private_redis.url_of(server.directory)}",
    ]
    http, metrics = settings.http, settings.metrics
    if metrics.enabled:
        lines.append(f"  metrics  {_where(metrics.host, metrics.port)}")
    if http.enabled:
        lines.append(f"  HTTP     {_where(http.host, http.port)}")
        lines.append(f"  token    {f'in {token}' if token else 'as configured'}")
    if http.enabled and http.port:
        url = f"{base_url(http.host, http.port)}/internal"
        header = f"$(cat {shlex.quote(str(token))})" if token else "$INTERNAL_TOKEN"
        curl = f'curl -sS -H "X-Internal-Token: {header}"'
        lines += [
            "",
            "Submit a job, and read the pet's clusters:",
            f"  {curl} -H 'Content-Type: application/json' -d {shlex.quote(_JOB)} {url}/cluster-jobs",
            f"  {curl} {url}/pets/pet_123/clusters",
        ]
    return "\n".join([*lines, "", "Ctrl+C stops it; the data stays."])


async def _watch(server: EmbeddedRedis, stopping: asyncio.Event) -> None:
    """A root task that ends the daemon when its Redis has ended: nothing else would start one, or say so."""
    while not await pause(stopping, _WATCH_SECONDS):
        if (code := server.exit_code) is not None:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise StartError(
                f"the embedded redis-server {how}; its last words are in {server.directory / 'redis.log'}. "
                f"The data is kept: start again with --embedded {server.directory}"
            )


def _where(host: str, port: int) -> str:
    return base_url(host, port) if port else "a free port, which the log names"
