"""Who may what: from settings to grants, and what is said of those that are wrong."""

from pathlib import Path

import pytest

from sploot_clusterd.config import Settings, load
from sploot_clusterd.config.show import lines
from sploot_clusterd.errors import ConfigError

STRONG = "a-token-of-some-length"
TABLE = '[[http.access]]\nname = "gallery"\nscopes = ["correct", "read"]\n'


def loaded(directory: Path, toml: str = "", **environ: str) -> Settings:
    file = directory / "config.toml"
    file.write_text(toml.replace("DIR", str(directory)))
    file.chmod(0o600)
    return load(file, environ={"INTERNAL_TOKEN": f"{STRONG}-all", **environ}, directory=directory)


def refusal(directory: Path, toml: str = "", **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(directory, toml, **environ)
    return str(caught.value).replace(str(directory / "config.toml"), "FILE").replace(str(directory), "DIR")


def granted(settings: Settings) -> dict[str, tuple[list[str], list[str]]]:
    return {
        grant.name: (sorted(grant.scopes), [token.reveal() for token in grant.tokens]) for grant in settings.http.grants
    }


def test_without_any_there_are_those_who_may_everything(tmp_path):
    assert loaded(tmp_path).http.grants == ()


@pytest.mark.parametrize(("who", "scope"), [("reader", "read"), ("producer", "submit")])
def test_readers_and_producers(tmp_path, who, scope):
    (tmp_path / "token").write_text(f"{STRONG}-old\n{STRONG}-new\n")
    (tmp_path / "token").chmod(0o600)
    both = [f"{STRONG}-old", f"{STRONG}-new"]

    for environ in (
        {f"{who.upper()}_TOKEN": ",".join(both)},
        {f"{who.upper()}_TOKEN_FILE": str(tmp_path / "token")},
    ):
        assert granted(loaded(tmp_path, **environ)) == {who: ([scope], both)}
    text = refusal(tmp_path, **{f"{who.upper()}_TOKEN": STRONG, f"{who.upper()}_TOKEN_FILE": "x"})
    assert "expected only one of the two" in text
    assert f"http.{who}_token_files" in text


def test_tables_with_a_token_or_a_file_of_them(tmp_path):
    (tmp_path / "token").write_text(f"{STRONG}-old\n{STRONG}-new\n")
    (tmp_path / "token").chmod(0o600)
    toml = f'{TABLE}token = "{STRONG}"\n[[http.access]]\nname = "desk"\nscopes = ["erase"]\ntoken_file = "DIR/token"\n'

    settings = loaded(tmp_path, toml)

    assert granted(settings) == {
        "gallery": (["correct", "read"], [STRONG]),
        "desk": (["erase"], [f"{STRONG}-old", f"{STRONG}-new"]),
    }
    assert settings.warnings == ()
    shown = 'access = [{name = "gallery", scopes = ["read", "correct"], token = "********"}, {name = "desk", '
    assert any(line.startswith(shown) for line in lines(settings))
    assert settings.without_tokens().http.grants == ()
    assert settings.without_tokens().http.access is None


def test_the_environment_gives_tables_as_json(tmp_path):
    tables = f'[{{"name": "gallery", "scopes": ["read"], "token": "{STRONG}"}}]'

    assert granted(loaded(tmp_path, CLUSTERD_HTTP_ACCESS=tables)) == {"gallery": (["read"], [STRONG])}
    text = refusal(tmp_path, CLUSTERD_HTTP_ACCESS=tables[:-1])
    assert text.startswith("http.access = ******** ($CLUSTERD_HTTP_ACCESS): expected tables with name, scopes (of read")


@pytest.mark.parametrize("toml", ["[http]\naccess = []", "[http.access]\nname = 'x'", "[http]\naccess = ['x']"])
def test_no_tables(tmp_path, toml):
    assert refusal(tmp_path, toml).startswith("http.access = ******** (FILE): expected tables with name, scopes")


SCOPES = "expected a list of one or more of read, correct, submit, operate, erase"
NAME = "expected a name of 1 to 64 of the characters A-Z a-z 0-9 . _ -"
ANY = "expected a list of one or more texts without commas"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("name='a'\nscopes=['raed', 'read']", f'http.access[0].scopes = ["raed", "read"] (FILE): {SCOPES}'),
        ("name='a'\nscopes=[]", f"http.access[0].scopes = [] (FILE): {SCOPES}"),
        ("name='a'\nscopes='read'", f'http.access[0].scopes = "read" (FILE): {SCOPES}'),
        ("name='a'\nscopes=[1]", f"http.access[0].scopes = [1] (FILE): {SCOPES}"),
        ("name='a'", f"http.access[0].scopes (FILE): {SCOPES}"),
        ("scopes=['read']", f"http.access[0].name (FILE): {NAME}"),
        ("name='a b'\nscopes=['read']", f'http.access[0].name = "a b" (FILE): {NAME}'),
        ("name=7\nscopes=['read']", f"http.access[0].name = 7 (FILE): {NAME}"),
        (
            "name='a'\nscopes=['read']\nscope=1",
            "http.access[0].scope (FILE): expected one of the keys name, scopes, token, token_file, identities",
        ),
    ],
)
def test_a_field_that_is_wrong(tmp_path, table, said):
    assert refusal(tmp_path, f"[[http.access]]\n{table}\ntoken='{STRONG}'") == said


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ("", "http.access[0] (FILE): expected one of token, token_file, identities"),
        (
            "token='s3cr3t'\ntoken_file='y'",
            "http.access[0] (FILE): expected one of token, token_file, identities, and not token and token_file",
        ),
        ("token=''", "http.access[0].token (FILE): expected a text"),
        ("token=7", "http.access[0].token (FILE): expected a text"),
        ("token_file=['x']", "http.access[0].token_file (FILE): expected a text"),
        ("identities=[]", f"http.access[0].identities = [] (FILE): {ANY}"),
        ("identities=['a,b']", f'http.access[0].identities = ["a,b"] (FILE): {ANY}'),
        ("identities=[' a']", f'http.access[0].identities = [" a"] (FILE): {ANY}'),
        ("token_file='DIR/none'", "http.access[0].token_file: DIR/none cannot be read: No such file or directory"),
        ("token='short'", "http.access[0]: expected tokens of at least 16 bytes"),
        ("token='changeme'", "http.access[0]: expected tokens of at least 16 bytes"),
        (
            f"token='{STRONG}-all'",
            "http.access[0] and http.tokens: they have the same token; expected one of its own for each",
        ),
        (
            "identities=['ann']",
            "http.access[0].identities: expected http.identity_header, where they are named, with them",
        ),
    ],
)
def test_ways_that_are_wrong(tmp_path, ways, said):
    assert refusal(tmp_path, TABLE + ways) == said


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    text = refusal(tmp_path, "[[http.access]]\n[[http.access]]\nname='a'\nscopes=['x']\ntoken='t'\n")

    assert [line.partition(" ")[0] for line in text.splitlines()] == [
        *("http.access[0].name", "http.access[0].scopes", "http.access[0]", "http.access[1].scopes")
    ]


def test_names_and_tokens_tell_one_from_the_other(tmp_path):
    toml = "".join(f"{TABLE}token = '{STRONG}'\n".replace("gallery", name) for name in ("reader", "b", "b"))

    assert refusal(tmp_path, toml, READER_TOKEN=STRONG).splitlines() == [
        "http.access[0].name = 'reader': http.reader_tokens goes by it; expected another name",
        "http.access[0] and http.reader_tokens: they have the same token; expected one of its own for each",
        "http.access[1] and http.reader_tokens: they have the same token; expected one of its own for each",
        "http.access[2].name = 'b': http.access[1] goes by it; expected another name",
        "http.access[2] and http.reader_tokens: they have the same token; expected one of its own for each",
    ]


def test_a_file_with_a_token_should_not_be_readable_by_all(tmp_path):
    file = tmp_path / "c.toml"
    for way, warnings in ((f"token = '{STRONG}'", 1), (f"token_file = '{tmp_path}/token'", 0)):
        file.write_text(TABLE + way)
        file.chmod(0o644)
        (tmp_path / "token").write_text(f"{STRONG}-of-file")
        (tmp_path / "token").chmod(0o600)
        assert len(load(file, environ={"INTERNAL_TOKEN": f"{STRONG}-all"}, directory=tmp_path).warnings) == warnings


PROXIED = "[http]\ntrusted_proxies = ['10.0.0.7', '10.1.0.0/16']\nidentity_header = 'X-Forwarded-User'\n"


def test_identities_of_trusted_proxies(tmp_path):
    settings = loaded(tmp_path, f"{PROXIED}{TABLE}identities = ['ann@example.org', 'photo desk']")

    (grant,) = settings.http.grants
    assert (grant.tokens, grant.identities) == ((), ("ann@example.org", "photo desk"))
    assert settings.http.trusted_proxies == ("10.0.0.7", "10.1.0.0/16")
    toml = f"{PROXIED}{TABLE}identities = ['ann']\n{TABLE.replace('gallery', 'desk')}identities = ['ann']"
    said = "http.access[1].identities: 'ann' is in http.access[0] as well; expected it once"
    assert refusal(tmp_path, toml) == said


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("identity_header = 'X-User'", "expected http.trusted_proxies with it, or anybody could be anyone"),
        ("trusted_proxies = ['10.0.0.1/8']", "expected a list of one or more addresses and networks, as 10.0.0.7 and"),
        ("trusted_proxies = ['proxy.internal']", "expected a list of one or more addresses and networks"),
        ("trusted_proxies = ['0.0.0.0/0']", "expected a list of one or more addresses and networks"),
        ("trusted_proxies = ['::/0']", "expected a list of one or more addresses and networks"),
        ("trusted_proxies = []", "expected a list of one or more addresses and networks"),
        ("identity_header = 'x-internal-token'", "expected a header's name"),
        ("identity_header = 'X User'", "expected a header's name"),
        *(
            (
                f"base_path = '{path}'",
                "expected a path as /clusters, which neither ends with / nor begins with /internal",
            )
            for path in ("", "/", "clusters", "/clusters/", "/a//b", "/..", "/internal", "/internal/x", "/a b", "/a?")
        ),
    ],
)
def test_what_is_no_proxy_no_header_no_path(tmp_path, toml, said):
    assert said in refusal(tmp_path, f"[http]\n{toml}")


@pytest.mark.parametrize("path", ["/clusters", "/internals", "/a/b.c/~d_e-f"])
def test_base_paths(tmp_path, path):
    assert loaded(tmp_path, f"[http]\nbase_path = '{path}'").http.base_path == path
