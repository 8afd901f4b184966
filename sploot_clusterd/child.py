"""A process of the daemon's own: Python beneath it, asked by one pipe and answering by another."""

import os
import signal
import subprocess
import sys
from typing import Final, TypeAlias

_NOT_FOR_IT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A terminal and systemd send these to all processes of a service. A child ends when its input does, so with the daemon
at the latest.
"""

Child: TypeAlias = subprocess.Popen[bytes]


def started(module: str, **variables: str) -> Child:
    """Runs `module`, which finds its imports where this process does, with these environment variables and our own.
    Blocks for some milliseconds.

    Raises OSError if there can be no process. Signals for the daemon never reach it: it inherits that they are blocked,
    so that none ends it, not even before its first line.
    """
    command = [sys.executable, "-P", "-s", "-m", module]
    env = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_IT)
    try:
        return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
