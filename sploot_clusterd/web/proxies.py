"""Proxies in front of us: whom they name as client and as user, which is believed of those that are trusted alone."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web

_SITE: Final = "Sec-Fetch-Site"
_OWN_SITE: Final = ("same-origin", "none")


class Proxies:
    """Those that are trusted, by the addresses that their connections come from."""

    def __init__(self, networks: Iterable[str] = (), identity_header: str | None = None) -> None:
        """`networks`: addresses too. `identity_header`: where they name their users; None: they do not."""
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._identity_header = identity_header
        self._trusts = lru_cache(maxsize=1024)(self._is_inside)  # parsing takes longer than most requests' checks

    def identities(self, request: web.BaseRequest) -> Sequence[str]:
        """Who the proxy says its user is: a name, groups, or both. None of them if it is not trusted.

        Nor if the header is there twice, as where a client sent one that the proxy added its own to; nor if a browser
        says that another site asks: a user who is logged in there did not.
        """
        header = self._identity_header
        if header is None or not self._trusts(request.remote):
            return ()
        values = request.headers.getall(header, ())
        if len(values) != 1 or request.headers.get(_SITE, "none") not in _OWN_SITE:
            return ()
        return [each for text in values[0].split(",") if (each := text.strip())]

    def client(self, request: web.BaseRequest) -> str | None:
        """The address of who asked: of the peer; if that is a trusted proxy, the one that came to it, and so on.

        A client may send either of the two headers itself: where both are there and differ, neither is believed.
        """
        peer = request.remote
        if not self._trusts(peer):
            return peer
        told = {self._nearest_stranger(hops) for hops in (_x_forwarded_for(request), _forwarded(request)) if hops}
        return (told.pop() if len(told) == 1 else "") or peer

    def _nearest_stranger(self, hops: Sequence[str]) -> str:
        """The last one that is no trusted proxy, empty if it hides: what stands before it, it may have made up."""
        return next((hop for hop in reversed(hops) if not self._trusts(hop)), hops[0])

    def _is_inside(self, address: str | None) -> bool:
        try:
            found = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:  # a socket of both families shows IPv4 so
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)


def _x_forwarded_for(request: web.BaseRequest) -> list[str]:
    lines = request.headers.getall(hdrs.X_FORWARDED_FOR, ())
    return [_address(hop) for line in lines for hop in line.split(",")]


def _forwarded(request: web.BaseRequest) -> list[str]:
    lines = request.headers.getall(hdrs.FORWARDED, ())
    if any(line.count('"') % 2 or "\\" in line for line in lines):
        return [""]  # a quote that a client left open would swallow what the proxy added
    return [_address(element.get("for", "")) for element in request.forwarded]


def _address(hop: str) -> str:
    """Without a port; empty if it is no address, as `unknown` or a name that hides one."""
    hop = hop.strip()
    bare = hop[1:].partition("]")[0] if hop.startswith("[") else hop.partition(":")[0] if hop.count(":") == 1 else hop
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return ""
