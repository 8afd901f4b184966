"""Who may call: the live tokens, known only by their digests."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from aiohttp import hdrs

from sploot_clusterd.config import Secret
from sploot_clusterd.errors import ConfigError

TOKEN_HEADER: Final = "X-Internal-Token"  # noqa: S105 - a header's name


class Tokens:
    """The tokens that are live now; several while one is being replaced by another. Without any, nobody is let in.

    Digests are kept and compared, not tokens: equal lengths and bytes only, whatever a header holds.
    """

    def __init__(self, tokens: Iterable[Secret] = ()) -> None:
        """Raises ConfigError where one is empty: nothing would equal nothing."""
        self._digests: tuple[bytes, ...] = ()
        self.replace(tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def replace(self, tokens: Iterable[Secret]) -> None:
        """From now on these, and no others. Raises ConfigError as the constructor does, and then changes nothing."""
        texts = [token.reveal() for token in tokens]
        if not all(texts):
            raise ConfigError("a token is empty: give each a text")
        self._digests = tuple(map(_digest, texts))

    def slot(self, token: str | None) -> int | None:
        """The place of the live token that equals this one, or None.

        All are compared, whichever matches, so that the time taken does not tell which one did.
        """
        if token is None:
            return None
        try:
            digest = _digest(token)
        except UnicodeEncodeError:
            return None
        matching = None
        for slot, live in enumerate(self._digests):
            if hmac.compare_digest(digest, live):
                matching = slot
        return matching


def scraper_token(headers: Mapping[str, str]) -> str | None:
    """The token that a scraper presents: as callers do, or as Prometheus can (`Authorization: Bearer`)."""
    scheme, _, token = headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get(TOKEN_HEADER)


def _digest(text: str) -> bytes:
    """Header bytes that are no UTF-8 reach us as surrogates, and go back to what they were."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
