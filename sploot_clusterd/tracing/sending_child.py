"""The process that sends spans, from within: by standard input comes what has ended, by standard output goes what
became of it.

To be started by `sending_process`. It ends a moment after its input does, when it has offered what was left: also where
the daemon was killed. One thread reads and encodes, another one sends.
"""

import os
import sys
import threading
from contextlib import suppress

from msgspec import json, msgpack

from sploot_clusterd import garbage
from sploot_clusterd.tracing.messages import Begin, Incoming, Outcome, messages_in
from sploot_clusterd.tracing.pace import Pace
from sploot_clusterd.tracing.sender import Sender


def main() -> None:
    """Returns when the daemon has closed its end of the pipe, or is no more."""
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no answer

    def tell(outcome: Outcome) -> None:
        with suppress(BrokenPipeError):  # nobody is left who counts
            os.write(answers, json.encode(outcome) + b"\n")

    garbage.look_seldom()
    _run_as(os.SCHED_IDLE)  # what others leave of the cores: with a lower priority alone this would interrupt them
    messages = messages_in(sys.stdin.buffer)
    begun = next(messages, None)
    if begun is None:
        return
    sender = Sender(msgpack.decode(begun, type=Begin), tell)
    incoming, pace = Incoming(), Pace()
    for message in messages:
        told = incoming.told(message)
        if told is not None:
            sender.add(told)
        pace.step()
    _run_as(os.SCHED_OTHER)  # nobody is answered any more, and there is little time
    sender.close()


def _run_as(policy: int) -> None:
    """By this policy of the scheduler, if it may be asked for here: all threads, and those that they start."""
    for thread in threading.enumerate():
        with suppress(OSError):
            os.sched_setscheduler(thread.native_id or 0, policy, os.sched_param(0))


if __name__ == "__main__":
    main()
