"""Where webhooks may lead: out into the world, and into the own network only where that is set."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from django.conf import settings

from runs.notices.errors import NotTakenError, RefusedError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Target:
    """A webhook's URL, taken apart.

    Args:
        path: with the query.
    """

    scheme: str
    host: str
    port: int
    path: str


def parse(url: str) -> Target:
    """Take a URL apart.

    Raises:
        RefusedError: if nothing may be sent there, as far as the text tells.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RefusedError(f"expected a web address: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise RefusedError("expected a web address that begins with https:// or http:// and a host")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise RefusedError("expected a web address of printable ASCII characters; encode others with %")
    if parts.username is not None or parts.fragment:
        raise RefusedError("expected a web address without user, password and #fragment")
    _refuse_private(_literal(parts.hostname))
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    return Target(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path)


def resolve(target: Target) -> list[str]:
    """Find the addresses of a target's host, all of which may be connected to.

    Connect to one of these and to nothing else: a second look at the name could give another answer.

    Raises:
        NotTakenError: if the name has no address now.
        RefusedError: if one of its addresses is private.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotTakenError(f"{target.host} has no address: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    _refuse_private([ipaddress.ip_address(address.partition("%")[0]) for address in addresses])
    return addresses


def _literal(host: str) -> list[Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        return []


def _refuse_private(addresses: list[Address]) -> None:
    if settings.ALLOW_PRIVATE_WEBHOOKS:
        return
    for address in addresses:
        if not all(_is_public(one) for one in _meant(address)):
            raise RefusedError(
                f"{address} is a private, local or reserved address; "
                "NNLAB_ALLOW_PRIVATE_WEBHOOKS=true allows such webhooks"
            )


def _is_public(address: Address) -> bool:
    is_reserved = address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    return address.is_global and not is_reserved


def _meant(address: Address) -> list[Address]:
    """An address, or those that it may be translated to on its way."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    inner = [address.sixtofour, *(address.teredo or ())]
    return [address, *(one for one in inner if one is not None)]
