"""A Lua script of `lua/`: what it takes, its text with what scripts share, and a call's bytes."""

import hashlib
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple

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


_COMMENT: Final = re.compile(r"^ *--.*\n", re.MULTILINE)
_WITH: Final = re.compile(r"^ *-- with (.*)\n", re.MULTILINE)
_DEFINITION: Final = re.compile(r"^local (?:function )?(\w+).*?(?=^local |\Z)", re.MULTILINE | re.DOTALL)


class _Definition(NamedTuple):
    """A local of those that scripts share."""

    name: str
    text: str
    words: frozenset[str]


def _definitions(name: str) -> list[_Definition]:
    code = _COMMENT.sub("", (_LUA / f"{name}.lua").read_text())
    return [_Definition(found[1], found[0], _words(found[0])) for found in _DEFINITION.finditer(code)]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", _COMMENT.sub("", text)))


_FENCE: Final = (_LUA / "_fence.lua").read_text()
_SHARED: Final = ("_prelude", "_ids", "_letters", "_due", "_feed", "_events", "_jobs")
_DEFINITIONS: Final = tuple(each for name in _SHARED for each in _definitions(name))
"""What scripts share; each may use those before it."""


class Script:
    """One script and what it takes: keys by their names in `Keys`, arguments with their types, and lists. Where there
    are several lists, one argument before them has their lengths: each argument costs here, on its way and in Redis.

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
        self.keys = tuple(keys.split())
        self.arguments = [each.partition(":")[0] for each in arguments.split()]
        self.lists = lists.split()
        self.repeatable = repeatable
        text = _with_definitions((_LUA / f"{name}.lua").read_text())
        shebang = _SHEBANG if writes else _READS_ONLY
        self.text = shebang + text
        """As it is where there is one partition."""
        self.sha = _digest(self.text)
        self._fenced = shebang + _FENCE + text if fenced else ""
        self._sha_of_fenced = _digest(self._fenced)
        self._types = [_TYPES[each.partition(":")[2]] for each in arguments.split()]
        taken = [*self.arguments, *self.lists]
        self._taken: Callable[[Mapping[str, Any]], tuple[Any, ...]] = (
            itemgetter(*taken) if len(taken) > 1 else lambda values: tuple(values[name] for name in taken)
        )

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
            taken = self._taken(values)
        except KeyError as missing:
            raise TypeError(f"{self.name}.lua: {missing} is missing") from None
        count = len(self._types)
        arguments, lists = [*taken[:count]], taken[count:]
        if [*map(type, arguments)] != self._types:
            raise TypeError(f"{self.name}.lua: {self._mistyped(arguments)}")
        if len(values) > len(taken):
            raise TypeError(f"{self.name}.lua takes no {', '.join(values.keys() - {*self.arguments, *self.lists})}")
        if len(lists) > 1:
            arguments.append(_packed_lengths(tuple(map(len, lists))))
        for each in filter(None, lists):
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


@lru_cache(maxsize=1024)
def _packed_lengths(lengths: tuple[int, ...]) -> bytes:
    """As doubles: calls are mostly of few forms."""
    return struct.pack(f"<{len(lengths)}d", *lengths)


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _with_definitions(text: str) -> str:
    """The text behind those definitions that it uses, or one of them does: what is not used is left out, as each call
    makes all of them anew. Those that a line `-- with NAME...` names are put in its place, for a block that mostly is
    passed over.
    """
    inner = frozenset(" ".join(_WITH.findall(text)).split())
    outer = _used(_words(text) - inner)
    text = _WITH.sub(lambda found: _joined(_used(frozenset(found[1].split())) - outer), text)
    return _joined(outer) + text


def _used(words: frozenset[str]) -> frozenset[str]:
    """The names of those definitions that are among the words, or used by one that is."""
    names = set[str]()
    for each in reversed(_DEFINITIONS):
        if each.name in words:
            names.add(each.name)
            words |= each.words
    return frozenset(names)


def _joined(names: frozenset[str]) -> str:
    return "".join(each.text for each in _DEFINITIONS if each.name in names)
