"""URLs, as far as the program has to understand them: what is this machine, what goes behind what, what may be shown.

Pure, and without the HTTP client: the command line asks it, too.
"""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    IPAddress: TypeAlias = IPv4Address | IPv6Address


def joined(base_url: str, path: str) -> str:
    """Return the URL of `path` under a base URL, whose query stays behind it: keys of gateways, versions of APIs.

    A fragment is nothing that a server is told.
    """
    try:
        parts = urlsplit(base_url)
    except ValueError:
        return base_url + path  # whoever sends it says that it is none
    way, _, query = path.partition("?")
    queries = "&".join(filter(None, (parts.query, query)))
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + way, queries, ""))


def basic(url: str) -> dict[str, str]:
    """Return the header for the user and the password that a URL names; none where it names none.

    https://www.rfc-editor.org/rfc/rfc7617.
    """
    parts = urlsplit(url)
    if not (parts.username or parts.password):
        return {}
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode('utf-8', 'surrogateescape')).decode()}"}


def without_user(url: str) -> str:
    """Return the URL without a user and a password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def shown(url: str) -> str:
    """Return the URL without what may be secret in it: user, password, query."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        place = host if parts.port is None else f"{host}:{parts.port}"
    except ValueError:
        return "an unreadable URL"
    return urlunsplit((parts.scheme, place, parts.path, "", ""))


def secret_parts(url: str) -> list[str]:
    """Return what may be secret in a URL: its password, and what its query says, unless it is known to be harmless."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    said = [value for name, value in parse_qsl(parts.query) if not _is_harmless(name)]
    user = [unquote(parts.password or ""), basic(url).get("authorization", "").removeprefix("Basic ")]
    return [each for each in (parts.password or "", *user, *said) if each]


def _is_harmless(name: str) -> bool:
    """Tell whether a parameter, such as Azure's `api-version`, is known to be no secret."""
    return any(word in name.lower() for word in ("version", "model", "deployment", "region"))


def ip_of(host: str) -> IPAddress | None:
    """Return the address that a host is, in any of the ways in which it is written; None for a name."""
    from ipaddress import IPv4Address, ip_address  # not with the program, which mostly asks no address at all

    bare = host.strip("[]")
    try:
        address = ip_address(bare)
    except ValueError:
        try:
            # What the resolver takes for an address, too: 127.1, 0x7f000001.
            return IPv4Address(socket.inet_aton(bare)) if bare[:1].isdigit() and bare.isascii() else None
        except OSError:
            return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, and not only looks like it: 127.0.0.1.example.org does not.

    The names are those of https://www.rfc-editor.org/rfc/rfc6761#section-6.3.
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = ip_of(name)
    return address is not None and address.is_loopback
