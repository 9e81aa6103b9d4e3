"""Which addresses are of the public internet. Pure: no name is resolved here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_PARTS = 4


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also when it is wrapped in IPv6."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


def says_private(url: str) -> bool:
    """Whether a URL names, as it is written, a host that is not of the public internet.

    A name of the public internet may still lead to a private address: that is seen when it is resolved.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761
        return True
    try:
        return not is_public(_as_number(host) or host.split("%", 1)[0])
    except ValueError:
        return False


def _as_number(host: str) -> str | None:
    """An IPv4 address in any of the ways that inet_aton(3) takes: 127.1, 0x7f000001, 017700000001."""
    try:
        parts = list(_numbers(host))
    except ValueError:
        return None
    *first, last = parts
    if len(parts) > _PARTS or any(part > 255 for part in first) or last >= 256 ** (5 - len(parts)):
        return None
    number = last + sum(part << (24 - 8 * place) for place, part in enumerate(first))
    return str(ipaddress.IPv4Address(number))


def _numbers(host: str) -> Iterator[int]:
    for part in host.split("."):
        octal = len(part) > 1 and part.startswith("0") and part.isdecimal()
        yield int(part, 8 if octal else 16 if part.lower().startswith("0x") else 10)
