"""Redis' protocol as far as one in the middle has to know it: where a message ends, and which command it is."""

import hiredis

from sploot_clusterd.store import scripts
from sploot_clusterd.store.script import Script

_SCRIPTS = {
    word.encode(): script.name
    for script in vars(scripts).values()
    if isinstance(script, Script)
    for word in script.words
}


def end_of(data: bytes, at: int = 0) -> int:
    """Where the message that begins at `at` ends, requests and replies alike; -1 if it is not whole yet."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return -1
    kind, end = data[at : at + 1], line + 2
    if kind == b"$" and (size := int(data[at + 1 : line])) >= 0:
        end += size + 2
        return end if end <= len(data) else -1
    if kind == b"*":
        for _ in range(int(data[at + 1 : line])):
            end = end_of(data, end)
            if end < 0:
                return -1
    return end


def name_of(request: bytes) -> str:
    """The script's name where it is one of ours, else the command's first word."""
    reader = hiredis.Reader()
    reader.feed(request)
    command = reader.gets()
    word = command[0].upper()
    if word in {b"EVALSHA", b"EVAL"}:
        return _SCRIPTS.get(command[1], word.decode())
    return word.decode()


def has_entries(reply: bytes) -> bool:
    """Whether a reply of XREADGROUP or `claim` hands something over."""
    reader = hiredis.Reader()
    reader.feed(reply)
    found = reader.gets()
    return isinstance(found, list) and bool(found) and isinstance(found[-1], list)
