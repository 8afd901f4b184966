"""Where the primary is: at the address that the settings give, or where Sentinels say that it is now."""

from dataclasses import dataclass
from typing import Protocol

from sploot_clusterd.config import RedisSettings, redis_url
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.address import Address, Place, address_of
from sploot_clusterd.store.connection import Connection
from sploot_clusterd.store.sentinel import Sentinel, Sentinels


class Server(Protocol):
    """One that connections can be opened to."""

    async def connect(self, patience: float) -> Connection:
        """A connection that is logged in; `patience` is how many seconds it waits for a reply.

        Raises StoreUnavailableError where the server does not let us in, and what the connection raises.
        """
        ...

    def explained(self, error: Exception) -> Exception:
        """The daemon's error for what a connection came to: an error reply, or what it raised."""
        ...


class Whereabouts(Protocol):
    async def primary(self) -> Server:
        """Where the next connection is to be opened. Raises StoreUnavailableError."""
        ...

    async def followed(self) -> str:
        """Closes connections that lead to a primary of before. Host and port of the one of now; empty where there is no
        other. Raises StoreUnavailableError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Where the settings say."""

    address: Address

    async def primary(self) -> Address:
        return self.address

    async def followed(self) -> str:
        return ""


def whereabouts_of(settings: RedisSettings, metrics: Metrics) -> Whereabouts:
    location, address = redis_url.location(settings.url.reveal()), address_of(settings)
    if not location.sentinels:
        return Fixed(address)
    password = settings.sentinel_password.reveal() if settings.sentinel_password else ""
    login = settings.sentinel_username or "", password
    asked = [Sentinel.at(Place(*each), address, *login) for each in location.sentinels]
    return Sentinels(asked, location.service, address, changed=metrics.redis_primary_changes.inc)
