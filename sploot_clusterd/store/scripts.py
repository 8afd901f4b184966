"""The Lua scripts: each in a file of its own in `lua/`, whose header names keys, arguments and replies."""

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from sploot_clusterd.store.asking import ask, ask_all

Argument = bytes | str | int
# No flag to go on when memory is out: Redis then refuses the script before it starts instead of half way through.
_SHEBANG: Final = "#!lua\n"
_READS_ONLY: Final = "#!lua flags=no-writes\n"


class Script:
    """One script, called by its digest; its text is sent when the server does not know it (any more)."""

    def __init__(self, name: str, *, writes: bool = True) -> None:
        folder = resources.files(__package__) / "lua"
        prelude, body = ((folder / f"{part}.lua").read_text() for part in ("_prelude", name))
        self.name = name
        self._text = (_SHEBANG if writes else _READS_ONLY) + prelude + body
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, client: Redis, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """The script's reply. Raises what Redis or the connection raises."""
        tail = (len(keys), *keys, *arguments)
        try:
            return await ask(client, "EVALSHA", self._sha, *tail)
        except NoScriptError:
            return await ask(client, "EVAL", self._text, *tail)

    async def pipelined(self, client: Redis, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """The replies of many calls in one round trip, in order; a call that Redis refused has its error in place.

        Raises only what ends the connection: then any of the calls may or may not have happened.
        """
        tails = [(len(keys), *keys, *arguments) for keys, arguments in calls]
        replies = await ask_all(client, [("EVALSHA", self._sha, *tail) for tail in tails])
        unknown = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:  # nothing of these ran, so sending them again cannot do them twice
            again = await ask_all(client, [("EVAL", self._text, *tails[n]) for n in unknown])
            for n, reply in zip(unknown, again, strict=True):
                replies[n] = reply
        return replies


SUBMIT: Final = Script("submit")
LOAD: Final = Script("load", writes=False)
COMMIT: Final = Script("commit")
RETRY: Final = Script("retry")
CLAIM: Final = Script("claim")
BEGIN_ALONE: Final = Script("begin_alone")
RENEW: Final = Script("renew")
DEAD_LETTER: Final = Script("dead_letter")
LIST_LETTERS: Final = Script("list_letters", writes=False)
REPLAY_LETTER: Final = Script("replay_letter")
ERASE: Final = Script("erase")
ERASE_LETTERS: Final = Script("erase_letters")
SWEEP_MARKS: Final = Script("sweep_marks")
POLL_PROFILES: Final = Script("poll_profiles", writes=False)
PUBLISH_PROFILE: Final = Script("publish_profile")
FORGET_CONSUMER: Final = Script("forget_consumer")
STATS: Final = Script("stats", writes=False)
