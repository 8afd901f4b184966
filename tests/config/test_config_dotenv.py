"""A .env file that other programs use, too: ours is read, the rest is warned of, and nothing of it is shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.config import load
from sploot_clusterd.config.dotenv import read_dotenv
from sploot_clusterd.config.sources import OWN_NAMES
from sploot_clusterd.errors import ConfigError

KEY = 'PRIVATE_KEY="-----BEGIN KEY-----\nhunter2hunter2==\n-----END KEY-----"\n'


def read(tmp_path: Path, text: str) -> tuple[dict[str, str], list[str]]:
    file = tmp_path / ".env"
    file.write_bytes(text.encode(errors="surrogateescape"))
    variables, warnings = read_dotenv(file, OWN_NAMES)
    assert "hunter2" not in "".join(warnings)
    return variables, [warning.removeprefix(str(file)) for warning in warnings]


IGNORED = "ignored, as this is not NAME=value on one line"


@pytest.mark.parametrize(
    ("foreign", "where"),
    [
        (KEY, ", lines 1 to 3"),
        ("JSON='{\n  \"hunter2\": 1\n}'\n", ", lines 1 to 3"),
        ("hunter2hunter2\n", ", line 1"),
        ("hunter2\nhunter2: 1\n\thunter2\n", ", lines 1 to 3"),
        ("export HUNTER2\n", ", line 1"),
        ("export\n", ", line 1"),
        ("= hunter2\n", ", line 1"),
        ("MOTTO=\"it's hunter2\n", ", line 1"),
        ("MOTTO='hunter2' 'hunter2'\n", ", line 1"),
        ("my-var=hunter2\n", ", line 1"),
        ("hunter2 \udcff\udcfe\n", ", line 1"),
        ("PATH_TO=\"hunter2\nAPP_NAME='ours'\n", ", line 1"),
        ('PATH_TO="hunter2\nAPP_NAME="ours"\n', ", line 1"),
    ],
)
def test_foreign_lines_are_passed_over_with_a_warning(tmp_path, foreign, where):
    variables, warnings = read(tmp_path, foreign + "HTTP_PORT=1234\nOTHER=1\n")
    assert (variables["HTTP_PORT"], variables["OTHER"]) == ("1234", "1")
    assert warnings == [f"{where}: {IGNORED}"]
    assert ("APP_NAME" in foreign) is (variables.get("APP_NAME") == "ours")


@pytest.mark.parametrize("fine", ["OTHER=\n", "export OTHER='x'\n", 'OTHER="a # b" # c\n', "# hunter2\n", "  \n", ""])
def test_foreign_lines_of_the_same_form_are_nothing_to_warn_of(tmp_path, fine):
    assert read(tmp_path, fine + "export\tHTTP_PORT = 1234\r\n") == (
        {**read(tmp_path, fine)[0], "HTTP_PORT": "1234"},
        [],
    )


def test_what_looks_like_ours_within_a_value_of_another_is_not_taken_and_that_is_said(tmp_path):
    variables, warnings = read(tmp_path, "SCRIPT='\nHTTP_PORT=1\n'\nNAMESPACE=ours\n")
    assert variables == {"NAMESPACE": "ours"}
    assert warnings == [f", lines 1 to 3: {IGNORED}; $HTTP_PORT there was not read"]


@pytest.mark.parametrize(
    "line",
    [
        "INTERNAL_TOKEN",
        "export INTERNAL_TOKEN",
        "INTERNAL_TOKEN hunter2",
        "INTERNAL_TOKEN: hunter2",
        "INTERNAL_TOKEN+=hunter2",
        'INTERNAL_TOKEN="hunter2',
        "INTERNAL_TOKEN='hunter2'hunter2",
        'INTERNAL_TOKEN="hunter2\nhunter2"',
        "INTERNAL_TOKEN=hunter2\udcff",
    ],
)
def test_a_broken_line_of_ours_is_an_error_that_names_it(tmp_path, line):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, KEY + line + "\n")
    assert f"{tmp_path / '.env'}, line 4: $INTERNAL_TOKEN: expected " in str(caught.value)
    assert "hunter2" not in str(caught.value)


@given(st.text().filter(lambda text: not any(name in text for name in OWN_NAMES)))
def test_whatever_others_write_our_last_line_is_read(tmp_path_factory, text):
    directory = tmp_path_factory.mktemp("e")
    variables, _ = read(directory, text.replace('"', "").replace("'", "").replace("\0", "") + "\nHTTP_PORT=1234")
    assert variables["HTTP_PORT"] == "1234"


def test_warnings_are_the_settings(tmp_path):
    (tmp_path / ".env").write_text(KEY + "HTTP_PORT=1234\n")
    settings = load(environ={"INTERNAL_TOKEN": "x" * 16}, directory=tmp_path)
    assert settings.http.port == 1234
    assert settings.warnings == (f"{tmp_path / '.env'}, lines 1 to 3: {IGNORED}",)
