"""What a store that Sentinels lead is connected to."""

import pytest

from sploot_clusterd.store import sentinel as module
from sploot_clusterd.store.gateway import Gateway


async def port_of(gateway: Gateway) -> int:
    info = await gateway.ask_server("jobs", "INFO", "server")
    return int(dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)["tcp_port"])


def new_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer serves for longer than its moment."""
    monkeypatch.setattr(module, "_ANSWER_LIVES", 0.0)
