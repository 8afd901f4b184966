"""The tests' storage service as a process of its own, to be killed, and to be asked what it saw."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from tests.insights.storage_service import TOKEN
from tests.support.nodes import free_port
from tests.support.waiting import eventually

_ROOT = Path(__file__).parents[2]


class ServiceProcess:
    """Serves albums of a file, or so many made-up ones, as pets `pet-0`, `pet-1`, ... Restarts keep its port."""

    def __init__(self, directory: Path, albums: Path | None = None, pets: int = 20) -> None:
        self._log = directory / "storage-service.log"
        self._command = [sys.executable, "-m", "tests.insights.storage_service", "--pets", str(pets)]
        self._command += ["--albums", str(albums.absolute())] if albums else []
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self.images = 0

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        self.kill()
        await self._http.close()

    async def start(self) -> None:
        """Returns when it listens."""
        began = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            command = [*self._command, "--port", str(self._port)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=_ROOT)
        await eventually(lambda: self._log.read_bytes()[began:].endswith(b"}\n"), what="the service", timeout=60)
        told = msgspec.json.decode(self._log.read_bytes()[began:].splitlines()[-1])
        self.images = told["images"]

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def env(self, **settings: object) -> dict[str, str]:
        """Variables of a daemon that asks it; `settings` are others of the section `insights`."""
        others = {f"CLUSTERD_INSIGHTS_{name.upper()}": str(value) for name, value in settings.items()}
        return {"STORAGE_SERVICE_URL": self.url, "STORAGE_SERVICE_TOKEN": TOKEN, **others}

    async def harm(self, **faults: Any) -> None:
        """From now on it has these faults, and no others."""
        async with self._http.post(f"{self.url}/control", json=faults) as answer:
            assert answer.status == 200, await answer.text()

    async def seen(self) -> dict[str, Any]:
        """What it was asked and told."""
        async with self._http.get(f"{self.url}/control") as answer:
            return await answer.json()
