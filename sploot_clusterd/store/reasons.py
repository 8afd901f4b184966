"""What goes wrong between Redis and us, as the daemon's errors: each says what is to be mended.

Whatever a server, or a proxy before it, replies is a reason to wait, and to say why.
"""

import re
import ssl
from typing import Final, NamedTuple

import hiredis

from sploot_clusterd.errors import (
    BadStateError,
    GroupMissingError,
    NoPermissionError,
    PartitionMovedError,
    StoreRefusesError,
    StoreUnavailableError,
)
from sploot_clusterd.store.connection import ReplyError

FAILURES: Final = (OSError, UnicodeError, hiredis.ProtocolError, ReplyError)
"""What an exchange raises, and opening a connection; TimeoutError and ssl.SSLError are OSErrors."""
_LONGEST: Final = 200
_NOT_SHOWN: Final = re.compile(", with args beginning| script: [0-9a-f]{40}, on @")
_OTHER_NAME: Final = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""


class GroupExistsError(Exception):
    """The consumer group that was to be made is there."""


class Meaning(NamedTuple):
    """Of error replies that begin with one of these. In the reason, {} is the reply."""

    begins: tuple[str, ...]
    reason: str
    error: type[Exception] = StoreUnavailableError


MEANINGS: Final = (
    Meaning(("BUSYGROUP",), "{}", GroupExistsError),
    Meaning(("NOGROUP", "ERR no such key"), "{}", GroupMissingError),
    Meaning(
        ("LAYOUT",),
        "the number of partitions changes, and this pet's partition is in motion: try again",
        PartitionMovedError,
    ),
    Meaning(("UNBLOCKED",), "redis ended a read, as it or the stream is not what it was: {}"),
    Meaning(("MISCONF", "NOREPLICAS", "OOM", "READONLY", "MASTERDOWN"), "redis refuses writes: {}", StoreRefusesError),
    Meaning(
        ("NOAUTH", "ERR Protocol error: unauthenticated"),
        "redis wants a password and got none: set redis.username and redis.password",
    ),
    Meaning(("WRONGPASS",), "redis refuses our username or password"),
    Meaning(
        ("NOPERM", "ERR ACL failure"),
        "redis refuses a command to our user: see the ACL in docs/operations.md: {}",
        NoPermissionError,
    ),
    Meaning(("DENIED",), "redis is in protected mode, which lets nobody in from other hosts: set a password there: {}"),
    Meaning(("ERR max number of clients",), "redis has as many clients as its maxclients allows: raise that: {}"),
    Meaning(("LOADING",), "redis is loading its data, and will answer by itself: {}"),
    Meaning(("BUSY ", "TRYAGAIN", "UNKILLABLE"), "redis cannot answer now: {}"),
    Meaning(
        ("MOVED", "ASK", "CLUSTERDOWN", "CROSSSLOT"),
        "redis.url leads to a Redis Cluster: set redis.cluster = true, or name a server that is in none: {}",
    ),
    Meaning(
        (
            *("ERR unknown command", "ERR unknown subcommand", "ERR Unknown subcommand", "ERR unsupported command"),
            *("ERR Unknown Redis command", "ERR This Redis command is not allowed"),
        ),
        "redis lacks a command that we need: it is too old, or it or a proxy before it hides it: {}",
    ),
    Meaning(("ERR Error compiling script",), "redis cannot read our scripts: 7.0 or newer is needed: {}"),
    Meaning(("ERR The stream has exhausted",), "a stream of ours has used its last id: {}"),
    Meaning(("WRONGTYPE",), "redis holds something else under a key of ours, move that away: {}"),
)
"""What Redis replies, and what is to be done about it."""
CLUSTER_MEANINGS: Final = (
    Meaning(("TRYAGAIN",), "the slot is being moved to another node, and is served again when it is there: {}"),
    Meaning(("CLUSTERDOWN",), "the cluster does not serve the slot: {}"),
    Meaning(("MOVED", "ASK"), "the cluster's nodes do not agree yet on who serves the slot: {}"),
    Meaning(("CROSSSLOT",), "a cluster refuses keys of several slots in one call, report it: {}"),
)
"""As MEANINGS, of what only nodes of a cluster reply, with redis.cluster."""
_NO_PRIMARY: Final = ("UNBLOCKED", "READONLY", "MASTERDOWN", "LOADING", "NOREPLICAS")
"""What a server replies that is not the primary, not yet, or not for long: it is to be looked for."""
_FAILED_SCRIPT: Final = "user_script"
_OF_ANYTHING: Final = ("DENIED", "ERR max number of clients", "LOADING", "MASTERDOWN", "BUSY ", "CLUSTERDOWN")
"""What a server may reply to a login too, whatever the password."""


def leads_elsewhere(reply: ReplyError) -> bool:
    """Whether the primary may be another one by now: nothing was done, and a new connection finds it."""
    return str(reply).startswith(_NO_PRIMARY)


def of_reply(reply: ReplyError) -> Exception:
    """The daemon's error for one that the server replied."""
    text = str(reply)
    for begins, reason, error in MEANINGS:
        if text.startswith(begins):
            return error(reason.format(_shown(text)))
    if _FAILED_SCRIPT in text:
        return StoreUnavailableError(f"a script of ours failed on what redis holds, report it: {_shown(text)}")
    return StoreUnavailableError(f"redis, or a proxy before it, refuses what we ask: {_shown(text)}")


def of_stored(reply: ReplyError) -> Exception:
    """As `of_reply`, where what is stored of a pet or an encoder was asked for: it concerns only that one."""
    text = str(reply)
    known = text.startswith(tuple(begin for meaning in MEANINGS for begin in meaning.begins))
    if text.startswith("WRONGTYPE") or (_FAILED_SCRIPT in text and not known):
        return BadStateError(_shown(text))
    return of_reply(reply)


def of_login(reply: ReplyError) -> Exception:
    """Without the text: a server that does not know AUTH repeats the password."""
    if str(reply).startswith(_OF_ANYTHING):
        return of_reply(reply)
    return StoreUnavailableError("redis refuses our username or password")


def of_select(reply: ReplyError, database: int) -> Exception:
    text = str(reply)
    if not text.startswith("ERR ") or text.startswith(_OF_ANYTHING):
        return of_reply(reply)
    return StoreUnavailableError(f"redis has no database {database}, name another one in redis.url: {_shown(text)}")


def of_failure(error: Exception) -> Exception:
    """Why there was no reply, as far as we can tell."""
    match error:
        case ReplyError():
            return of_reply(error)
        case ssl.SSLError():
            return _of_tls(error)
        case hiredis.ProtocolError():
            return StoreUnavailableError("redis.url leads to no Redis, or to one that speaks TLS: look at its port")
        case UnicodeError():
            return StoreUnavailableError("redis.url names a host that cannot be one: mend it")
    return StoreUnavailableError()


def of_sentinel(error: Exception) -> str:
    """Why a Sentinel does not tell where the primary is: what follows its address in a reason."""
    match error:
        case ReplyError():
            return _of_sentinels_reply(str(error))
        case ssl.SSLError():
            return _of_tls(error).detail
        case hiredis.ProtocolError():
            return "no sentinel, or one that speaks TLS"
        case UnicodeError():
            return "no host can be called so"
    return "no answer"


def _of_sentinels_reply(text: str) -> str:
    if text.startswith(("NOAUTH", "WRONGPASS", "NOPERM")):
        return "does not let us in, look at redis.sentinel_username and redis.sentinel_password"
    if text.startswith("ERR unknown command"):
        return "another server than a sentinel"
    return _shown(text)


def _of_tls(error: ssl.SSLError) -> StoreUnavailableError:
    match error:
        case ssl.SSLCertVerificationError(verify_code=code, verify_message=said) if code in _OTHER_NAME:
            return StoreUnavailableError(
                f"redis shows a certificate of another host, write one that it names in redis.url: {said}"
            )
        case ssl.SSLCertVerificationError(verify_message=said):
            return StoreUnavailableError(
                f"redis shows a certificate that is not trusted, set redis.ssl_ca_certs to its CA: {said}"
            )
    return StoreUnavailableError(
        f"redis and we find no common TLS, look at the port in redis.url and the ssl_ settings' files: {error.reason}"
    )


def _shown(text: str) -> str:
    """In one line, without what we sent and where in a script it was."""
    text = re.split(_NOT_SHOWN, text, maxsplit=1)[0][:_LONGEST]
    return "".join(character if character.isprintable() else " " for character in text)
