"""Settings of the HTTP server: where it listens, who may what there, and how much it bears."""

from dataclasses import dataclass
from typing import Final

from sploot_clusterd.config.access import ALLOWED, Access, Grant, read_access
from sploot_clusterd.config.kinds import (
    Secret,
    networks,
    number,
    secret_tables,
    secrets,
    switch,
    text,
    texts,
    whole,
)

DEFAULT_TOKEN: Final = "changeme"  # noqa: S105 - known to everybody, and refused where that matters
_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The HTTP server for internal callers."""

    enabled: bool = switch(True, "Whether to serve HTTP; a process without it only consumes.", env="HTTP_ENABLED")
    host: str = text(
        "127.0.0.1",
        "The address to listen on; 0.0.0.0 for all of IPv4, :: for all of IPv6 and IPv4.",
        r"\S+",
        "an address",
        env="HTTP_HOST",
    )
    port: int = whole(9007, "The port to listen on; 0 takes any free one.", 0, _PORT, env="HTTP_PORT")
    reuse_port: bool = switch(
        False,
        "Lets several processes of one host share the port; the kernel spreads connections.",
        env="HTTP_REUSE_PORT",
    )
    tokens: tuple[Secret, ...] = secrets(
        (Secret(DEFAULT_TOKEN),),
        "What X-Internal-Token must be; several while rotating. Read again on SIGHUP.",
        env="INTERNAL_TOKEN INTERNAL_SERVICE_TOKEN",
    )
    token_files: tuple[str, ...] | None = texts(
        None, "Files with a token a line, in place of tokens. Read again on SIGHUP.", env="INTERNAL_TOKEN_FILE"
    )
    reader_tokens: tuple[Secret, ...] | None = secrets(
        None, "Tokens that may read, and nothing else. Read again on SIGHUP.", env="READER_TOKEN"
    )
    reader_token_files: tuple[str, ...] | None = texts(
        None, "Files with a token a line, in place of reader_tokens. Read again on SIGHUP.", env="READER_TOKEN_FILE"
    )
    producer_tokens: tuple[Secret, ...] | None = secrets(
        None, "Tokens that may submit jobs, and nothing else. Read again on SIGHUP.", env="PRODUCER_TOKEN"
    )
    producer_token_files: tuple[str, ...] | None = texts(
        None, "Files with a token a line, in place of producer_tokens. Read again on SIGHUP.", env="PRODUCER_TOKEN_FILE"
    )
    access: tuple[Access, ...] | None = secret_tables(
        None, "Who else may what, each a table [[http.access]]. Read again on SIGHUP.", read_access, ALLOWED
    )
    trusted_proxies: tuple[str, ...] | None = networks(
        None, "Whose connections are believed when they name clients and users; unset: nobody's."
    )
    identity_header: str | None = text(
        None,
        "The header in which trusted proxies name their user, or groups; identities in http.access say who may what.",
        r"(?i:(?!x-internal-token$)[a-z0-9-]+)",
        "a header's name",
    )
    base_path: str | None = text(
        None,
        "A path below which everything is served as well, for proxies that leave it in.",
        r"(?!/internal(/|$))(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+",
        "a path as /clusters, which neither ends with / nor begins with /internal",
    )
    ui: bool | None = switch(
        None,
        "Whether to serve the page for people, /ui; unset: in local and development, not in staging and production.",
    )
    max_body_bytes: int = whole(8 * 2**20, "The largest request body, in bytes.", 1024, 2**30)
    body_timeout_s: float = number(10.0, "How long a client may take to send a body, in seconds.", 0.1, 600.0)
    keepalive_s: float = number(
        30.0, "How long an idle connection, or one with unfinished headers, stays open, in seconds.", 1.0, 600.0
    )
    max_connections: int = whole(
        2000,
        "Callers' requests at once; one more is a 503. 32 more may be open: beyond, idle connections go.",
        1,
        1_000_000,
    )
    grants: tuple[Grant, ...] = ()
    """What `load` makes of readers, producers and `access`."""
