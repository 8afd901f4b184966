"""The Lua scripts: each is a file in `lua/` that takes its keys and arguments into locals of the names given here."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final, Literal

from sploot_clusterd.keys import Keys
from sploot_clusterd.store.connection import pack

Kind = Literal[
    "claim",
    "commit",
    "erase",
    "feed",
    "insights",
    "load",
    "order",
    "outcome",
    "profiles",
    "read",
    "submit",
    "upkeep",
    "view",
]
"""What a round trip is for; the closed set of that metric's label."""

# No flag to go on when memory is out: Redis then refuses the script before it starts instead of half way through.
_SHEBANG: Final = "#!lua\n"
_READS_ONLY: Final = "#!lua flags=no-writes\n"
_LUA: Final = resources.files(__package__) / "lua"
_TYPES: Final = {"": str, "bytes": bytes, "int": int}
_PRELUDE: Final = (_LUA / "_prelude.lua").read_text()
_FENCE: Final = (_LUA / "_fence.lua").read_text()
_PARTS: Final = tuple((_LUA / f"{name}.lua").read_text() for name in ("_ids", "_letters", "_due", "_feed", "_events"))
"""What some scripts share; each may use what is in those before it."""


class Script:
    """One script and what it takes: keys by their names in `Keys`, arguments with their types, and lists, which are
    sent with their lengths before them.

    A script that is `fenced` looks first, where there are several partitions, whether its caller goes by the layout
    that the partition is in.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        keys: str,
        arguments: str,
        lists: str = "",
        *,
        writes: bool = True,
        repeatable: bool = False,
        fenced: bool = False,
    ) -> None:
        """Names, of arguments with the type behind a colon where it is not str. `repeatable`: it is called again at
        once where the connection broke.
        """
        self.name = name
        self.kind: Kind = kind
        self.keys = keys.split()
        self.arguments = [each.partition(":")[0] for each in arguments.split()]
        self.lists = lists.split()
        self.repeatable = repeatable
        text = (_LUA / f"{name}.lua").read_text()
        for part in reversed(_PARTS):
            text = part + text if _uses(part, text) else text
        shebang = _SHEBANG if writes else _READS_ONLY
        self.text = shebang + _PRELUDE + text
        """As it is where there is one partition."""
        self.sha = _digest(self.text)
        self._fenced = shebang + _FENCE + _PRELUDE + text if fenced else ""
        self._sha_of_fenced = _digest(self._fenced)
        self._types = [_TYPES[each.partition(":")[2]] for each in arguments.split()]

    @property
    def words(self) -> Sequence[str]:
        """All that it may be called by: its text and the digest of that, in either form."""
        fenced = (self._fenced, self._sha_of_fenced) if self._fenced else ()
        return self.text, self.sha, *fenced

    def packed(
        self,
        named_keys: Sequence[str],
        values: Mapping[str, Any],
        *,
        whole: bool = False,
        fence: tuple[str, str] | None = None,
    ) -> bytes:
        """A call's bytes, with keys as `named_keys` gives them; `whole`: with the script's text, for a server that does
        not know it; `fence`: the key with the layout's number, and the caller's.

        Raises TypeError for what is missing, unknown or of another type, by its name.
        """
        arguments = self.in_order(values)
        if fence and self._fenced:
            key, number = fence
            named_keys, arguments = [*named_keys, key], [*arguments, number]
            how = ("EVAL", self._fenced) if whole else ("EVALSHA", self._sha_of_fenced)
        else:
            how = ("EVAL", self.text) if whole else ("EVALSHA", self.sha)
        try:
            return pack((*how, len(named_keys), *named_keys, *arguments))
        except TypeError:
            raise TypeError(f"{self.name}.lua: {self._unfit(values)}: expected bytes, str or int in each") from None

    def named_keys(self, keys: Keys, more_keys: Sequence[str], values: Mapping[str, Any]) -> list[str]:
        """What the script finds in KEYS."""
        return [*keys.named(self.keys, values.get("pet_id", "")), *more_keys]

    def in_order(self, values: Mapping[str, Any]) -> list[Any]:
        """What the script finds in ARGV. Raises TypeError as `packed`."""
        try:
            arguments = [values[name] for name in self.arguments]
            lists = [values[name] for name in self.lists]
        except KeyError as missing:
            raise TypeError(f"{self.name}.lua: {missing} is missing") from None
        if [*map(type, arguments)] != self._types:
            raise TypeError(f"{self.name}.lua: {self._mistyped(arguments)}")
        if len(values) > len(arguments) + len(lists):
            raise TypeError(f"{self.name}.lua takes no {', '.join(values.keys() - {*self.arguments, *self.lists})}")
        arguments += map(len, lists)
        for each in lists:
            arguments += each
        return arguments

    def _mistyped(self, arguments: Sequence[Any]) -> str:
        return ", ".join(
            f"{name}: expected {expected.__name__}, not {type(value).__name__}"
            for name, expected, value in zip(self.arguments, self._types, arguments, strict=True)
            if type(value) is not expected
        )

    def _unfit(self, values: Mapping[str, Any]) -> str:
        return ", ".join(name for name in self.lists if {*map(type, values[name])} - {bytes, str, int})


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _uses(part: str, text: str) -> bool:
    """Whether the text uses a local of the part: what is not used is left out, as each call makes all of them anew."""
    names = re.findall(r"^local (?:function )?(\w+)", part, re.MULTILINE)
    return re.search(rf"\b(?:{'|'.join(names)})\b", text) is not None


_ALL_OF_A_PET: Final = "album images view wanted asked untold wants tellings"
SUBMIT: Final = Script("submit", "submit", "stream", "most:int", "payloads", fenced=True)
LOAD: Final = Script(
    "load",
    "load",
    "album images view erased",
    "pet_id token:bytes",
    "wanted",
    writes=False,
    repeatable=True,
    fenced=True,
)
COMMIT: Final = Script(
    "commit",
    "commit",
    "stream attempts album images view erased profiles",
    "group consumer pet_id token:bytes new_token:bytes mark new_view:bytes rest_of_view:bytes view_life:int "
    "album_life:int most_sampled:int most_models:int insights_at:int",
    "entries fields rows old_fields old_rows used_profiles offers new_wants old_wants untold fed",
    fenced=True,
)
RETRY: Final = Script("retry", "outcome", "stream attempts", "group consumer", "retries")
PUT_OFF: Final = Script("put_off", "outcome", "stream attempts", "group consumer", "entries")
PENDING_JOBS: Final = Script(
    "pending_jobs", "order", "stream attempts", "group", "strange known", writes=False, repeatable=True
)
CLAIM: Final = Script(
    "claim",
    "claim",
    "stream attempts",
    "group consumer kind abandoned:int cursor:bytes most:int lives:int",
    fenced=True,
)
BEGIN_ALONE: Final = Script(
    "begin_alone", "claim", "stream attempts", "group consumer entry:bytes most_lone_runs:int harmless:int", fenced=True
)
RENEW: Final = Script("renew", "upkeep", "stream attempts", "group consumer", "entries")
DEAD_LETTER: Final = Script(
    "dead_letter",
    "outcome",
    "stream attempts dead_letters letter_sizes letter_pets erased",
    "group consumer entry:bytes most_letters:int most_bytes:int pet_id other_pet_id first_id",
    "letter",
    fenced=True,
)
LIST_LETTERS: Final = Script(
    "list_letters", "upkeep", "dead_letters", "from_id:bytes last_id:bytes most:int most_bytes:int", writes=False
)
REPLAY_LETTER: Final = Script(
    "replay_letter",
    "upkeep",
    "stream dead_letters letter_sizes letter_pets erased",
    "letter_id most_jobs:int",
    fenced=True,
)
DROP_LETTERS: Final = Script("drop_letters", "upkeep", "dead_letters letter_sizes letter_pets", "", "ids", fenced=True)
ERASE: Final = Script(
    "erase",
    "erase",
    "stream album images view erased dead_letters profiles wanted asked untold wants tellings feed feed_index",
    "pet_id tells:int",
    "slots models",
    fenced=True,
)
DROP_VIEW: Final = Script("drop_view", "view", "view", "pet_id", fenced=True)
LAST_ID: Final = Script("last_id", "erase", "stream", "", writes=False, repeatable=True)
ERASE_LETTERS: Final = Script(
    "erase_letters", "erase", "dead_letters letter_sizes letter_pets", "pet_id cursor:bytes page_size:int", fenced=True
)
SWEEP_MARKS: Final = Script("sweep_marks", "upkeep", "stream erased", "cursor:bytes page_size:int", fenced=True)
SWEEP_RECORDS: Final = Script("sweep_records", "upkeep", "stream attempts", "group cursor:bytes page_size:int")
POLL_PROFILES: Final = Script(
    "poll_profiles", "profiles", "profiles", "most_sampled:int", writes=False, repeatable=True
)
PUBLISH_PROFILE: Final = Script(
    "publish_profile", "profiles", "profiles", "model_version seen generation:int settled:int profile:bytes"
)
STAGE_PROFILE: Final = Script("stage_profile", "profiles", "", "generation:int state profile:bytes instead_of")
DROP_SAMPLE: Final = Script("drop_sample", "profiles", "profiles", "model_version")
WANT_LISTS: Final = Script("want_lists", "insights", "wanted asked wants", "pet_id", fenced=True)
DUE_PETS: Final = Script("due_pets", "insights", "", "most:int", writes=False, repeatable=True)
TAKE_WANTS: Final = Script("take_wants", "insights", "wanted asked wants", "pet_id most:int lease_ms:int", fenced=True)
SETTLE_WANTS: Final = Script(
    "settle_wants",
    "insights",
    "stream wanted asked wants",
    "pet_id lease:int lease_ms:int handed_ms:int payload:bytes most_jobs:int most_wanted:int",
    "done handed missing later",
    fenced=True,
)
TAKE_UNTOLD: Final = Script("take_untold", "insights", "untold tellings", "pet_id most:int lease_ms:int", fenced=True)
SETTLE_UNTOLD: Final = Script(
    "settle_untold", "insights", "untold tellings", "pet_id delay_ms:int", "told", fenced=True
)
READ_FEED: Final = Script(
    "read_feed", "feed", "feed feed_index", "place most:int most_bytes:int", writes=False, repeatable=True
)
PET_EVENTS: Final = Script(
    "pet_events", "erase", "feed", "pet_id from_id:bytes most:int", writes=False, repeatable=True
)
DROP_EVENTS: Final = Script("drop_events", "erase", "feed feed_index", "", "ids", repeatable=True)
TRIM_FEED: Final = Script("trim_feed", "upkeep", "feed feed_index", "life:int most_bytes:int page_size:int")
FEED_FIGURES: Final = Script("feed_figures", "upkeep", "feed feed_index", "", writes=False, repeatable=True)
BEAT: Final = Script("beat", "upkeep", "members", "member lives:int")
HOLD: Final = Script("hold", "upkeep", "", "member lives:int")
LET_GO: Final = Script("let_go", "upkeep", "", "member")
ROUTE: Final = Script(
    "route", "submit", "stream routed origins", "router:int most:int", "entries", repeatable=True, fenced=True
)
SETTLE_ROUTED: Final = Script("settle_routed", "submit", "stream", "group", "entries", repeatable=True)
SWEEP_ORIGINS: Final = Script("sweep_origins", "upkeep", "origins", "first:bytes cursor:bytes page_size:int")
RECORD: Final = Script("record", "upkeep", "", "expected new", repeatable=True)
OPEN_LAYOUT: Final = Script("open_layout", "upkeep", "layout", "number", fenced=True)
TAKE_PET: Final = Script("take_pet", "upkeep", _ALL_OF_A_PET, "pet_id", writes=False, repeatable=True, fenced=True)
PUT_PET: Final = Script("put_pet", "upkeep", _ALL_OF_A_PET, "pet_id", "taken", repeatable=True, fenced=True)
LEAVE_PET: Final = Script("leave_pet", "upkeep", _ALL_OF_A_PET, "pet_id", repeatable=True, fenced=True)
ADOPT: Final = Script("adopt", "upkeep", "stream routed erased", "source", "entries", repeatable=True, fenced=True)
ADOPT_LETTERS: Final = Script(
    "adopt_letters",
    "upkeep",
    "dead_letters letter_sizes letter_pets routed",
    "source",
    "letters",
    repeatable=True,
    fenced=True,
)
RAISE_LAST_ID: Final = Script("raise_last_id", "upkeep", "stream", "least:bytes", repeatable=True, fenced=True)
FORGET_CONSUMER: Final = Script("forget_consumer", "upkeep", "stream", "group consumer:bytes")
AGREE: Final = Script("agree", "upkeep", "", "member document lives:int")
INSPECT: Final = Script("inspect", "upkeep", "", "", writes=False, repeatable=True)
REMAKE_STREAM: Final = Script("remake_stream", "upkeep", "stream", "")
STATS: Final = Script("stats", "upkeep", "stream", "group", writes=False)
