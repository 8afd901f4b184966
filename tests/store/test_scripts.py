"""Scripts and what they are called with: one declaration, which the Lua has to agree with."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.store.script import Script
from sploot_clusterd.store.scripts import RETRY, SUBMIT

ALL = [each for each in vars(scripts).values() if isinstance(each, Script)]


def own(script: Script) -> str:
    """The script without what is put before it, which has no comments of its own."""
    return script.text[script.text.index("\n-- ") + 1 :]


def taken(script: Script, call: str) -> list[str]:
    """The locals that the script takes from KEYS, ARGV or the lists behind it, in their order."""
    found = re.search(rf"local ([\w,\s]+?) =\s+{call}", own(script))
    return re.split(r",\s*", found[1]) if found else []


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.name)
def test_a_script_takes_what_is_declared_by_its_names_and_in_its_order(script: Script):
    keys, arguments = len(script.keys), len(script.arguments)
    assert taken(script, rf"unpack\(KEYS, 1, {keys}\)") == [*script.keys]
    assert taken(script, rf"unpack\(ARGV, 1, {arguments}\)") == script.arguments
    several = "s" if len(script.lists) > 1 else ""
    assert taken(script, rf"list{several}_after\({arguments}\)") == script.lists
    assert not re.search(r"ARGV\[\d|KEYS\[1\]", own(script)), "by its place"


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.name)
def test_a_scripts_header_names_all_that_it_takes(script: Script):
    parts = re.findall(r"^-- (KEYS|ARGV)  (.*?)(?=^-- [A-Z]|^local)", own(script), re.MULTILINE | re.DOTALL)
    header = {part: text.replace("--", " ") for part, text in parts}
    named = [re.findall(r"\w+", header[part]) for part in ("KEYS", "ARGV")]
    assert [name for name in script.keys if name not in named[0]] == []
    assert [name for name in (*script.arguments, *script.lists) if name not in named[1]] == []


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.name)
def test_before_a_script_are_only_those_shared_locals_that_it_uses(script: Script):
    before = script.text.removesuffix(own(script))
    names = re.findall(r"^local (?:function )?(\w+)", before, re.MULTILINE)
    assert [name for name in names if len(re.findall(rf"\b{name}\b", script.text)) < 2] == []
    several = "s" if len(script.lists) > 1 else ""
    assert {"list_after", "lists_after"} & {*names} == ({f"list{several}_after"} if script.lists else set())


GOOD: Mapping[str, Any] = {"group": "g", "consumer": "c", "jobs_life": 0, "retries": [b"1-1", 1, 1000]}


@pytest.mark.parametrize(
    ("script", "values", "says"),
    [
        (RETRY, GOOD | {"group": b"g"}, "retry.lua: group: expected str, not bytes"),
        (RETRY, GOOD | {"group": None}, "retry.lua: group: expected str, not NoneType"),
        (SUBMIT, {"most": True, "jobs_life": 0, "payloads": []}, "submit.lua: most: expected int, not bool"),
        (SUBMIT, {"most": 1.0, "jobs_life": 0, "payloads": []}, "submit.lua: most: expected int, not float"),
        (RETRY, GOOD | {"retries": [b"1-1", None]}, "retry.lua: retries: expected bytes, str or int in each"),
        (RETRY, GOOD | {"retries": [[b"1-1"]]}, "retry.lua: retries: expected bytes, str or int in each"),
        (RETRY, {"group": "g", "consumer": "c", "jobs_life": 0}, "retry.lua: 'retries' is missing"),
        (RETRY, {"group": "g", "jobs_life": 0, "retries": []}, "retry.lua: 'consumer' is missing"),
        (RETRY, GOOD | {"other": 1}, "retry.lua takes no other"),
    ],
)
async def test_what_a_script_does_not_take_is_refused_by_its_name_before_it_is_sent(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, script: Script, values: Mapping[str, Any], says: str
):
    def sent(*_: object) -> None:
        raise AssertionError("it was sent")

    monkeypatch.setattr(gateway._way, "exchange", sent)
    with pytest.raises(TypeError, match=f"^{re.escape(says)}$"):
        await gateway.run(script, **values)
