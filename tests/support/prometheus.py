"""A real Prometheus (Debian's) with a port and a directory of its own."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.support.nodes import free_port
from tests.support.waiting import wait_until


class Prometheus:
    """Scrapes the targets (`host:port`) every second under the job `clusterd`."""

    def __init__(self, directory: Path, targets: Sequence[str]) -> None:
        self._directory = directory
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "clusterd", "static_configs": [{"targets": list(targets)}]}],
        }
        (directory / "prometheus.yml").write_text(json.dumps(config))
        self.url = f"http://127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._directory / 'tsdb'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._is_ready, what="Prometheus to be ready", timeout=60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(30)

    def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Each series of an instant query with its value."""
        answer = self._get(f"/api/v1/query?{urlencode({'query': expression})}")
        return [(series["metric"], float(series["value"][1])) for series in answer["result"]]

    def values(self, label: str, series: str) -> list[str]:
        """As a dashboard's `label_values` asks."""
        return self._get(f"/api/v1/label/{label}/values?{urlencode({'match[]': series})}")

    def _get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=10) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["data"]

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, (self._directory / "prometheus.log").read_text()[-2000:]
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False
