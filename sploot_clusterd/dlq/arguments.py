"""The arguments of `clusterd dlq`, apart from what they need: the command line is parsed without redis or numpy."""

# ruff: noqa: PLC0415 - a probe must not pay for what it does not use

import argparse
import contextlib
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, get_args

from sploot_clusterd.errors import Reason
from sploot_clusterd.subcommands import adder

if TYPE_CHECKING:
    from sploot_clusterd.entry_ids import LetterId

ABOUT: Final = "look at the dead letters, put their jobs back into the stream, delete them"
EXAMPLES: Final = """examples:
  clusterd dlq list --since 2h              what was set aside in the last two hours, the oldest first
  clusterd dlq show 1761827696789-0         one letter whole
  clusterd dlq replay --reason max_attempts --dry-run
  clusterd dlq drop --pet pet_123
"""
_LIST_EXAMPLES: Final = """examples:
  clusterd dlq list --reason dimension --limit 20
  clusterd dlq list --json --since 2025-10-30T12:00:00Z --until 2025-10-30T13:00:00Z
"""
_SHOW_EXAMPLES: Final = """example:
  clusterd dlq show 1761827696789-0
"""
_PUT_BACK_EXAMPLES: Final = """examples:
  clusterd dlq replay 1761827696789-0       this one
  clusterd dlq replay --reason max_attempts --since 1d --rate 20
  clusterd dlq replay --all --dry-run       how many there are, by reason
"""
_DROP_EXAMPLES: Final = """examples:
  clusterd dlq drop 1761827696789-0         this one
  clusterd dlq drop --reason malformed --until 7d
  clusterd dlq drop --all --dry-run         how many there are, by reason
"""

_AGE: Final = r"(\d{1,9})([smhd])"
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MOMENT: Final = "an ISO time (UTC where it names no zone), or an age like 2h (s, m, h, d)"


def add_arguments(
    parser: argparse.ArgumentParser, shared: argparse.ArgumentParser, rate: Callable[[str], float]
) -> None:
    """`shared` are the options of every command; `rate` reads a number of letters a second."""
    action = adder(parser, shared, "action", required=True)
    list_ = action("list", "print a line for each dead letter, the oldest first", _LIST_EXAMPLES)
    list_.add_argument("--json", action="store_true", help="a JSON object a line, all fields but the payload")
    show = action("show", "print one dead letter whole", _SHOW_EXAMPLES)
    show.add_argument("id", type=_letter_id, metavar="ID", help="its id, as list shows it")
    about = "put jobs back, each at its first place in the order; the letter goes"
    replay = action("replay", about, _PUT_BACK_EXAMPLES)
    replay.add_argument(
        "--rate", type=rate, default=100.0, help="letters a second; 0: as fast as it goes (default: %(default)g)"
    )
    drop = action("drop", "delete dead letters for good", _DROP_EXAMPLES)
    for each in (replay, drop):
        each.add_argument("ids", nargs="*", type=_letter_id, metavar="ID", help="these, in place of filters")
        each.add_argument("--all", action="store_true", help="every letter, where no filter is given")
        each.add_argument("--dry-run", action="store_true", help="count what is meant, and change nothing")
    for each in (list_, replay, drop):
        _add_filters(each)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason", action="append", choices=get_args(Reason), help="only this reason; may be given again"
    )
    parser.add_argument("--pet", action="append", metavar="PET_ID", help="only this pet; may be given again")
    parser.add_argument("--since", type=_moment, metavar="TIME", help=f"set aside then or later: {_MOMENT}")
    parser.add_argument("--until", type=_moment, metavar="TIME", help="set aside then or before")
    parser.add_argument("--limit", type=_limit, metavar="N", help="at most so many, the oldest first")


def mistake(args: argparse.Namespace) -> str | None:
    """What is wrong with a choice of letters, for what cannot be taken back takes a clear word."""
    if args.action == "show":
        return None
    if args.since is not None and args.until is not None and args.since > args.until:
        return f"dlq {args.action}: --since is later than --until: no letter can be meant"
    if args.action == "list":
        return None
    filtered = any((args.reason, args.pet, args.since is not None, args.until is not None, args.limit))
    if bool(args.ids) + filtered + args.all == 1:
        return None
    return f"dlq {args.action}: give one of these: ids, filters, --all"


def _limit(text: str) -> int:
    with contextlib.suppress(ValueError):
        if (limit := int(text)) >= 1:
            return limit
    raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of 1 or more")


def _moment(text: str) -> int:
    """A time, or an age before now; in milliseconds since 1970."""
    if age := re.fullmatch(_AGE, text):
        return max(0, int((time.time() - int(age[1]) * _UNITS[age[2]]) * 1000))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("expected a time like 2025-10-30T12:00:00Z, or an age like 2h") from None
    return max(0, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000))


def _letter_id(text: str) -> "LetterId":
    from sploot_clusterd.entry_ids import LetterId

    try:
        return LetterId.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "expected an id like 1761827696789-0 or 3:1761827696789-0, as `clusterd dlq list` shows it"
        ) from None
