"""Readers first: what computes asks here whether requests are being answered, and gives way to them."""


class Traffic:
    """Counts requests between their head and their answer. The event loop's own; another thread may look."""

    def __init__(self) -> None:
        self.under_way = 0
