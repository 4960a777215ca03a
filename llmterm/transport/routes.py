"""Where requests go out: directly, through a proxy, or to a unix socket; pools of connections for each way.

A way is made when a request first takes it, so that what is wrong with one is no hindrance on the others. It begins
with one pool, and gets another one when all it has are busy: a pool goes through all its connections for each request,
so that the thousandth stream in one pool costs a hundred times what the tenth does. How many streams there may be is a
matter of who asks.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import httpx2

from llmterm.errors import ConfigError
from llmterm.transport.proxies import Proxies, Proxy

# So many connections are in a pool before there is another, and kept when they are idle.
_IN_A_POOL = 16
_POOL = httpx2.Limits(max_connections=None, max_keepalive_connections=8)


class Routes(httpx2.AsyncBaseTransport):
    """The transport below an HTTP client. Raises ConfigError for a way that cannot be taken."""

    def __init__(self, proxies: Proxies, *, socket: str | None = None) -> None:
        self._proxies = proxies
        self._socket = socket
        # The pools of each way, the one that was used last at the end.
        self._ways: dict[tuple[Proxy | None, bool], deque[httpx2.AsyncHTTPTransport]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        way = self._proxies.proxy(str(request.url)), request.url.scheme == "https"
        return await self._pool(way).handle_async_request(request)

    async def aclose(self) -> None:
        for pools in self._ways.values():
            for pool in pools:
                await pool.aclose()

    @property
    def connections(self) -> int:
        """Connections that are open now, idle ones included."""
        return sum(len(_connections(pool)) for pools in self._ways.values() for pool in pools)

    def _pool(self, way: tuple[Proxy | None, bool]) -> httpx2.AsyncHTTPTransport:
        """Return a pool of that way that has room; the one that was used last, if that has."""
        pools = self._ways.setdefault(way, deque())
        for _ in range(len(pools)):
            if sum(not each.is_idle() for each in _connections(pools[-1])) < _IN_A_POOL:
                return pools[-1]
            pools.rotate()
        pools.append(self._made(*way))
        return pools[-1]

    def _made(self, proxy: Proxy | None, encrypted: bool) -> httpx2.AsyncHTTPTransport:
        # Where nothing is encrypted, no certificates are loaded, and those that cannot be are no hindrance.
        verify = self.certificates if encrypted else self._no_certificates
        if proxy is None:
            return httpx2.AsyncHTTPTransport(uds=self._socket, limits=_POOL, verify=verify)
        proxy.require()
        auth = (proxy.user, proxy.password) if proxy.user or proxy.password else None
        to_proxy = self.certificates if proxy.kind == "https" else None
        through = httpx2.Proxy(proxy.address, auth=auth, ssl_context=to_proxy)
        return httpx2.AsyncHTTPTransport(limits=_POOL, verify=verify, proxy=through)

    @cached_property
    def certificates(self) -> ssl.SSLContext:
        """What a server has to show: that of the system, or of SSL_CERT_FILE and SSL_CERT_DIR."""
        try:
            return httpx2.create_ssl_context()
        except OSError as error:
            hint = "check SSL_CERT_FILE and SSL_CERT_DIR"
            raise ConfigError(f"the certificates cannot be read: {error.strerror or error}", hint=hint) from None

    @cached_property
    def _no_certificates(self) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _connections(pool: httpx2.AsyncHTTPTransport) -> Sequence[Any]:
    """Return the connections of a pool, which the library tells nobody of."""
    return getattr(getattr(pool, "_pool", None), "connections", ())
