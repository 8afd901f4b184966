"""A daemon that begins and ceases to trace when it is told: `python -m tests.bench.toggled`, with a collector.

Two daemons differ by more than tracing costs, also where they are alike: by where their memory came to lie. So both
sides are measured of one. No production code has to know of it.
"""

import signal
import sys
from typing import Any, Final

from sploot_clusterd.cli import main
from sploot_clusterd.tracing.recorder import Recorder
from sploot_clusterd.web.routing import Endpoint

ON: Final = signal.SIGUSR1
OFF: Final = signal.SIGUSR2

_endpoints: dict[Endpoint, Any] = {}
"""Each with what traces its requests."""
_begin = Endpoint.__init__


def _begin_known(endpoint: Endpoint, *args: Any, **more: Any) -> None:
    _begin(endpoint, *args, **more)
    _endpoints[endpoint] = endpoint._traced


def _toggle(number: int, _frame: object) -> None:
    is_on = number == ON
    Recorder.is_on = is_on
    for endpoint, traced in _endpoints.items():
        endpoint._traced = traced if is_on else None


if __name__ == "__main__":
    Endpoint.__init__ = _begin_known
    for each in (ON, OFF):
        signal.signal(each, _toggle)
    sys.exit(main())
