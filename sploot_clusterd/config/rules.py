"""What must hold between settings: contradictions are refused before anything starts."""

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sploot_clusterd.config import redis_url
from sploot_clusterd.config.history import libpq_url
from sploot_clusterd.config.http import DEFAULT_TOKEN, HttpSettings
from sploot_clusterd.config.kinds import Secret, shown
from sploot_clusterd.config.schema import value_of
from sploot_clusterd.config.sections import Sections
from sploot_clusterd.config.tracing import is_of_grpc
from sploot_clusterd.keys import Keys

SHORTEST_TOKEN: Final = 16
_SERIOUS: Final = ("staging", "production")
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 - these are looked for, not bound


def contradictions(settings: Sections, sources: Mapping[str, str]) -> Iterator[str]:
    """Every contradiction, each naming its settings and where they come from."""

    def named(key: str) -> str:
        return f"{key} = {shown(value_of(settings, key))} ({sources.get(key, 'default')})"

    yield from _of_redis(settings, named)
    yield from _of_cluster(settings, named)
    yield from _of_keys(settings, named)
    yield from _of_insights(settings, named)
    yield from _of_proxies(settings, named)
    yield from _of_history(settings, named)
    stream, weights, hero = settings.stream, settings.engine.weights, settings.engine.hero
    if not settings.http.enabled and stream.consumers == 0:
        yield f"{named('http.enabled')} and {named('stream.consumers')}: such a process has nothing to do"
    if settings.engine.min_cluster_size > settings.clusters.max_cluster_size:
        yield f"{named('engine.min_cluster_size')}: expected at most {named('clusters.max_cluster_size')}"
    if not any((weights.embedding, weights.pose, weights.context)):
        yield f"{named('engine.weights.embedding')}, as pose and context: expected at least one weight above 0"
    if not any((hero.quality, hero.closeness, hero.recency)):
        yield f"{named('engine.hero.quality')}, as closeness and recency: expected at least one weight above 0"
    if _ports_clash(settings):
        yield f"{named('metrics.port')} and {named('http.port')}: expected two different ports"
    http, metrics = settings.http, settings.metrics
    for of, tokens, files in (
        ("http.", http.tokens if http.tokens != HttpSettings().tokens else None, http.token_files),
        ("http.reader_", http.reader_tokens, http.reader_token_files),
        ("http.producer_", http.producer_tokens, http.producer_token_files),
        ("metrics.", metrics.tokens, metrics.token_files),
    ):
        if tokens and files:
            yield f"{named(f'{of}tokens')} and {named(f'{of}token_files')}: expected only one of the two"


def _of_redis(settings: Sections, named: Callable[[str], str]) -> Iterator[str]:
    redis, url = settings.redis, settings.redis.url.reveal()
    if redis.ssl and url.startswith("unix:"):
        yield f"{named('redis.ssl')} and {named('redis.url')}: a unix socket has no TLS"
    if not redis.ssl and not redis_url.uses_tls(url):
        if redis.ssl_ca_certs:
            yield f"{named('redis.ssl_ca_certs')}: expected redis.ssl = true or a rediss:// URL with it"
        if options := redis_url.tls_options(url):
            yield f"{named('redis.url')}: expected redis.ssl = true or a rediss:// URL with {', '.join(options)}"
    if redis.password and redis_url.password(url) not in ("", redis.password.reveal()):
        yield f"{named('redis.password')} and {named('redis.url')}: they hold two different passwords"
    for name, given in (("username", redis.sentinel_username), ("password", redis.sentinel_password)):
        if given and not redis_url.location(url).sentinels:
            yield f"{named(f'redis.sentinel_{name}')}: expected a redis+sentinel:// URL with it in redis.url"


def _of_cluster(settings: Sections, named: Callable[[str], str]) -> Iterator[str]:
    redis, url = settings.redis, settings.redis.url.reveal()
    here, where = named("redis.cluster"), named("redis.url")
    if not redis.cluster:
        if redis_url.location(url).nodes:
            yield f"{where}: expected redis.cluster = true with several hosts"
        if redis.cluster_addresses:
            yield f"{named('redis.cluster_addresses')}: expected redis.cluster = true with it"
        return
    if redis_url.location(url).sentinels or url.startswith("unix:"):
        yield f"{here} and {where}: expected nodes of the cluster there, redis://host:port,host:port"
    if redis_url.database(url):
        yield f"{here} and {where}: a cluster has no database but 0"
    if settings.stream.partitions == 1:
        yield f"{here} and {named('stream.partitions')}: expected several, 64 say: a cluster keeps each on one node"
    for pair in redis.cluster_addresses or ():
        if not _is_address_pair(pair):
            yield f"{named('redis.cluster_addresses')}: expected announced=reached, both host:port, and not {pair!r}"


def _is_address_pair(text: str) -> bool:
    announced, _, reached = text.partition("=")
    try:
        redis_url.place(announced, 0), redis_url.place(reached, 0)
    except ValueError:
        return False
    return True


def _of_insights(settings: Sections, named: Callable[[str], str]) -> Iterator[str]:
    insights = settings.insights
    if insights.token and insights.token_file:
        yield f"{named('insights.token')} and {named('insights.token_file')}: expected only one of the two"
    if insights.ca_file and insights.url and insights.url.reveal().lower().startswith("http:"):
        yield f"{named('insights.ca_file')} and {named('insights.url')}: expected an https:// URL with it"


def _of_history(settings: Sections, named: Callable[[str], str]) -> Iterator[str]:
    history = settings.history
    if history.url and not settings.feed.enabled:
        yield f"{named('history.url')} and {named('feed.enabled')}: history is written from the feed; leave that out"
    if history.pooler and not (history.url and libpq_url(history.url.reveal())):
        yield f"{named('history.pooler')}: expected a postgresql:// URL with it in history.url"


def _of_proxies(settings: Sections, named: Callable[[str], str]) -> Iterator[str]:
    http = settings.http
    if http.identity_header and not http.trusted_proxies:
        yield f"{named('http.identity_header')}: expected http.trusted_proxies with it, or anybody could be anyone"
    for n, access in enumerate(http.access or ()):
        if access.identities and not http.identity_header:
            yield f"http.access[{n}].identities: expected http.identity_header, where they are named, with them"


def _of_keys(settings: Sections, named: Callable[[str], str]) -> Iterator[str]:
    keys = Keys(settings.clusters.namespace, settings.stream.key, settings.stream.dead_letter)
    for key, one, other in keys.used_twice():
        yield f"{named(one)} and {named(other)}: both would use the key {key!r}; expected different ones"
    for setting, key in keys.like_a_pets().items():
        whose = "a pet's or a model version's"
        yield f"{named(setting)} and {named('clusters.namespace')}: the key {key!r} would be {whose} as well"


def unverified_tls(settings: Sections, sources: Mapping[str, str]) -> Iterator[str]:
    """Warnings about TLS that anybody on the way to Redis may end and begin anew."""
    if settings.service.environment not in _SERIOUS:
        return
    source = sources.get("redis.url", "default")
    for option in redis_url.unverified(settings.redis.url.reveal()):
        yield (
            f"redis.url ({source}): with {option} whoever is on the way to Redis in {settings.service.environment} can "
            "read and change everything; give the CA to trust by redis.ssl_ca_certs instead"
        )


def no_token(settings: Sections, sources: Mapping[str, str]) -> Iterator[str]:
    """A warning: the storage service's contract has a token."""
    if settings.insights.url and not settings.insights.token:
        yield (
            f"insights.url ({sources['insights.url']}): the storage service is asked without a token; where it wants "
            "one, set insights.token or insights.token_file"
        )


def grpc_port(settings: Sections, sources: Mapping[str, str]) -> Iterator[str]:
    """A warning: collectors have two ports, and the other one answers us nothing."""
    if settings.tracing.endpoint and is_of_grpc(settings.tracing.endpoint.reveal()):
        yield (
            f"tracing.endpoint ({sources['tracing.endpoint']}): 4317 is where collectors speak gRPC; what is sent here "
            "is OTLP over HTTP, mostly port 4318"
        )


def weak_tokens(settings: Sections, sources: Mapping[str, str]) -> tuple[str | None, str | None]:
    """(problem, warning) about tokens that can be guessed: at most one of the two."""
    http = settings.http
    if not http.enabled or not any(map(is_weak, http.tokens)):
        return None, None
    source = sources.get("http.token_files") or sources.get("http.tokens", "default")
    weak = f"http.tokens ({source}): the default token, and any of fewer than {SHORTEST_TOKEN} bytes, is"
    if settings.service.environment in _SERIOUS:
        return f"{weak} refused in {settings.service.environment}", None
    if not is_loopback(http.host):
        return f"{weak} allowed on a loopback address only, and http.host is {http.host!r}", None
    return None, f"{weak} for trying things out; this daemon must not be reachable from elsewhere"


def tokens_with_commas(settings: Sections, sources: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[str]:
    """Warnings for variables with a comma in the place of a token: it may have been meant as one, and gives several.

    `texts`: what the variables hold, by the setting that they give.
    """
    http = settings.http
    for key, tokens, rest in (
        ("http.tokens", http.tokens, "http.token_files"),
        ("http.reader_tokens", http.reader_tokens, "http.reader_token_files"),
        ("http.producer_tokens", http.producer_tokens, "http.producer_token_files"),
        ("metrics.tokens", settings.metrics.tokens, "metrics.token_files"),
    ):
        if tokens and "," in texts.get(key, ""):
            count = f"{len(tokens)} tokens" if len(tokens) != 1 else "1 token"
            yield (
                f"{sources[key]} has a comma and so gives {count} ({key}), each of which is let in; a token that holds "
                f"a comma itself goes to a file ({rest})"
            )


def weak_metrics_tokens(settings: Sections, sources: Mapping[str, str]) -> str | None:
    """The problem with a token that can be guessed. None has to be set, so there is no place for a weak one."""
    if not any(map(is_weak, settings.metrics.tokens or ())):
        return None
    source = sources.get("metrics.token_files") or sources.get("metrics.tokens", "default")
    return f"metrics.tokens ({source}): expected tokens of at least {SHORTEST_TOKEN} bytes"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than localhost is not looked up: it counts as no."""
    if host.lower() == "localhost":
        return True
    for family, network in ((socket.AF_INET, b"\x7f"), (socket.AF_INET6, bytes(15) + b"\x01")):
        with contextlib.suppress(OSError):
            return socket.inet_pton(family, host).startswith(network)
    return False


def is_weak(token: Secret) -> bool:
    """Whether it can be guessed."""
    text = token.reveal()
    return text == DEFAULT_TOKEN or len(text.encode(errors="surrogateescape")) < SHORTEST_TOKEN


def _ports_clash(settings: Sections) -> bool:
    http, metrics = settings.http, settings.metrics
    same_port = http.enabled and metrics.enabled and http.port == metrics.port != 0
    return same_port and (http.host == metrics.host or bool(_EVERYWHERE & {http.host, metrics.host}))
