"""Whether processes are still there."""

import psutil


def has_ended(process: psutil.Process) -> bool:
    """Also one that nobody has waited for yet, or that ends while it is looked at."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
