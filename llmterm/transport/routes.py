"""Where requests go out: directly, through a proxy, or to a unix socket; a pool of connections for each way.

A way is made when a request first takes it, so that what is wrong with one is no hindrance on the others.
"""

from __future__ import annotations

import ssl
from functools import cached_property

import httpx2

from llmterm.errors import ConfigError
from llmterm.transport.proxies import Proxies, Proxy

_POOL = httpx2.Limits(max_connections=100, max_keepalive_connections=20)


class Routes(httpx2.AsyncBaseTransport):
    """The transport below an HTTP client. Raises ConfigError for a way that cannot be taken."""

    def __init__(self, proxies: Proxies, *, socket: str | None = None) -> None:
        self._proxies = proxies
        self._socket = socket
        self._ways: dict[tuple[Proxy | None, bool], httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        way = self._proxies.proxy(str(request.url)), request.url.scheme == "https"
        if way not in self._ways:
            self._ways[way] = self._way(*way)
        return await self._ways[way].handle_async_request(request)

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()

    @property
    def connections(self) -> int:
        """Connections that are open now, idle ones included."""
        pools = [getattr(way, "_pool", None) for way in self._ways.values()]
        return sum(len(pool.connections) for pool in pools if pool is not None)

    def _way(self, proxy: Proxy | None, encrypted: bool) -> httpx2.AsyncHTTPTransport:
        # Where nothing is encrypted, no certificates are loaded, and those that cannot be are no hindrance.
        verify = self._certificates if encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if proxy is None:
            return httpx2.AsyncHTTPTransport(uds=self._socket, limits=_POOL, verify=verify)
        proxy.require()
        auth = (proxy.user, proxy.password) if proxy.user or proxy.password else None
        to_proxy = self._certificates if proxy.kind == "https" else None
        through = httpx2.Proxy(proxy.address, auth=auth, ssl_context=to_proxy)
        return httpx2.AsyncHTTPTransport(limits=_POOL, verify=verify, proxy=through)

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        """What a server has to show: that of the system, or of SSL_CERT_FILE and SSL_CERT_DIR."""
        try:
            return httpx2.create_ssl_context()
        except OSError as error:
            hint = "check SSL_CERT_FILE and SSL_CERT_DIR"
            raise ConfigError(f"the certificates cannot be read: {error.strerror or error}", hint=hint) from None
