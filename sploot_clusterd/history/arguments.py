"""The arguments of `clusterd history`, apart from what they need: parsing them takes no SQL."""

import argparse
from pathlib import Path
from typing import Final

from sploot_clusterd.subcommands import StorePath, adder

ABOUT: Final = "make history's tables, fill, check, prune and copy them, and restore a Redis that was lost from them"
EXAMPLES: Final = """examples:
  clusterd history migrate                  makes the tables, or brings them up to date
  clusterd history check                    what is there, and whether it is as it should be
  clusterd history prune                    drops what is older than history.retention_days
  clusterd history backup copy.sqlite3      copies a SQLite file while it is written to
  clusterd history backfill                 compares every pet of Redis with history, and writes what is other
  clusterd history restore                  puts albums and views back into a Redis that was lost
  clusterd history erased                   prints which pets were erased
"""
_ERASED_EXAMPLES: Final = """examples:
  clusterd history erased > erased.jsonl            before a database is put back from a backup, or every night
  clusterd history erased --apply erased.jsonl      after that, before anything else

A backup has pets that were erased since. The list names those, and when; applied, it erases them again.
"""
_BACKFILL_EXAMPLES: Final = """examples:
  clusterd history backfill

Daemons do it by themselves at their first start with a database, and after the feed had gaps. For PostgreSQL it may be
run beside them, and again; a SQLite file is written by one process, so stop the daemon that writes it.
"""
_RESTORE_EXAMPLES: Final = """examples:
  clusterd history restore
  clusterd history restore --json > restored.json

For a Redis that was lost, before its daemons and producers start: partitions, profiles, places in the order, albums and
views come back as history has them, byte for byte. What is there is left as it is: it may be broken off, and run again.
Pets of whose last versions no album was kept are named, with the jobs that their producers have to send again.
"""
_MIGRATE_EXAMPLES: Final = """examples:
  clusterd history migrate
  DATABASE_URL=postgresql://clusterd@db.internal/clusterd clusterd history migrate

Run it before the first start with history, and with each new version before its daemons. Tables only grow: daemons of
the version before go on meanwhile. It may be run again, and by several at once: they wait for each other.
"""
_CHECK_EXAMPLES: Final = """examples:
  clusterd history check
  clusterd history check --json
"""
_PRUNE_EXAMPLES: Final = """examples:
  clusterd history prune
  CLUSTERD_HISTORY_RETENTION_DAYS=30 clusterd history prune

Daemons do it by themselves, once a day. Each pet's newest version and snapshot stay, whatever their age.
"""
_BACKUP_EXAMPLES: Final = """example:
  clusterd history backup /backup/history-$(date +%F).sqlite3

For SQLite; of PostgreSQL pg_dump makes a copy. Pets that are erased later are in the copy still.
"""


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """`shared` are the options of every command."""
    action = adder(parser, shared, "action", required=True)
    action("migrate", "make the tables, or bring them up to date", _MIGRATE_EXAMPLES)
    check = action("check", "print what is there; fail where the tables are missing or too old", _CHECK_EXAMPLES)
    check.add_argument("--json", action="store_true", help="one JSON object, for machines")
    action("prune", "drop what is older than history.retention_days", _PRUNE_EXAMPLES)
    backup = action("backup", "copy a SQLite file as it is at one moment", _BACKUP_EXAMPLES)
    backup.add_argument(
        "file", type=Path, action=StorePath, metavar="FILE", help="where the copy goes; there must be none yet"
    )
    action("backfill", "bring history to what Redis has, of all pets", _BACKFILL_EXAMPLES)
    restore = action("restore", "put albums and views back into a Redis that was lost", _RESTORE_EXAMPLES)
    restore.add_argument("--json", action="store_true", help="one JSON object, for machines")
    erased = action("erased", "print which pets were erased; or erase those of such a list", _ERASED_EXAMPLES)
    erased.add_argument("--apply", type=Path, action=StorePath, metavar="FILE", help="a list that was printed before")
