"""Who may call: the live tokens, known only by their digests."""

import hashlib
import hmac
from collections.abc import Iterable

from sploot_clusterd.config import Secret
from sploot_clusterd.errors import ConfigError


class Tokens:
    """The tokens that are live now; several while one is being replaced by another.

    Digests are compared, not tokens: equal lengths and bytes only, whatever a header holds.
    """

    def __init__(self, tokens: Iterable[Secret]) -> None:
        """Raises ConfigError where there is none, or an empty one: nothing would equal nothing."""
        self._digests: tuple[bytes, ...] = ()
        self.replace(tokens)

    def replace(self, tokens: Iterable[Secret]) -> None:
        """From now on these, and no others. Raises ConfigError as the constructor does, and then changes nothing."""
        texts = [token.reveal() for token in tokens]
        if not texts or not all(texts):
            raise ConfigError("http.tokens: at least one token is needed, and none may be empty")
        self._digests = tuple(_digest(text) for text in texts)

    def slot(self, given: str | None) -> int | None:
        """The place of the live token that `given` equals, or None.

        All are compared, whichever matches, so that the time taken does not tell which one did.
        """
        if given is None:
            return None
        try:
            digest = _digest(given)
        except UnicodeEncodeError:
            return None
        found = None
        for slot, live in enumerate(self._digests):
            if hmac.compare_digest(digest, live):
                found = slot
        return found


def _digest(text: str) -> bytes:
    """Header bytes that are no UTF-8 reach us as surrogates, and go back to what they were."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
