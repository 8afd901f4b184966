"""Who may call, and what for: the live tokens, known only by their digests, and what each is good for."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import hdrs, web

from sploot_clusterd.config import ALL_SCOPES, Grant, Scope, Secret
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.web.answers import RefusedError

if TYPE_CHECKING:
    from sploot_clusterd.web.connection import Connection

TOKEN_HEADER: Final = "X-Internal-Token"  # noqa: S105 - a header's name

_SIGNED: Final = b"session "
"""What a digest signs is good for this alone."""


class Caller(NamedTuple):
    """Whom a token, or a proxy, stands for."""

    slot: str
    """What figures count it by: the place of a token that is good for all; the name and the place of another one, or
    the name alone where a proxy named its user.
    """
    scopes: frozenset[Scope]
    actor: str
    """Who is said to have done something: a proxy's user by the identity that the settings know."""


NOBODY: Final = Caller("", frozenset(), "")


class Tokens:
    """The tokens that are live now; several while one is being replaced by another. Without any, nobody is let in.

    Digests are kept and compared, not tokens: equal lengths and bytes only, whatever a header holds.
    """

    def __init__(self, tokens: Iterable[Secret] = (), grants: Iterable[Grant] = ()) -> None:
        """`tokens` are good for everything. Raises ConfigError where one is empty: nothing would equal nothing."""
        self._callers: tuple[tuple[bytes, Caller], ...] = ()
        self._identities: dict[str, Caller] = {}
        self.replace(tokens, grants)

    def __bool__(self) -> bool:
        return bool(self._callers)

    def replace(self, tokens: Iterable[Secret], grants: Iterable[Grant] = ()) -> None:
        """From now on these, and no others. Raises ConfigError as the constructor does, and then changes nothing."""
        callers = [(token, Caller(str(n), ALL_SCOPES, f"token {n}")) for n, token in enumerate(tokens)]
        identities: dict[str, Caller] = {}
        for grant in grants:
            identities |= {each: Caller(grant.name, grant.scopes, f"{grant.name}/{each}") for each in grant.identities}
            slots = ((each, f"{grant.name}/{n}") for n, each in enumerate(grant.tokens))
            callers += ((each, Caller(slot, grant.scopes, slot)) for each, slot in slots)
        if not all(token.reveal() for token, _ in callers):
            raise ConfigError("a token is empty: give each a text")
        self._identities = identities
        self._callers = tuple((_digest(token.reveal()), caller) for token, caller in callers)

    def caller(self, token: str | None) -> Caller | None:
        """Whose live token equals this one, or None.

        All are compared, whichever matches, so that the time taken does not tell which one did.
        """
        if token is None:
            return None
        try:
            digest = _digest(token)
        except UnicodeEncodeError:
            return None
        matching = None
        for live, caller in self._callers:
            if hmac.compare_digest(digest, live):
                matching = caller
        return matching

    def sign(self, token: str, message: bytes) -> str | None:
        """A signature that only who knows this live token, or its digest, can make; None if it is not live.

        It is good until the token is not live any more, in every process that has the token.
        """
        if self.caller(token) is None:
            return None
        return _signature(_digest(token), message)

    def signer(self, message: bytes, signature: str) -> Caller | None:
        """Whose live token signed the message so, or None; in the same time whichever it was."""
        matching = None
        for live, caller in self._callers:
            if hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), _signature(live, message).encode()):
                matching = caller
        return matching

    def known(self, identities: Iterable[str]) -> Caller | None:
        """Who has any of the identities, with what all of them together are good for."""
        callers = [caller for each in identities if (caller := self._identities.get(each))]
        if not callers:
            return None
        first, *_ = callers
        return first._replace(scopes=first.scopes.union(*(caller.scopes for caller in callers)))


def may(request: web.BaseRequest, scope: Scope) -> bool:
    """Whether the request's caller has the scope: for what only a body tells to be wanted."""
    connection: Connection = request.protocol  # type: ignore[assignment]  # as the server makes them
    return scope in connection.caller.scopes


def actor_of(request: web.BaseRequest) -> str:
    """Who asks, as the audit and what was said name it."""
    connection: Connection = request.protocol  # type: ignore[assignment]  # as the server makes them
    return connection.caller.actor


def missing(scope: Scope | None, wherefore: str = "") -> RefusedError:
    """What a caller gets who is known, and has not the scope."""
    return RefusedError(403, f"missing scope: {scope}{wherefore}")


def scraper_token(headers: Mapping[str, str]) -> str | None:
    """The token that a scraper presents: as callers do, or as Prometheus can (`Authorization: Bearer`)."""
    scheme, _, token = headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get(TOKEN_HEADER)


def _digest(text: str) -> bytes:
    """Header bytes that are no UTF-8 reach us as surrogates, and go back to what they were."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _signature(key: bytes, message: bytes) -> str:
    return hmac.digest(key, _SIGNED + message, "sha256").hex()
