"""Processes of a daemon's own, to be looked at and killed: by what it writes history, by what it sends spans."""

import psutil

WRITING = "sploot_clusterd.history.writing_child"
SENDING = "sploot_clusterd.tracing.sending_child"


def children(pid: int, module: str) -> list[psutil.Process]:
    """Those of the process with this id that run `module`: one, or none."""
    return [each for each in psutil.Process(pid).children() if _runs(each, module)]


def kill_children(pid: int, module: str) -> None:
    """Kill -9, of these alone."""
    for each in children(pid, module):
        each.kill()


def _runs(process: psutil.Process, module: str) -> bool:
    try:
        return module in process.cmdline()
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return False
