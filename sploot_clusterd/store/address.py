"""Where Redis is, by the settings, and how a connection to it begins."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from sploot_clusterd.config import RedisSettings, redis_url
from sploot_clusterd.store.connection import Connection, ReplyError, pack
from sploot_clusterd.store.reasons import of_failure, of_login, of_reply, of_select

_LAST_WORDS_SECONDS: Final = 1.0
_NO: Final = ("0", "no", "false")
_REQUIREMENTS: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class Place(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(slots=True, kw_only=True)
class Address:
    """One server, what to log in with, and the options of TLS, if there is to be any."""

    host: str
    port: int
    path: str
    """Of the unix socket; empty where the server has a host."""
    database: int
    username: str
    password: str = field(repr=False)
    tls: dict[str, str] | None
    connect_seconds: float
    _context: ssl.SSLContext | None = field(default=None, repr=False)

    async def connect(self, patience: float) -> Connection:
        """A connection that is logged in and answers; `patience` is how many seconds it waits for a reply.

        Raises StoreUnavailableError where the server does not let us in, and what the connection raises.
        """
        connection = await self.open(patience)
        try:
            await self._greet(connection)
        except ConnectionError as error:
            raise await self._why_it_hangs_up() or error from error
        except BaseException:
            connection.abort()
            raise
        return connection

    def explained(self, error: Exception) -> Exception:
        """The daemon's error for what a connection came to: an error reply, or what it raised."""
        return of_failure(error)

    async def open(self, patience: float) -> Connection:
        """One that is not logged in. Raises what the connection raises."""
        async with asyncio.timeout(self.connect_seconds):
            return await self._transport(asyncio.get_running_loop(), patience)

    def login(self) -> bytes:
        """The command that logs in."""
        user = (self.username,) if self.username else ()
        return pack(("AUTH", *user, self.password))

    async def _transport(self, loop: asyncio.AbstractEventLoop, patience: float) -> Connection:
        def new() -> Connection:
            return Connection(patience)

        if self.path:
            return (await loop.create_unix_connection(new, self.path))[1]
        if self.tls is None:
            return (await loop.create_connection(new, self.host, self.port))[1]
        self._context = self._context or _context(self.tls)
        try:
            return (await loop.create_connection(new, self.host, self.port, ssl=self._context))[1]
        except ssl.SSLError:
            self._context = None  # its files may be others by now
            raise

    async def _greet(self, connection: Connection) -> None:
        """One at a time: a server that refuses all we could ask says so once, and hangs up."""
        if self.username or self.password:
            (reply,) = await connection.exchange(self.login())
            if isinstance(reply, ReplyError):
                raise of_login(reply)
        if self.database:
            (reply,) = await connection.exchange(pack(("SELECT", self.database)))
            if isinstance(reply, ReplyError):
                raise of_select(reply, self.database)
        elif not (self.username or self.password):
            (reply,) = await connection.exchange(pack(("PING",)))
            if isinstance(reply, ReplyError):
                raise of_reply(reply)

    async def _why_it_hangs_up(self) -> Exception | None:
        """What it says to who says nothing: what we send may come in the way of its last words."""
        connection = await self.open(_LAST_WORDS_SECONDS)
        await connection.wait_closed()
        connection.abort()
        return connection.said


def address_of(settings: RedisSettings) -> Address:
    """What the URL says goes before what the settings beside it say. Where it names Sentinels, they know the host."""
    parts = urlsplit(redis_url.location(settings.url.reveal()).url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    secure = settings.ssl or parts.scheme == "rediss"
    password = settings.password.reveal() if settings.password else ""
    is_path = parts.scheme == "unix"
    return Address(
        host=unquote(parts.hostname or "localhost"),
        port=parts.port or redis_url.PORT,
        path=unquote(parts.path) if is_path else "",
        database=redis_url.database(settings.url.reveal()),
        username=unquote(parts.username or "") or options.get("username") or settings.username or "",
        password=unquote(parts.password or "") or options.get("password") or password,
        tls={"ssl_ca_certs": settings.ssl_ca_certs or ""} | options if secure and not is_path else None,
        connect_seconds=settings.socket_connect_timeout,
    )


def _context(options: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    required = _REQUIREMENTS[options.get("ssl_cert_reqs", "required")]
    context.check_hostname = required != ssl.CERT_NONE and options.get("ssl_check_hostname", "").lower() not in _NO
    context.verify_mode = required
    if options.get("ssl_ca_certs") or options.get("ssl_ca_path"):
        context.load_verify_locations(options.get("ssl_ca_certs") or None, options.get("ssl_ca_path") or None)
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context
