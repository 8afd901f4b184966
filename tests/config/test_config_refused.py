"""What is said of settings that are wrong: which, where, and what is allowed."""

import pytest

from sploot_clusterd.config import load
from sploot_clusterd.errors import ConfigError
from tests.config.loading import loaded, refusal


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("[stream]\nmaxlne = 1", "stream.maxlne (FILE): there is no such setting; did you mean stream.maxlen?"),
        ("[straem]\nkey = 'a'", "straem (FILE): there is no such setting; did you mean stream?"),
        ("[engine.weights]\npos = 1", "did you mean engine.weights.pose?"),
        ("[zzz]\nqqq = 1", "zzz (FILE): there is no such setting"),
        ("stream = 3", "stream (FILE): expected a table, [stream]"),
        ("[stream.key]\nx = 1", "expected a text"),
    ],
)
def test_unknown_keys_are_refused_with_a_near_miss(tmp_path, unknown, meant):
    assert meant.replace("FILE", str(tmp_path / "config.toml")) in refusal(tmp_path, unknown)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[stream]\nmaxlen = 0", "stream.maxlen = 0 (FILE): expected a whole number from 1 to"),
        ("[stream]\nmaxlen = 1.5", "stream.maxlen = 1.5 (FILE): expected a whole number"),
        ("[stream]\nmaxlen = true", "stream.maxlen = true (FILE): expected a whole number"),
        ("[stream]\nmaxlen = '5'", 'stream.maxlen = "5" (FILE): expected a whole number'),
        ("[http]\nport = 70000", "http.port = 70000 (FILE): expected a whole number from 0 to 65535"),
        ("[http]\nenabled = 1", "http.enabled = 1 (FILE): expected true or false"),
        ("[http]\nkeepalive_s = nan", "http.keepalive_s = nan (FILE): expected a number from 1 to 600"),
        ("[http]\nkeepalive_s = inf", "http.keepalive_s = inf"),
        ("[http]\ntoken_files = []", "http.token_files = [] (FILE): expected a list of one or more texts"),
        ("[service]\nenvironment = 'prod'", "expected one of local, development, staging, production"),
        ("[stream]\nkey = 'a{b}'", 'stream.key = "a{b}" (FILE): expected a text without blanks and braces'),
        ("[stream]\nkey = ''", "stream.key"),
        ("[clusters]\nnamespace = ['a']", "clusters.namespace"),
    ],
)
def test_wrong_values_are_refused_with_key_value_source_and_what_is_allowed(tmp_path, toml, said):
    assert said.replace("FILE", str(tmp_path / "config.toml")) in refusal(tmp_path, toml)


@pytest.mark.parametrize("text", ["many", "1.5", "-1", "", " "])
def test_wrong_texts_of_the_environment(tmp_path, text):
    if text:
        said = refusal(tmp_path, CLUSTER_STREAM_MAXLEN=text)
        assert said.startswith(f'stream.maxlen = "{text}" ($CLUSTER_STREAM_MAXLEN): expected a whole number')
    else:
        assert loaded(tmp_path, CLUSTER_STREAM_MAXLEN=text).stream.maxlen == 10_000


def test_all_problems_are_told_at_once(tmp_path):
    text = refusal(tmp_path, "[http]\nport = -1\nprot = 2", CLUSTER_CONSUMERS="x")
    assert len(text.splitlines()) == 3


def test_a_long_value_is_abridged(tmp_path):
    assert len(refusal(tmp_path, HTTP_PORT="9" * 5000)) < 300


@pytest.mark.parametrize("content", [b"[stream\n", b"a = \xff\xfe", b"[http]\nport=1\nport=2"])
def test_a_file_that_is_no_toml(tmp_path, content):
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not TOML"):
        load(file, environ={}, directory=tmp_path)
