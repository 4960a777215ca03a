"""What is asked of a service over HTTP, and what it tells as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from llmterm import __version__
from llmterm.errors import AuthError, ConfigError, LlmtermError, ProtocolError, ProviderError, SessionError, UsageError
from llmterm.messages import StreamLimits
from llmterm.transport import Call, FrameStream, Method, Transport

_WHO = "the service"
_PATIENCE = StreamLimits(connect_timeout=5.0, first_token_timeout=30.0, stream_timeout=60.0)
# A service says every quarter of a minute that it is there.
_LISTENING = StreamLimits(connect_timeout=5.0, first_token_timeout=45.0, chunk_timeout=45.0, silence_timeout=None)
_REFUSED, _MISSING, _SERVER = (401, 403, 421), 404, 500


def parted(link: str) -> tuple[str, str]:
    """Return the address and the token, "" for none, of a link as the service prints it. Raises UsageError."""
    try:
        parts = urlsplit(link if "://" in link else f"http://{link}")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{link.partition('?')[0]} is no address of a service", hint="llmterm serve prints its link")
    token = parse_qs(parts.query).get("token", [""])[0]
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", "")), token


class Service:
    """The one at `url`, for whoever has its `token`. `by` is who does what is done there: all others are told."""

    # Commands of the chat for which it has nothing.
    refused = ("branch", "compare", "discard", "role")

    def __init__(self, transport: Transport, url: str, token: str, *, by: str) -> None:
        self.url = url
        self.by = by
        self._transport = transport
        self._token = token

    def said_of(self, _provider: str, _model: str) -> str:
        """Return where it is, for the welcome."""
        return f"attached to {self.url}, as {self.by}"

    async def greet(self) -> Mapping[str, Any]:
        """Return what the service says of itself. Raises our errors where it is none that this program knows."""
        try:
            found = await self.get("/v1/service")
        except (SessionError, ProtocolError):
            found = None
        match found:
            case {"name": "llmterm", "version": str(version), "model": str(), "providers": list()}:
                if version.split(".")[:2] != __version__.split(".")[:2]:
                    words = f"the service at {self.url} is llmterm {version}, and this is {__version__}"
                    raise ConfigError(words, hint="they have to be of the same version")
                return dict(found)
            case _:
                words = f"{self.url} is no service of llmterm, or one of another version"
                raise ConfigError(words, hint="llmterm serve prints its link")

    async def get(self, path: str, **query: object) -> Any:
        return await self._fetch(f"{path}?{urlencode(query)}" if query else path)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return await self._fetch(path, body or {})

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._fetch(path, body, method="PATCH")

    @asynccontextmanager
    async def listening(self, path: str, *, after: int = 0) -> AsyncIterator[FrameStream]:
        """Give what is told at a path, from behind a place on. Raises our errors."""
        call = self._call(path, headers={"last-event-id": str(after)} if after else {})
        try:
            stream = await self._transport.open(call, _LISTENING)
        except ProviderError as error:
            raise _said(error) from None
        try:
            yield stream
        finally:
            await stream.aclose()

    async def _fetch(self, path: str, body: Mapping[str, Any] | None = None, *, method: Method | None = None) -> Any:
        try:
            return await self._transport.fetch(self._call(path, body, method=method), _PATIENCE)
        except ProviderError as error:
            raise _said(error) from None

    def _call(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        method: Method | None = None,
    ) -> Call:
        return Call(
            who=_WHO,
            url=f"{self.url}{path}",
            payload=body,
            headers={"authorization": f"Bearer {self._token}", **(headers or {})},
            secrets=(self._token,),
            method=method,
        )


def _said(error: ProviderError) -> LlmtermError:
    """Return what a refusal of the service means: it is no provider, and what it says of itself is enough."""
    if isinstance(error, AuthError) or error.status in _REFUSED:
        return ConfigError(
            "the service refuses the token", hint="--attach takes the link that llmterm serve prints, with its token"
        )
    if error.status == _MISSING:
        return SessionError(error.message)
    if error.status is not None and error.status < _SERVER:
        return UsageError(error.message)
    if error.status is None:
        error.hint = "llmterm serve starts one"
    return error
