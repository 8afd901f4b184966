"""Readers first: what computes looks here whether requests are being answered, and gives way to them."""


class InFlight:
    """Counts requests between their head and their answer. The event loop's own; another thread may look."""

    def __init__(self) -> None:
        self.count = 0
