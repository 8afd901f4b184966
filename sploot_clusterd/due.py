"""Whether entries may be waiting for their due time: noted where they are put off, and where Redis is asked anyway."""


class DueEntries:
    """One process's knowledge. What another one that died has put off is seen with the stream's next figures."""

    def __init__(self) -> None:
        self.times_put_off = 0
        """How often this process put entries off."""
        self.possible = True
        """False once nothing was pending, until something is or this process puts an entry off."""

    def put_off(self) -> None:
        """This process is about to put entries off."""
        self.times_put_off += 1
        self.possible = True

    def update(self, pending: int, times_put_off: int) -> None:
        """So many entries were pending (-1: not known), asked when `times_put_off` was this number."""
        self.possible = pending != 0 or self.times_put_off != times_put_off
