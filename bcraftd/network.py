"""Addresses: the client's, believed from X-Forwarded-For only where a trusted proxy wrote it, and our own."""

import ipaddress
from collections.abc import Mapping

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    # A socket that listens for both kinds shows an IPv4 client as ::ffff:192.0.2.1: one client, one address.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _trusted(address: Address | None) -> bool:
    return address is not None and any(address in network for network in settings.TRUSTED_PROXIES)


def client_address(meta: Mapping[str, str]) -> str:
    """The address of who made the request, as text.

    Walks X-Forwarded-For from its right end, where our own proxies write, to the first address that is not a
    trusted proxy. What stands left of that was written by the client and is not believed.
    """
    peer = _parse(meta.get("REMOTE_ADDR", ""))
    if peer is None:
        return "0.0.0.0"  # noqa: S104 - a name for "unknown" (a unix socket), nothing is bound to it # nosec B104
    for hop in reversed(meta.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if not _trusted(peer):
            break
        further = _parse(hop)
        if further is None:
            break
        peer = further
    return str(peer)


def from_trusted_proxy(meta: Mapping[str, str]) -> bool:
    """Whether the connection itself comes from a trusted proxy."""
    return _trusted(_parse(meta.get("REMOTE_ADDR", "")))


def counted_address(address: str) -> str:
    """Whom a limit by address counts: an IPv4 address itself, of IPv6 the /64 network that one customer has to
    themselves, named by its first address. Else a guesser would have 2^64 addresses."""
    parsed = _parse(address)
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address
    return str(ipaddress.IPv6Address(int(parsed) >> 64 << 64))


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine and cannot be reached from another."""
    address = _parse(host)
    return address.is_loopback if address is not None else host.lower() == "localhost"


def own_address(bind: str) -> str:
    """How this machine reaches a server that listens on `bind`, as it stands in a URL."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return bind
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return bind if address.version == 4 else f"[{bind}]"
