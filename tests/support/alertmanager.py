"""A real Alertmanager (Debian's) with a port and a directory of its own, and those who hear of its alerts."""

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.support.nodes import free_port
from tests.support.waiting import eventually


class Receivers:
    """Keeps the names of alerts that came by the path of each webhook."""

    def __init__(self) -> None:
        self.heard: dict[str, set[str]] = {"page": set(), "ticket": set()}
        app = web.Application()
        app.router.add_post("/{receiver}", self._hear)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        await self._runner.cleanup()

    async def _hear(self, request: web.Request) -> web.Response:
        told = await request.json()
        self.heard[request.match_info["receiver"]] |= {alert["labels"]["alertname"] for alert in told["alerts"]}
        return web.Response()


class Alertmanager:
    """Runs by the text of its settings."""

    def __init__(self, directory: Path, settings: str) -> None:
        self._directory = directory
        (directory / "alertmanager.yml").write_text(settings)
        self.url = f"http://127.0.0.1:{free_port()}"

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        with (self._directory / "alertmanager.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus-alertmanager",
                    f"--config.file={self._directory / 'alertmanager.yml'}",
                    f"--storage.path={self._directory / 'alertmanager'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        await eventually(self._is_ready, what="the Alertmanager to be ready", timeout=60)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        await self._http.close()
        self._process.terminate()
        self._process.wait(30)

    async def post(self, *labels: dict[str, str]) -> None:
        """Alerts with these labels, from now on."""
        async with self._http.post(f"{self.url}/api/v2/alerts", json=[{"labels": each} for each in labels]) as answer:
            assert answer.status == 200, await answer.text()

    async def alerts(self) -> list[dict[str, Any]]:
        async with self._http.get(f"{self.url}/api/v2/alerts") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def inhibited(self) -> set[str]:
        """The names of alerts that others silence."""
        return {each["labels"]["alertname"] for each in await self.alerts() if each["status"]["inhibitedBy"]}

    async def _is_ready(self) -> bool:
        assert self._process.poll() is None, (self._directory / "alertmanager.log").read_text()[-2000:]
        try:
            async with self._http.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False
