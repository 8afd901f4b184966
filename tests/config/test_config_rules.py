"""Contradictions, and tokens that are too weak for where the daemon runs."""

import json

import pytest

from sploot_clusterd.config import Secret, SecretUrl, load
from sploot_clusterd.config.rules import is_loopback
from sploot_clusterd.config.show import base_url, lines
from sploot_clusterd.errors import ConfigError

STRONG = "a-token-of-some-length"


def refusal(tmp_path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(environ=environ, directory=tmp_path)
    return str(caught.value)


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("token", [None, "changeme", "fifteen-bytes--", f"{STRONG},short"])
def test_weak_tokens_are_refused_where_it_matters(tmp_path, environment, token):
    given = {"INTERNAL_TOKEN": token} if token else {}
    text = refusal(tmp_path, ENVIRONMENT=environment, **given)
    assert f"refused in {environment}" in text
    assert text.startswith("http.tokens ($INTERNAL_TOKEN)" if token else "http.tokens (default)")
    assert not token or token not in text.replace("the default token", "")


@pytest.mark.parametrize("token", [STRONG, "sixteen--bytes--", "ü" * 8])
def test_strong_tokens_are_accepted_anywhere(tmp_path, token):
    settings = load(
        environ={"ENVIRONMENT": "production", "INTERNAL_TOKEN": token, "HTTP_HOST": "0.0.0.0"}, directory=tmp_path
    )
    assert settings.warnings == ()


@pytest.mark.parametrize("environment", ["local", "development"])
def test_weak_tokens_elsewhere_are_a_warning_on_loopback_only(tmp_path, environment):
    settings = load(environ={"ENVIRONMENT": environment}, directory=tmp_path)
    assert "the default token" in settings.warnings[0]
    text = refusal(tmp_path, ENVIRONMENT=environment, HTTP_HOST="0.0.0.0")
    assert "loopback" in text
    assert "0.0.0.0" in text


def test_a_process_without_http_needs_no_token(tmp_path):
    settings = load(environ={"ENVIRONMENT": "production", "HTTP_ENABLED": "false"}, directory=tmp_path)
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"HTTP_ENABLED": "0", "CLUSTER_CONSUMERS": "0"}, "nothing to do"),
        ({"MAX_CLUSTER_SIZE": "1"}, "engine.min_cluster_size = 2 (default): expected at most"),
        ({"WORKER_METRICS_PORT": "9007"}, "metrics.port = 9007 ($WORKER_METRICS_PORT) and http.port = 9007 (default)"),
        ({"REDIS_URL": "unix:///a", "REDIS_SSL": "1"}, "a unix socket has no TLS"),
        ({"REDIS_SSL_CA_CERTS": "/ca.pem"}, "expected redis.ssl = true or a rediss:// URL"),
        ({"REDIS_URL": "redis://h?ssl_cert_reqs=none"}, "or a rediss:// URL with ssl_cert_reqs"),
        ({"REDIS_URL": "redis://:one@h", "REDIS_PASSWORD": "two"}, "two different passwords"),
        ({"REDIS_URL": "redis+sentinel://:one@h,i/s", "REDIS_PASSWORD": "two"}, "two different passwords"),
        ({"REDIS_URL": "redis+sentinel://h/s?ssl_cert_reqs=none"}, "or a rediss:// URL with ssl_cert_reqs"),
        (
            {"REDIS_SENTINEL_USERNAME": "u"},
            'redis.sentinel_username = "u" ($REDIS_SENTINEL_USERNAME): expected a redis+',
        ),
        ({"REDIS_SENTINEL_PASSWORD": "p"}, 'redis.sentinel_password = "********" ($REDIS_SENTINEL_PASSWORD): expected'),
        ({"INTERNAL_TOKEN": STRONG, "INTERNAL_TOKEN_FILE": "/dev/null"}, "expected only one of the two"),
        ({f"CLUSTER_ENGINE_HERO_{name}": "0" for name in ("QUALITY", "CLOSENESS", "RECENCY")}, "at least one weight"),
        ({f"CLUSTER_ENGINE_WEIGHTS_{kind}": "0" for kind in ("EMBEDDING", "POSE", "CONTEXT")}, "at least one weight"),
    ],
)
def test_contradictions_are_refused(tmp_path, environ, said):
    assert said in refusal(tmp_path, **environ)


@pytest.mark.parametrize(
    "environ",
    [
        {"WORKER_METRICS_PORT": "0", "HTTP_PORT": "0"},
        {"WORKER_METRICS_PORT": "9007", "WORKER_METRICS_HOST": "127.0.0.2"},
        {"WORKER_METRICS_PORT": "9007", "HTTP_ENABLED": "no"},
        {"REDIS_SSL_CA_CERTS": __file__, "REDIS_URL": "rediss://h"},
        {"REDIS_SSL": "1", "REDIS_URL": "redis://h?ssl_cert_reqs=none"},
        {"REDIS_URL": "redis://:s%2Fame@h", "REDIS_PASSWORD": "s/ame"},
        {"REDIS_URL": "redis+sentinel://:s%2Fame@h,i/s", "REDIS_PASSWORD": "s/ame", "REDIS_SENTINEL_PASSWORD": "other"},
        {"REDIS_URL": "rediss+sentinel://h/s?ssl_cert_reqs=none", "REDIS_SSL_CA_CERTS": __file__},
    ],
)
def test_what_only_looks_like_a_contradiction(tmp_path, environ):
    assert load(environ=environ, directory=tmp_path).sources.keys()


def test_files_for_tls_have_to_be_there(tmp_path):
    text = refusal(
        tmp_path, REDIS_URL="rediss://h?ssl_certfile=/no/cert&ssl_keyfile=/no/key", REDIS_SSL_CA_CERTS="/no/ca"
    )
    assert text.splitlines() == [
        f"{key}: /no/{file} cannot be read: No such file or directory"
        for key, file in (("redis.ssl_ca_certs", "ca"), ("redis.url", "cert"), ("redis.url", "key"))
    ]


def test_token_files(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_text(f"{STRONG}-{name}\n")
    files = f"{tmp_path / 'old'},{tmp_path / 'new'}"
    settings = load(environ={"INTERNAL_TOKEN_FILE": files, "ENVIRONMENT": "production"}, directory=tmp_path)
    assert [token.reveal() for token in settings.http.tokens] == [f"{STRONG}-old", f"{STRONG}-new"]


def test_a_token_file_may_hold_a_token_a_line(tmp_path):
    (tmp_path / "both").write_text(f"{STRONG}-old\n\n {STRONG}-new \n")
    environ = {"INTERNAL_TOKEN_FILE": str(tmp_path / "both"), "WORKER_METRICS_TOKEN_FILE": str(tmp_path / "both")}
    settings = load(environ=environ, directory=tmp_path)
    for tokens in (settings.http.tokens, settings.metrics.tokens):
        assert [token.reveal() for token in tokens] == [f"{STRONG}-old", f"{STRONG}-new"]


def test_the_metrics_have_no_token_or_a_strong_one(tmp_path):
    assert load(environ={}, directory=tmp_path).metrics.tokens is None
    assert load(environ={"WORKER_METRICS_TOKEN": STRONG}, directory=tmp_path).metrics.tokens == (Secret(STRONG),)
    text = "metrics.tokens ($WORKER_METRICS_TOKEN): expected tokens of at least 16 bytes"
    assert refusal(tmp_path, WORKER_METRICS_TOKEN=f"{STRONG},short") == text
    (tmp_path / "empty").write_text("\n")
    file = str(tmp_path / "empty")
    assert refusal(tmp_path, WORKER_METRICS_TOKEN_FILE=file).startswith(f"metrics.token_files: {file} is empty")
    assert "only one of the two" in refusal(tmp_path, WORKER_METRICS_TOKEN_FILE=file, WORKER_METRICS_TOKEN=STRONG)


def test_settings_can_be_kept_without_their_tokens(tmp_path):
    environ = {"INTERNAL_TOKEN": STRONG, "WORKER_METRICS_TOKEN": STRONG, "HTTP_PORT": "1"}
    kept = load(environ=environ, directory=tmp_path).without_tokens()
    assert (kept.http.tokens, kept.metrics.tokens, kept.http.port) == ((), None, 1)


def test_a_token_file_that_cannot_be_used(tmp_path):
    assert "cannot be read" in refusal(tmp_path, INTERNAL_TOKEN_FILE=str(tmp_path / "missing"))
    (tmp_path / "empty").write_text("\n")
    assert "is empty" in refusal(tmp_path, INTERNAL_TOKEN_FILE=str(tmp_path / "empty"))
    (tmp_path / "short").write_text("short")
    text = refusal(tmp_path, INTERNAL_TOKEN_FILE=str(tmp_path / "short"), ENVIRONMENT="production")
    assert text.startswith("http.tokens ($INTERNAL_TOKEN_FILE)")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:hunter2@h:1/0", "redis://user:********@h:1/0"),
        ("redis://:hunter2@h", "redis://:********@h"),
        ("redis://:hun@ter2@h", "redis://:********@h"),
        ("unix:///s?db=1&password=hunter2&x=1", "unix:///s?db=1&password=********&x=1"),
        ("redis://h:6379/0", "redis://h:6379/0"),
    ],
)
def test_url_passwords_are_masked(url, shown):
    secret = SecretUrl(url)
    assert (repr(secret), str(secret), f"{secret}", secret.reveal()) == (shown, shown, shown, url)


def test_secrets_never_show(tmp_path):
    environ = {
        "INTERNAL_TOKEN": "hunter2-hunter2-hunter2,hunter2",
        "REDIS_PASSWORD": "hunter2",
        "REDIS_URL": "redis://:hunter2@h",
    }
    settings = load(environ=environ, directory=tmp_path)
    everything = f"{settings!r} {settings.http.tokens} {json.dumps(settings.sources)} {'|'.join(lines(settings))}"
    assert "hunter2" not in everything
    for wrong in ({"REDIS_URL": "http://:hunter2@h"}, {"REDIS_URL": "redis://:hunter2@h:port"}):
        assert "hunter2" not in refusal(tmp_path, **wrong)


def test_secrets_compare_by_kind_and_text():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != SecretUrl("a")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1"), ("db8::1", "http://[db8::1]:1"), ("h", "http://h:1")],
)
def test_where_a_listener_is_reached(host, url):
    assert base_url(host, 1) == url


@pytest.mark.parametrize(
    ("given", "count"),
    [("first-token-0123456789,second-token-0123456789", "2 tokens"), ("a-token-0123456789,", "1 token")],
)
@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("INTERNAL_TOKEN", "http.tokens"),
        ("INTERNAL_SERVICE_TOKEN", "http.tokens"),
        ("READER_TOKEN", "http.reader_tokens"),
        ("PRODUCER_TOKEN", "http.producer_tokens"),
        ("WORKER_METRICS_TOKEN", "metrics.tokens"),
    ],
)
def test_a_token_with_a_comma_is_said_to_be_several(tmp_path, variable, key, given, count):
    environ = {"INTERNAL_SERVICE_TOKEN": "another-token-0123456789", variable: given}

    (warning,) = load(environ=environ, directory=tmp_path).warnings

    assert warning.startswith(f"${variable} has a comma and so gives {count} ({key})")
    assert "0123456789" not in warning


def test_several_tokens_in_toml_are_meant(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('[http]\ntokens = ["with,comma-0123456789", "second-token-0123456789"]\n')
    file.chmod(0o600)

    settings = load(file, environ={}, directory=tmp_path)

    assert (len(settings.http.tokens), settings.warnings) == (2, ())


IN_CLUSTER = {"REDIS_CLUSTER": "true", "CLUSTER_PARTITIONS": "64", "REDIS_URL": "redis://a:1,b:2"}


@pytest.mark.parametrize(
    ("change", "names", "expected"),
    [
        ({"CLUSTER_PARTITIONS": "1"}, ("redis.cluster", "stream.partitions"), "expected several, 64 say"),
        ({"REDIS_URL": "redis://a:1,b:2/3"}, ("redis.cluster", "redis.url"), "no database but 0"),
        ({"REDIS_URL": "redis://a?db=1"}, ("redis.cluster", "redis.url"), "no database but 0"),
        ({"REDIS_URL": "unix:///s"}, ("redis.cluster", "redis.url"), "expected nodes of the cluster"),
        ({"REDIS_URL": "redis+sentinel://a/s"}, ("redis.cluster", "redis.url"), "expected nodes of the cluster"),
        ({"REDIS_CLUSTER": "false"}, ("redis.url",), "expected redis.cluster = true with several hosts"),
        ({"REDIS_CLUSTER_ADDRESSES": "a:1"}, ("redis.cluster_addresses",), "expected announced=reached"),
        ({"REDIS_CLUSTER_ADDRESSES": "a=b:1"}, ("redis.cluster_addresses",), "expected announced=reached"),
        (
            {"REDIS_CLUSTER": "false", "REDIS_URL": "redis://a", "REDIS_CLUSTER_ADDRESSES": "a:1=b:1"},
            ("redis.cluster_addresses",),
            "expected redis.cluster = true with it",
        ),
    ],
)
def test_what_a_cluster_cannot_be_is_refused_by_its_settings(tmp_path, change, names, expected):
    text = refusal(tmp_path, **{**IN_CLUSTER, **change})
    assert all(f"{name} = " in text for name in names)
    assert expected in text


def test_what_a_cluster_can_be_is_accepted(tmp_path):
    addresses = "10.0.0.1:1=127.0.0.1:2,[::1]:1=h:2"
    settings = load(environ={**IN_CLUSTER, "REDIS_CLUSTER_ADDRESSES": addresses}, directory=tmp_path)
    assert settings.redis.cluster_addresses == tuple(addresses.split(","))
    load(environ={**IN_CLUSTER, "REDIS_URL": "rediss://a/0"}, directory=tmp_path)
