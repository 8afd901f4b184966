"""The processes by which daemons write history, to be looked at and killed."""

import psutil

MODULE = "sploot_clusterd.history.writing_child"


def writing_processes(pid: int) -> list[psutil.Process]:
    """Those of the process with this id: one, or none."""
    return [each for each in psutil.Process(pid).children() if _writes(each)]


def kill_writing(pid: int) -> None:
    """Kill -9, of the child alone."""
    for each in writing_processes(pid):
        each.kill()


def _writes(process: psutil.Process) -> bool:
    try:
        return MODULE in process.cmdline()
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return False
