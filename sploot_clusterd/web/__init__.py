"""HTTP: takes requests apart, asks the store, answers. Nothing here knows Redis, and no answer waits for clustering."""

from sploot_clusterd.web.app import build_app, build_ops_app
from sploot_clusterd.web.auditing import Auditor
from sploot_clusterd.web.auth import Tokens
from sploot_clusterd.web.backend import Behind
from sploot_clusterd.web.server import HttpServer, Listening

__all__ = ["Auditor", "Behind", "HttpServer", "Listening", "Tokens", "build_app", "build_ops_app"]
