"""What goes wrong between Redis and us, as the daemon's errors: each says what is to be mended.

Whatever a server, or a proxy before it, replies is a reason to wait, and to say why: only a fault of our own scripts is
one of ours.
"""

import ssl
from collections.abc import Callable, Sequence
from typing import Final

import hiredis

from sploot_clusterd.errors import BadStateError, GroupMissingError, StoreRefusesError, StoreUnavailableError
from sploot_clusterd.store.connection import ReplyError

FAILURES: Final = (OSError, hiredis.ProtocolError, ReplyError)
"""What an exchange raises; TimeoutError and ssl.SSLError are OSErrors."""
_LONGEST: Final = 200
_OTHER_NAME: Final = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""
_REFUSED_LOGIN: Final = "redis refuses our username or password"
_OF_ANY_COMMAND: Final = ("DENIED", "ERR max number of clients", "LOADING", "MASTERDOWN", "BUSY ")
"""What a server replies to a login too, whatever the password."""


class GroupExistsError(Exception):
    """The consumer group that was to be made is there."""


_MEANINGS: Final[Sequence[tuple[tuple[str, ...], Callable[[str], Exception], str]]] = (
    (("BUSYGROUP",), GroupExistsError, "{}"),
    (("NOGROUP", "UNBLOCKED"), GroupMissingError, "{}"),
    (
        ("NOAUTH",),
        StoreUnavailableError,
        "redis wants a password and we gave none: set redis.username and redis.password",
    ),
    (("WRONGPASS", "ERR invalid password", "ERR AUTH ", "ERR Client sent AUTH"), StoreUnavailableError, _REFUSED_LOGIN),
    (
        ("NOPERM",),
        StoreUnavailableError,
        "redis refuses a command to our user: see the ACL in docs/operations.md: {}",
    ),
    (
        ("DENIED",),
        StoreUnavailableError,
        "redis is in protected mode and lets nobody in from this host: set a password there: {}",
    ),
    (
        ("ERR max number of clients",),
        StoreUnavailableError,
        "redis has all the clients that its maxclients allows: raise it, or find who opens so many",
    ),
    (("LOADING",), StoreUnavailableError, "redis is still loading its data, and will answer by itself"),
    (
        ("MISCONF", "NOREPLICAS", "OOM", "READONLY", "MASTERDOWN"),
        StoreRefusesError,
        "redis refuses writes: {}",
    ),
    (("BUSY ", "TRYAGAIN", "UNKILLABLE"), StoreUnavailableError, "redis cannot answer now: {}"),
    (
        ("MOVED", "ASK", "CLUSTERDOWN", "CROSSSLOT"),
        StoreUnavailableError,
        "redis.url leads to a Redis Cluster, name a server that is in none: {}",
    ),
    (
        ("ERR unknown command", "ERR unknown subcommand", "ERR Unknown Redis command", "ERR unsupported command"),
        StoreUnavailableError,
        "redis, or a proxy before it, does not know a command that we need, or has it renamed: {}",
    ),
    (
        ("ERR Error compiling script",),
        StoreUnavailableError,
        "redis cannot read our scripts, which need Redis 7.0 or newer: {}",
    ),
    (
        ("WRONGTYPE",),
        StoreUnavailableError,
        "redis holds something of somebody else's under one of our keys: {}",
    ),
)
"""What Redis replies, by how it begins, and what is to be done about it."""
_ANY_OTHER: Final = "redis, or a proxy before it, refuses what we ask: {}"
_IN_A_SCRIPT: Final = "user_script"


def of_reply(reply: ReplyError) -> Exception:
    """The daemon's error for one that the server replied; itself if our own script failed."""
    text = str(reply)
    for prefixes, kind, reason in _MEANINGS:
        if text.startswith(prefixes):
            return kind(reason.format(_shown(text)))
    return reply if _IN_A_SCRIPT in text else StoreUnavailableError(_ANY_OTHER.format(_shown(text)))


def of_stored(reply: ReplyError) -> Exception:
    """As `of_reply`, where a value of our own making was asked for: what is not one of its kind cannot be read."""
    text = str(reply)
    return BadStateError(_shown(text)) if text.startswith("WRONGTYPE") else of_reply(reply)


def of_login(reply: ReplyError) -> Exception:
    """Without the text: a server that does not know AUTH repeats the password."""
    return of_reply(reply) if str(reply).startswith(_OF_ANY_COMMAND) else StoreUnavailableError(_REFUSED_LOGIN)


def of_select(reply: ReplyError, database: int) -> Exception:
    text = str(reply)
    if not text.startswith("ERR") or text.startswith(_OF_ANY_COMMAND):
        return of_reply(reply)
    return StoreUnavailableError(f"redis has no database {database}, name another one in redis.url: {_shown(text)}")


def of_failure(error: BaseException) -> Exception:
    """Why there was no reply, as far as we can tell."""
    match error:
        case ReplyError():
            return of_reply(error)
        case hiredis.ProtocolError():
            reason = "redis.url leads to no Redis, or to one that speaks TLS: look at its port"
        case ssl.SSLCertVerificationError(verify_code=code, verify_message=said) if code in _OTHER_NAME:
            reason = f"redis shows a certificate of another host, write one that it names in redis.url: {said}"
        case ssl.SSLCertVerificationError(verify_message=said):
            reason = f"redis shows a certificate that is not trusted, set redis.ssl_ca_certs to its CA: {said}"
        case ssl.SSLError(reason=said):
            advice = "look at the port in redis.url and the ssl_ settings' files"
            reason = f"redis and we find no common TLS, {advice}: {said}"
        case _:
            reason = "redis unavailable"
    return StoreUnavailableError(reason)


def _shown(text: str) -> str:
    """In one line, and without what we sent."""
    text = text.partition(", with args beginning")[0][:_LONGEST]
    return "".join(character if character.isprintable() else " " for character in text)
