"""Whether entries may be waiting for their due time: noted where they are put off, and where Redis is asked anyway."""


class Due:
    """One process's knowledge. What another one that died has put off is seen with the stream's next figures."""

    def __init__(self) -> None:
        self.put_off = 0
        """How often this process put entries off."""
        self.may_be = True
        """False once nothing was pending, until something is or this process puts an entry off."""

    def later(self) -> None:
        """Entries were put off."""
        self.put_off += 1
        self.may_be = True

    def seen(self, pending: int, put_off: int) -> None:
        """So many entries were pending (-1: not known), asked when `put_off` was this number."""
        self.may_be = pending != 0 or self.put_off != put_off
