"""`redis.url`: what is accepted opens connections, and what redis-py would pass over or fail at is refused."""

import pytest
from redis.asyncio.connection import SSLConnection, parse_url

from sploot_clusterd.config import Secret, SecretUrl, load, read
from sploot_clusterd.config.redis_url import is_allowed, location, tls_options
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.store.address import address_of

ACCEPTED = [
    ("redis://h", 0),
    ("redis://h/", 0),
    ("redis://h:6380/2", 2),
    ("redis://h/2/", 2),
    ("redis:///3", 3),
    ("redis://user:p%23ss@[::1]:6379/0", 0),
    ("redis://h?db=4", 4),
    ("redis://h/0?username=u&password=a+b%26c", 0),
    ("rediss://h/1?ssl_cert_reqs=none&ssl_check_hostname=No", 1),
    ("rediss://h?ssl_ca_certs=/ca.pem&ssl_ca_path=/ca&ssl_certfile=/c.pem&ssl_keyfile=/k.pem", 0),
    ("unix:///run/redis.sock", 0),
    ("unix://user@/run/redis.sock?db=1&password=hunter2", 1),
]
"""With the number of the database that each one means."""

SENTINELS = [
    ("redis+sentinel://h/mymaster", (("h", 26379),), "mymaster", "redis://sentinel"),
    ("redis+sentinel://h,i:1/a.b-c_D/2", (("h", 26379), ("i", 1)), "a.b-c_D", "redis://sentinel/2"),
    ("redis+sentinel://u:p%23@w@[::1]:7,10.0.0.1/s/?db=4", (("::1", 7), ("10.0.0.1", 26379)), "s", "redis://u:p%23@w@"),
    ("rediss+sentinel://:p@h:26380/s/0?ssl_cert_reqs=none", (("h", 26380),), "s", "rediss://:p@sentinel/0?ssl_"),
]


@pytest.mark.parametrize(("url", "database"), ACCEPTED)
def test_what_is_accepted_is_understood_as_by_the_library(tmp_path, url, database):
    settings = read(environ={"REDIS_URL": url}, directory=tmp_path).redis  # the files need not be there
    assert settings.url == SecretUrl(url)
    address, library = address_of(settings), parse_url(url)
    assert address.database == database
    assert address.path == library.get("path", "")
    assert (address.username, address.password) == (library.get("username", ""), library.get("password", ""))
    assert (address.host, address.port) == (library.get("host", "localhost"), library.get("port", 6379))
    assert (address.tls is not None) == (library.get("connection_class") is SSLConnection)
    assert {k: v for k, v in (address.tls or {}).items() if v and k != "ssl_check_hostname"} == {
        k: v for k, v in library.items() if k.startswith("ssl_") and k != "ssl_check_hostname"
    }


@pytest.mark.parametrize(
    "url",
    [
        "h:6379",
        "http://h",
        "redis:h",
        "REDIS://h",
        "redis://h:0",
        "redis://h:port",
        "redis://h:99999",
        "redis://h/notanumber",
        "redis://h/-1",
        "redis://h/1/2",
        "redis://h/%31",
        "redis://:12#hunter2@h",
        "redis://h/0?bogus=1",
        "redis://h?db=x",
        "redis://h?db=",
        "redis://h?db",
        "redis://h?db=-1",
        "redis://h?d%62=1",
        "redis://h?db=\u0661",
        "redis://h?socket_timeout=abc",
        "redis://h?socket_timeout=1",
        "redis://h?max_connections=5",
        "redis://h?protocol=3",
        "redis://h?decode_responses=1",
        "redis://h?password=hunter2&bogus=1",
        "rediss://h?ssl_cert_reqs=CERT_NONE",
        "rediss://h?ssl_check_hostname=off",
        "unix:///s?db=x",
        "unix:///s?socket_timeout=abc",
        "unix://relative/s",
        "unix://",
        "unix:///",
        "redis+sentinel://h",
        "redis+sentinel://h/",
        "redis+sentinel:///service",
        "redis+sentinel://h,/service",
        "redis+sentinel://h:0/service",
        "redis+sentinel://h:99999/service",
        "redis+sentinel://h i/service",
        "redis+sentinel://[h]/service",
        "redis+sentinel://h/my master",
        "redis+sentinel://h/service/x",
        "redis+sentinel://h/service/0/1",
        "redis+sentinel://h/service?bogus=1",
        "redis+sentinel://:hunter2#@h/service",
        "unix+sentinel://h/service",
    ],
)
def test_what_is_refused_says_what_is_allowed_and_shows_nothing(tmp_path, url):
    with pytest.raises(ConfigError) as caught:
        load(environ={"REDIS_URL": url}, directory=tmp_path)
    text = str(caught.value)
    assert text.startswith("redis.url = ******** ($REDIS_URL): expected redis://host, ")
    assert "no options but db, username, password," in text
    assert "hunter2" not in text


@pytest.mark.parametrize(("url", "sentinels", "service", "begins"), SENTINELS)
def test_sentinels_are_taken_out_of_the_url(tmp_path, url, sentinels, service, begins):
    settings = read(environ={"REDIS_URL": url}, directory=tmp_path).redis
    found = location(settings.url.reveal())
    assert (found.sentinels, found.service) == (sentinels, service)
    assert found.url.startswith(begins)
    address = address_of(settings)
    assert (address.tls is not None) == url.startswith("rediss")
    assert (address.username, address.password, address.database) == {
        0: ("", "", 0),
        1: ("", "", 2),
        2: ("u", "p#@w", 4),
        3: ("", "p", 0),
    }[SENTINELS.index((url, sentinels, service, begins))]
    assert "p@" not in repr(settings.url)
    assert "w@" not in repr(settings.url)


def test_options_that_need_tls_are_told_apart():
    url = "rediss://h?db=1&ssl_cert_reqs=none&ssl_keyfile=/k"
    assert is_allowed(url)
    assert tls_options(url) == ["ssl_cert_reqs", "ssl_keyfile"]
    assert tls_options("redis://:ssl_x@h/0?db=1") == []


def test_what_the_url_names_is_decoded_as_it_is_for_redis(tmp_path):
    url = "redis://h/0?username=u&password=a+b%26c"
    settings = load(environ={"REDIS_URL": url, "REDIS_PASSWORD": "other"}, directory=tmp_path).redis
    assert settings.password == Secret("other")
    assert address_of(settings).password == "a b&c"


@pytest.mark.parametrize(
    ("url", "nodes", "rest"),
    [
        ("redis://a,b:7001,[::1]:7002/0", (("a", 6379), ("b", 7001), ("::1", 7002)), "redis://a/0"),
        ("rediss://u:p,@w@a:1,b:2?ssl_cert_reqs=none", (("a", 1), ("b", 2)), "rediss://u:p,@w@a:1?ssl_cert_reqs=none"),
        ("redis://a:1", (), "redis://a:1"),
        ("redis://u:p,q@a:1/0", (), "redis://u:p,q@a:1/0"),
    ],
)
def test_nodes_of_a_cluster_are_taken_out_of_the_url(tmp_path, url, nodes, rest):
    assert is_allowed(url)
    found = location(url)
    assert (found.nodes, found.url, found.sentinels) == (nodes, rest, ())
    environ = {"REDIS_URL": url, "REDIS_CLUSTER": "true", "CLUSTER_PARTITIONS": "8"}
    address = address_of(load(environ=environ, directory=tmp_path).redis)
    assert (address.host, address.password in ("", "p,@w", "p,q")) == ("a", True)


@pytest.mark.parametrize("hosts", ["a,", ",a", "a,,b", "a:0,b", "a,b:x", "a,b:99999", "a b,c", "[a],b"])
def test_nodes_that_cannot_be_asked_are_refused(tmp_path, hosts):
    with pytest.raises(ConfigError, match="several nodes: host:6379,host:6379"):
        load(environ={"REDIS_URL": f"redis://{hosts}/0", "REDIS_CLUSTER": "true"}, directory=tmp_path)
