"""What a daemon imported is not looked through for garbage, parts that settings turn on among it."""

import asyncio
import os
import sys
from pathlib import Path

from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.migrating import migrate
from tests.faults.fleet import Fleet

_TELLING = """
import gc, os, signal, sys
from sploot_clusterd import config, daemon

def tell():
    gone_through = {*map(id, gc.get_objects())}
    for name in ("sqlalchemy", "opentelemetry.sdk.trace"):
        print(name, id(vars(sys.modules[name])) in gone_through, gc.get_threshold()[0] > 10_000, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

sys.exit(daemon.run(config.load(None), on_ready=tell))
"""


async def test_what_is_imported_stays_out_of_collections_with_history_and_tracing_too(directory: Path):
    url = f"sqlite:///{directory}/history.sqlite3"
    migrate(HistorySettings(url=SecretUrl(url)))
    async with Fleet(directory, daemons=0) as fleet:
        told = {"REDIS_URL": fleet.redis_url, "DATABASE_URL": url, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
        off = {"HTTP_ENABLED": "false", "WORKER_METRICS_ENABLED": "false"}
        command = (sys.executable, "-c", _TELLING)
        process = await asyncio.create_subprocess_exec(
            *command, cwd=directory, env={**os.environ, **told, **off}, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        lines = [line for line in printed.decode().splitlines() if not line.startswith("{")]
        assert lines == ["sqlalchemy False True", "opentelemetry.sdk.trace False True"]
        assert process.returncode == 0
