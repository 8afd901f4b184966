"""The terminal that a process was started on, if it was."""

import os


def is_there() -> bool:
    """Whether this process has a controlling terminal. A service has none; nor has who had one, once it is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
