"""The fleet's pause is seen until Redis has ended it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sploot_clusterd.store import Store
from sploot_clusterd.store.gateway import Gateway


@pytest.mark.parametrize(("left_ms", "seen"), [(1500, 1.5), (0, 0.0), (-1, None), (-2, None)])
async def test_it_is_there_in_its_last_millisecond_too(
    store: Store, monkeypatch: pytest.MonkeyPatch, left_ms: int, seen: float | None
):
    await store.pause.begin("a deploy", datetime.now(UTC) + timedelta(seconds=600))
    read_each = Gateway.read_each

    async def late(gateway: Gateway, *asked: Any) -> list[Any]:
        stored, _ = await read_each(gateway, *asked)
        return [stored, left_ms]

    monkeypatch.setattr(Gateway, "read_each", late)
    found = await store.pause.look()
    assert (found and found.seconds_left) == seen
    assert await store.pause.end() is True
