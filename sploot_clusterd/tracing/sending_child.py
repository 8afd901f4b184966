"""The process that sends spans, from within: by standard input comes what has ended, by standard output goes what
became of it.

To be started by `sending_process`. It ends a moment after its input does, when it has offered what was left: also where
the daemon was killed.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from msgspec import json, msgpack

from sploot_clusterd import garbage
from sploot_clusterd.tracing.messages import Begin, Incoming, Outcome, next_in
from sploot_clusterd.tracing.pace import Pace
from sploot_clusterd.tracing.sender import Sender


async def serve(tell: Callable[[Outcome], None]) -> None:
    """Returns when the daemon has closed its end of the pipe, or is no more."""
    messages = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(messages), sys.stdin)
    begun = await next_in(messages)
    if begun is None:
        return
    sender = Sender(msgpack.decode(begun, type=Begin), tell)
    sending = asyncio.create_task(sender.run())
    incoming, pace = Incoming(), Pace()
    while (message := await next_in(messages)) is not None:
        told = incoming.told(message)
        if told is not None:
            sender.add(told)
        await pace.step()
    _run_as(os.SCHED_OTHER)  # nobody is answered any more, and there is little time
    sending.cancel()
    await asyncio.wait({sending})
    await sender.close()


def main() -> None:
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no answer

    def tell(outcome: Outcome) -> None:
        with suppress(BrokenPipeError):  # nobody is left who counts
            os.write(answers, json.encode(outcome) + b"\n")

    garbage.look_seldom()
    _run_as(os.SCHED_IDLE)  # what others leave of the cores: with a lower priority alone this would interrupt them
    asyncio.run(serve(tell))


def _run_as(policy: int) -> None:
    """By this policy of the scheduler, if it may be asked for here."""
    with suppress(OSError):
        os.sched_setscheduler(0, policy, os.sched_param(0))


if __name__ == "__main__":
    main()
