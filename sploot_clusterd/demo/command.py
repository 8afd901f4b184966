"""Puts the demo together: a Redis and a storage service for as long as it runs, the daemon, and the story."""

# ruff: noqa: T201 - a command prints

import asyncio
import contextlib
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

from sploot_clusterd import __version__, config, daemon, private_redis
from sploot_clusterd.config import Given, Settings
from sploot_clusterd.config.show import base_url
from sploot_clusterd.demo import storage
from sploot_clusterd.demo.pets import Pet, sample_pets
from sploot_clusterd.demo.storage import SampleStorage
from sploot_clusterd.demo.story import Story
from sploot_clusterd.embedded import EmbeddedRedis

TOKEN: Final = "demo-token-of-clusterd"  # noqa: S105 - it guards made-up pets, on this machine only
_HOST: Final = "127.0.0.1"
_SOURCE: Final = "clusterd demo"


def run() -> int:
    """Until Ctrl+C. Gives the daemon's exit code; raises as its parts do. Of the environment only HTTP_PORT counts."""
    with (
        tempfile.TemporaryDirectory(prefix="clusterd-demo-") as name,
        EmbeddedRedis(Path(name)),
        contextlib.closing(_bound(0)) as listener,
    ):
        settings = _settings(Path(name), listener.getsockname()[1])
        return daemon.run(settings, watch=_Demo(settings, sample_pets(), listener).run)


class _Demo:
    def __init__(self, settings: Settings, pets: list[Pet], listener: socket.socket) -> None:
        self._url = base_url(settings.http.host, settings.http.port)
        self._pets = pets
        self._listener = listener

    async def run(self, stopping: asyncio.Event) -> None:
        """A root task of the daemon."""
        print(
            f"clusterd {__version__} is ready on {self._url}, with a Redis and a storage service of its own.\n"
            f"See it in a browser: {self._url}/ui/#/pet/luna, with the token {TOKEN}",
            flush=True,
        )
        service = SampleStorage(self._pets, self._listener)
        await service.start()
        try:
            await Story(self._url, TOKEN, self._pets, stopping).tell()
            await stopping.wait()
        finally:
            await service.stop()


def _settings(directory: Path, storage_port: int) -> Settings:
    file = directory / "config.toml"  # an empty one, in place of the system's
    file.touch(mode=0o600)
    environ = {name: value for name, value in os.environ.items() if name == "HTTP_PORT"}
    asked = config.read(file, environ=environ, directory=directory)
    given = {
        "http.host": _HOST,
        "http.port": _free_port(asked.http.port),
        "http.tokens": [TOKEN],
        "metrics.enabled": False,
        "insights.url": base_url(_HOST, storage_port),
        "insights.token": storage.TOKEN,
        "service.log_level": "WARNING",
    }
    overrides = private_redis.settings_of(directory) | {key: Given(value, _SOURCE) for key, value in given.items()}
    return config.load(file, environ={}, directory=directory, overrides=overrides)


def _free_port(preferred: int) -> int:
    """That one, or any other."""
    try:
        bound = _bound(preferred)
    except OSError:
        bound = _bound(0)
    with contextlib.closing(bound):
        port: int = bound.getsockname()[1]
        return port


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
    except OSError:
        listener.close()
        raise
    return listener
