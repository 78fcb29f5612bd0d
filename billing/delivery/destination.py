"""Where a webhook may lead: to public addresses by https, and nowhere into our own network.

An endpoint's address is stated by somebody outside, and we call it from inside: without a guard it
reads what only we can reach (server-side request forgery). The name is looked up once, every
address that it has is judged here, and the connection goes to one that was judged.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterable

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL = 1000
_PORTS = {"http": 80, "https": 443}

_NEVER = tuple(
    ipaddress.ip_network(each)
    for each in (
        "100.64.0.0/10",  # between carriers and their customers; Alibaba Cloud's metadata too
        "192.0.0.0/24",  # between protocols, and Oracle's metadata
        "192.88.99.0/24",  # relays of 6to4
        "64:ff9b::/96",  # IPv4 behind NAT64
        "64:ff9b:1::/48",  # the same, of one's own
        "2001::/32",  # IPv4 inside Teredo
        "2002::/16",  # IPv4 inside 6to4
        "fec0::/10",  # site-local, as it once was
        "fd00:ec2::254/128",  # Amazon's metadata
    )
)
"""What Python does not count among private, loopback, link-local, multicast or reserved."""


class Reach(Enum):
    """How far webhooks may reach."""

    PUBLIC = "public"
    """By https to addresses of the public internet; 169.254.169.254 and the like are not."""
    THIS_MACHINE = "this machine"
    """By http too, and to this machine only: for a demo and for tests."""


class DestinationError(ValueError):
    """A webhook may not lead there; the message says why."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a URL leads: `target` is path and query, as they are sent."""

    url: str
    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _PORTS["https" if self.secure else "http"]
        return host if self.port == usual else f"{host}:{self.port}"


def destination(url: str, reach: Reach) -> Destination:
    """Return where `url` leads; raise `DestinationError`. Names are judged by `assert_allowed`."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise DestinationError(
            told(
                "must be at most {longest} letters of ASCII without spaces",
                longest=LONGEST_URL,
            )
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DestinationError(told("is no address such as https://example.com/notices")) from error
    allowed = ("https",) if reach is Reach.PUBLIC else ("https", "http")
    if parts.scheme not in allowed or not parts.hostname:
        raise DestinationError(told("must begin with https:// and a name"))
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise DestinationError(told("must hold no password and no fragment"))
    if "\\" in url or "%" in parts.netloc:
        raise DestinationError(told("must name its host plainly"))
    found = Destination(
        url=url,
        secure=parts.scheme == "https",
        host=parts.hostname,
        port=_PORTS[parts.scheme] if port is None else port,
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    if (literal := _literal(found.host)) is not None:
        assert_allowed([literal], reach)
    return found


def assert_allowed(addresses: Iterable[str], reach: Reach) -> None:
    """Raise `DestinationError` unless a name with all these addresses may be called.

    One address that is not allowed spoils the name: who can add it can also answer with it alone.
    """
    for each in addresses:
        ip = _unwrapped(ipaddress.ip_address(each.partition("%")[0]))
        if reach is Reach.THIS_MACHINE:
            if not ip.is_loopback:
                raise DestinationError(told("{address} is not this machine", address=each))
        elif not _is_public(ip):
            raise DestinationError(
                told("{address} is no address of the public internet", address=each)
            )


def _is_public(ip: Ip) -> bool:
    inside = (
        ip.is_private,
        ip.is_loopback,
        ip.is_link_local,
        ip.is_multicast,
        ip.is_reserved,
        ip.is_unspecified,
        any(ip.version == each.version and ip in each for each in _NEVER),
    )
    return ip.is_global and not any(inside)


def _unwrapped(ip: Ip) -> Ip:
    """Return the IPv4 address that an IPv6 address only wraps, else `ip`."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _literal(host: str) -> str | None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return host
