"""What handlers find in a request: typed keys, and what this room wants of a store."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from aiohttp import web

from sploot_clusterd.config import HttpSettings, LimitsSettings
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web.etags import Etags


class Views(Protocol):
    """The web's half of the store. Every method may raise StoreUnavailableError."""

    async def view(self, pet_id: str) -> bytes | None: ...

    async def submit(self, payload: bytes) -> None:
        """Takes an envelope's bytes. Raises BacklogFullError where no more jobs are taken."""

    async def submit_all(self, payloads: Sequence[bytes]) -> Sequence[Exception | None]:
        """Takes envelopes in their order. For each None, or why it was not taken: after the first such one none is."""

    async def has_album(self, pet_id: str) -> bool:
        """Whether a job of the pet was ever applied, and the pet not erased since."""

    async def invalidate(self, pet_id: str) -> bool:
        """True if there was a view."""

    async def erase(self, pet_id: str) -> bool:
        """True if there was anything of the pet."""

    async def ping(self) -> float:
        """Milliseconds of a round trip."""


Found = dict[web.RequestKey[Any] | str, Any]
"""What a request holds."""
STORE: Final = web.RequestKey("store", Views)
HTTP: Final = web.RequestKey("http", HttpSettings)
LIMITS: Final = web.RequestKey("limits", LimitsSettings)
HEALTH: Final = web.RequestKey("health", Health)
DECODING: Final = web.RequestKey("decoding", asyncio.Lock)
METRICS: Final = web.RequestKey("metrics", Metrics)
ETAGS: Final = web.RequestKey("etags", Etags)
PET_ID: Final = web.RequestKey("pet_id", str)
"""The path's parameter, as it came."""
