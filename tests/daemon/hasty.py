"""The daemon that looks at its keys all the time, not every few seconds: `python -m tests.daemon.hasty`."""

import sys

from sploot_clusterd import stream_monitor
from sploot_clusterd.cli import main
from sploot_clusterd.ingest import learning

_EVERY = 0.2
"""Seconds."""

if __name__ == "__main__":
    stream_monitor._EVERY = stream_monitor._INSPECT_EVERY = _EVERY  # type: ignore[misc]
    learning._EVERY = _EVERY  # type: ignore[misc]
    sys.exit(main())
