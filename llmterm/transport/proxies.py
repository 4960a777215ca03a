"""Which proxy a request goes through: the variables that people and desktops set, in all the ways they are written.

Loopback is never proxied: a key and every word would go to another machine to come back from there. What cannot be
used is only an error for an address that needs it. Names of hosts are compared as curl does it
(https://curl.se/libcurl/c/CURLOPT_NOPROXY.html), and an address also with networks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from llmterm.address import ip_of, is_loopback
from llmterm.errors import ConfigError

if TYPE_CHECKING:
    from llmterm.address import IPAddress

_KINDS = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5h", "socks": "socks5"}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """One of `kind` http, https, socks5 or socks5h; `address` is what may be shown of it, and `variable` names it."""

    kind: str
    address: str
    variable: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def require(self) -> None:
        """Raise ConfigError where what it takes is not installed."""
        if self.kind.startswith("socks") and find_spec("socksio") is None:
            raise ConfigError(
                f"the proxy {self.address} in {self.variable} needs socksio",
                hint="pip install 'llmterm[socks]'; NO_PROXY names what needs no proxy",
            )


@dataclass(frozen=True, slots=True)
class Proxies:
    """What the environment says, as it says it: by "http", "https" and "all", each with its variable, and NO_PROXY."""

    _said: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    _excluded: tuple[str, ...] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return what the variables say; the small ones win, also where they are empty: that switches a proxy off."""
        said = {}
        for scheme in ("http", "https", "all"):
            if found := _variable(environ, f"{scheme}_proxy"):
                said[scheme] = found
        if "REQUEST_METHOD" in environ and said.get("http", ("",))[0] == "HTTP_PROXY":
            del said["http"]  # in CGI a header of the request is called like that: https://httpoxy.org
        excluded = _variable(environ, "no_proxy")
        if not said and sys.platform in ("win32", "darwin"):
            from urllib.request import getproxies  # asks the system

            said = {scheme: ("the system's settings", url) for scheme, url in getproxies().items()}
        return cls(said, tuple(re.split(r"[\s,]+", excluded[1])) if excluded else ())

    def proxy(self, url: str) -> Proxy | None:
        """Return the proxy on the way to `url`, None for a direct way. Raises ConfigError for one that is none."""
        parts = urlsplit(url)
        found = self._said.get(parts.scheme) or self._said.get("all")
        port = parts.port or _PORTS.get(parts.scheme, 0)
        if not found or self._is_direct((parts.hostname or "").lower().rstrip("."), port):
            return None
        return _read(*found)

    def all(self) -> list[Proxy]:
        """Return those that are set, each by its variable. Raises ConfigError for one that cannot be used."""
        found = [_read(variable, url) for variable, url in self._said.values()]
        for proxy in found:
            proxy.require()
        return found

    def _is_direct(self, host: str, port: int) -> bool:
        address = ip_of(host)
        if is_loopback(host) or (address is not None and address.is_unspecified):
            return True
        return any(_names(entry.lower(), host, address, port) for entry in self._excluded if entry)


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """Return the name and the value of a variable that is set in small letters, or else in capitals."""
    variable = name if name in environ else name.upper()
    value = environ.get(variable, "").strip()
    return (variable, value) if value else None


def _names(entry: str, host: str, address: IPAddress | None, port: int) -> bool:
    """Tell whether an entry of NO_PROXY means a host: by `*`, a name or the end of one, an address or a network."""
    if entry == "*":
        return True
    entry = entry.rpartition("://")[2]
    if address is not None and _holds(entry, address):
        return True
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal():
        if int(wanted) != port:
            return False
        entry = name
        if address is not None and _holds(entry, address):
            return True
    domain = entry.removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _holds(entry: str, address: IPAddress) -> bool:
    try:
        network = ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False
    if address.version < network.version:
        address = IPv6Address(f"::ffff:{address}")  # it has a form in that version, too
    return address in network


def _with_scheme(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _readable(url: str) -> bool:
    try:
        return (urlsplit(_with_scheme(url)).port or 0) >= 0
    except ValueError:
        return False


def _read(variable: str, url: str) -> Proxy:
    """Return what a variable names. Its value is in no error: a slip in it puts the password anywhere."""
    if not _readable(url) or not (parts := urlsplit(_with_scheme(url))).hostname or re.search(r"[\s\x00-\x1f]", url):
        raise ConfigError(
            f"{variable} is no address of a proxy",
            hint="it is like http://host:port, with % in place of what is special in a password; "
            "NO_PROXY names what needs none",
        )
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        raise ConfigError(
            f"{variable} names a proxy of a kind that is not known: {parts.scheme}://",
            hint="http://, https:// and socks5:// are; NO_PROXY names what needs none",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Proxy(
        kind=kind,
        address=f"{kind}://{host}" if parts.port is None else f"{kind}://{host}:{parts.port}",
        variable=variable,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
