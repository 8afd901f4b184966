"""What a loop says of a Redis that is away: a line when it goes, or for another reason, and one when it is back.

Each loop tries several times a second: with a line a try, an outage of a night would fill the disk.
"""

import logging
from typing import Final

from sploot_clusterd.errors import StoreUnavailableError

log = logging.getLogger(__name__)

_BACK: Final = "redis is back"


class Outage:
    """One loop's. `waiting` is the line while Redis is away, `about` what both lines tell of the loop."""

    def __init__(self, waiting: str, **about: str) -> None:
        self._waiting = waiting
        self._about = about
        self._why = ""

    def goes_on(self, error: StoreUnavailableError) -> None:
        """Redis did not answer."""
        if error.detail != self._why:
            self._why = error.detail
            log.warning(self._waiting, extra={"data": {**self._about, "error": error.detail}})

    def over(self) -> None:
        """Redis answered."""
        if self._why:
            self._why = ""
            log.info(_BACK, extra={"data": self._about})
