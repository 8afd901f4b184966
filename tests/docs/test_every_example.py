"""No example of the pages is left unchecked: what no other test runs is read here as who would use it reads it."""

import configparser
import io
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from redis.asyncio import Redis

from sploot_clusterd.arguments import parsed
from sploot_clusterd.config import LimitsSettings, Settings, load
from sploot_clusterd.config.schema import SCHEMA, environment_names
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.web.routes import ROUTES
from sploot_clusterd.wire import decode_entry
from tests.docs.fences import Fence, fences, unmarked
from tests.docs.pages import ROOT, only_block

TESTS = ROOT / "tests"
CHECKED_HERE = {"sh", "json", "toml", "ini", "yaml"}
"""Languages whose blocks without a mark are checked below."""
ELSEWHERE = {
    "mermaid": "manual/test_site.py",  # drawn
    "math": "manual/test_site.py",  # typeset
    "promql": "deploy/test_examples.py",  # parsed by promtool
    "sql": "history/test_page.py",
}
OUTPUT = {
    "first-day.md": ["57000 jobs in 600.0 s (95 a second): 57000 accepted, 0 not"],
    "architecture.md": ["sploot_clusterd/"],  # held against the package by test_pages.py
    "history.md": [
        "pet_7: as of version 12, and 14 was the last one; missing jobs: job_4413 job_4420",
        "Index Scan using pet_latest_pkey on pet_latest",
        "Append",
        "Limit",
        "Limit",
    ],
    "operations.md": [
        "partition slot  waiting pending oldest  stream reader",
        "$ clusterd partitions plan 16",
        "proxy_set_header X-Forwarded-Groups $groups;",
        "rediss://redis.internal:6379/0?ssl_certfile=/etc/clusterd/cert.pem&ssl_keyfile=/etc/clusterd/key.pem",
    ],
    "tracing.md": ["POST /internal/cluster-jobs                server     0.000  2 ms"],
    "rehearsal.md": ["28500 jobs in 600.3 s (47 a second): 28500 accepted, 0 not"],
}
"""Blocks of plain text that nothing can run: what was printed once, on data that is not here, and lines of other
programs' settings. By their first lines."""
NOT_RUN = {
    "systemctl": "it would start units of this machine; the units themselves are checked by tests/deploy",
    "docker": "there is no Docker here; the Dockerfile and the compose file are read by tests/deploy",
    "pip": "it would change this environment; .ci/run installs the package the same way",
    "venv": "the same",
    "build": "tests/packages builds wheel and sdist by it",
    "kubectl": "there is no cluster here; the objects are held against Kubernetes' schemas by tests/packages",
    "openssl": "not this project's",
    "install": "it would write to /etc",
}
"""Programs that commands name and that are not looked into, and why."""
A_MOMENT = "2025-10-30T12:00:00Z"
OTHERS_VARIABLES = {"ALERTMANAGER_URL", "GRAFANA_URL", "GRAFANA_API_TOKEN", "INTERNAL_TOKEN", "CLUSTERD_CONFIG"}
VARIABLES = {*OTHERS_VARIABLES, *(name for key in SCHEMA for name in environment_names(key))}


def test_every_block_is_run_or_read_or_known_to_be_output():
    marks = {fence.mark for fence in fences() if fence.mark}
    code = "".join(file.read_text() for file in TESTS.rglob("*.py"))
    made = {mark for mark in marks if f'f"{mark.partition(" ")[0]} {{' in code}
    lost = [mark for mark in marks - made if f'"{mark}"' not in code and f"<!-- {mark} -->" not in code]
    assert lost == [], "no test asks for these marks"
    plain = [fence for fence in fences() if not fence.mark and fence.language not in CHECKED_HERE | ELSEWHERE.keys()]
    assert {fence.language for fence in plain} == {"text"}
    shown = {page: [fence.first for fence in plain if fence.page.name == page] for page in {f.page.name for f in plain}}
    assert shown == OUTPUT
    assert all((TESTS / file).exists() for file in ELSEWHERE.values())


def programs(fence: Fence) -> Iterator[list[str]]:
    """The words of each program that the block starts, without variables in front, redirections and comments."""
    # What a shell would put in place of a command is not known; a moment will do.
    for line in re.sub(r"\$\([^()\n]*\)", A_MOMENT, fence.text).splitlines():
        words = shlex.split(line.strip("()").replace("; ", " && "), comments=True)
        command: list[str] = []
        for word in [*words, "&&"]:
            if word in {"&&", "|"}:
                yield list(_without_surroundings(command))
                command = []
            else:
                command.append(word)


def _without_surroundings(words: list[str]) -> Iterator[str]:
    rest = iter(words)
    started = False
    for word in rest:
        if word in {">", "<"}:
            next(rest)
        elif started or not re.match(r"(export$|[A-Z_]+=)", word):
            started = True
            yield word
        elif "=" in word:
            assert word.partition("=")[0] in VARIABLES, word


@pytest.mark.parametrize("fence", unmarked("sh"), ids=str)
def test_commands_are_known_with_their_options(fence: Fence):
    for program, *arguments in filter(None, programs(fence)):
        name = Path(program).name or program
        if name == "clusterd":
            parsed(arguments)
        elif name == "curl":
            check_request(arguments)
        elif name in {"python", "python3"}:
            check_module(arguments)
        elif name == "cp":
            assert all((ROOT / file).exists() for file in arguments[:-1])
        elif name == "pip":
            check_extras(arguments)
        else:
            assert name in {*NOT_RUN, ".", "umask"}, name


def check_request(arguments: list[str]) -> None:
    """The daemon has the route; the body is one that it takes. What asks the storage service is another's."""
    url = next(argument for argument in arguments if re.match(r"(http|\$STORAGE)", argument))
    if url.startswith("$"):
        return
    method = arguments[arguments.index("-X") + 1] if "-X" in arguments else "POST" if "-d" in arguments else "GET"
    path = url.removeprefix("http://127.0.0.1:9007").partition("?")[0]
    [route] = [
        route
        for route in ROUTES
        if route.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path)
    ]
    if "-d" in arguments:
        assert route.body
        check_members(arguments[arguments.index("-d") + 1], route.body.struct)


def check_module(arguments: list[str]) -> None:
    option, module, *options = arguments
    assert option == "-m"
    if module in NOT_RUN:
        return
    file = ROOT / module.replace(".", "/")
    source = (file / "__main__.py" if file.is_dir() else file.with_suffix(".py")).read_text()
    asked = [word for word in options if word.startswith("--")]
    assert [word for word in asked if f'"{word}"' not in source] == []


def check_extras(arguments: list[str]) -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.findall(r"\[([\w,]+)\]", " ".join(arguments))
    assert {extra for extras in asked for extra in extras.split(",")} <= set(known)


def check_members(text: str | bytes, struct: Any) -> None:
    """The text is of that type, and the type has each of its members."""
    assert_within(msgspec.json.decode(text), msgspec.to_builtins(msgspec.json.decode(text, type=struct)))


def assert_within(shown: Any, known: Any) -> None:
    if isinstance(shown, dict):
        for key, value in shown.items():
            if value not in (None, False, [], {}):  # what is a default may be left out
                assert key in known
                assert_within(value, known[key])
    elif isinstance(shown, list):
        for one, other in zip(shown, known, strict=True):
            assert_within(one, other)


def contract() -> list[Any]:
    """What bodies of requests and answers may be."""
    answers = [answer for route in ROUTES for answer in route.all_answers.values()]
    bodies = [body for answer in answers for body in (answer.body, answer.or_else) if body is not None]
    return [
        *(route.body.struct for route in ROUTES if route.body),
        *(b if isinstance(b, type) else type(b) for b in bodies),
    ]


def is_of(text: str, struct: Any) -> bool:
    try:
        check_members(text, struct)
    except (msgspec.ValidationError, AssertionError):
        return False
    return True


@pytest.mark.parametrize("fence", unmarked("json"), ids=str)
def test_json_is_a_body_of_the_contract(fence: Fence):
    if "attempts" in msgspec.json.decode(fence.text):
        job = decode_entry(EntryId(1, 0), {b"payload": fence.text.encode()}, LimitsSettings())
        assert (job.pet_id, job.job_id, job.image_ids) == ("pet_7", "job_2", ["img_2"])
        return
    assert any(is_of(fence.text, struct) for struct in contract()), "no request or answer looks like this"


@pytest.mark.parametrize("fence", unmarked("toml"), ids=str)
def test_settings_are_read(fence: Fence, tmp_path: Path):
    file = tmp_path / "config.toml"
    text = fence.text
    for name in re.findall(r'"(/etc/[\w/-]+)"', text):
        token = tmp_path / Path(name).name
        token.write_text(f"a-token-long-enough-for-{token.name}\n")
        token.chmod(0o600)
        text = text.replace(name, str(token))
    file.write_text(text)
    assert load(file, environ={"INTERNAL_TOKEN": "a-token-long-enough-for-all"}) != Settings()


def test_variables_of_redis_are_read():
    blocks = [fence for fence in fences() if fence.mark == "environment"]
    assert len(blocks) == 2
    for fence in blocks:
        environ = dict(line.split("=", 1) for line in fence.text.splitlines())
        assert environ.keys() <= VARIABLES
        settings = load(environ={**environ, "INTERNAL_TOKEN": "a-token-long-enough-for-all"})
        assert "10.0.0.1" in settings.redis.url.reveal()


@pytest.mark.parametrize("fence", unmarked("ini"), ids=str)
def test_units_name_known_variables_and_commands(fence: Fence):
    unit = configparser.RawConfigParser(strict=False, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_file(io.StringIO(fence.text))
    assert unit.sections() == ["Service"]
    for key, value in re.findall(r"^(\w+)=(.*)$", fence.text, re.MULTILINE):
        if key == "Environment":
            assert value.partition("=")[0] in VARIABLES
        elif key.startswith("Exec"):
            program, *arguments = shlex.split(value)
            assert program.endswith("/clusterd")
            parsed(arguments)
        else:
            assert key in {"LoadCredential", "StateDirectory"}


@pytest.mark.parametrize("fence", unmarked("yaml"), ids=str)
def test_yaml_is_yaml(fence: Fence):
    assert isinstance(yaml.safe_load(fence.text), dict)


async def test_redis_takes_the_settings_that_are_asked_for(redis: Redis):
    lines = [line.split() for line in only_block(ROOT / "docs/operations.md", "redis conf").text.splitlines()]
    before = {name: (await redis.config_get(name))[name] for name, _ in lines}
    for name, value in lines:
        await redis.config_set(name, value)
    assert {name: (await redis.config_get(name))[name] for name, _ in lines} == dict(lines)
    for name, value in before.items():
        await redis.config_set(name, value)


async def test_the_feeds_reader_may_read_the_feed_alone(redis: Redis, redis_url: str):
    await redis.execute_command(*only_block(ROOT / "docs/feed.md", "acl of the feed").text.split())
    reader = Redis.from_url(redis_url, username="feed-reader", password="another-password")
    try:
        assert await reader.xrange("sploot.media.clusters:feed") == []
        with pytest.raises(Exception, match=r"NOPERM|No permissions"):
            await reader.xrange("streams:media.cluster")
    finally:
        await reader.aclose()
        await redis.execute_command("ACL", "DELUSER", "feed-reader")
