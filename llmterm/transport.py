"""The one HTTP client: opens a streaming request, cuts its body into frames, and speaks only our errors.

`Transport.open` sends a `Call` and returns a `FrameStream`, which its reader owns and closes; closing, or cancelling a
read, closes the socket at once. Nothing here knows a provider: payloads go out and frames come in as they are.
The chunk timer runs only while the socket is being read, so a slow reader never trips it.

Retries, rate limits and the circuit breaker belong around `Transport._send`, before the first byte of an answer.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpx2

from llmterm import __version__
from llmterm.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    LlmtermError,
    ModelNotFoundError,
    NetworkError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
    StreamTimeoutError,
)
from llmterm.framing import Frame, Framing, decoder
from llmterm.messages import StreamLimits

_MAX_ERROR_BYTES = 64 * 1024
_MAX_ERROR_WORDS = 500
_SHORTEST_KEY = 6
# What may wait to be decoded before the socket is left alone; more than one read of it brings.
_MAX_WAITING_BYTES = 256 * 1024
# How long the end of a finished body may take before the connection is given up instead of kept for the next call.
_DRAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One streaming POST. `who` names the provider in errors; `secrets` never appear in one."""

    who: str
    url: str
    payload: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    framing: Framing = "sse"

    @property
    def address(self) -> str:
        """The URL without what may be secret in it: user, password, query."""
        with suppress(httpx2.InvalidURL):
            url = httpx2.URL(self.url)
            return str(url.copy_with(username=None, password=None, query=None, fragment=None))
        return "an unreadable URL"


class FrameStream:
    """The frames of one response. Read it until it gives an empty list, and close it in any case.

    The body is read by a task of its own. What one read of the socket brings passes the HTTP library in many small
    pieces, none of which has to wait: they are decoded together, which costs half as much as one by one.
    """

    def __init__(self, call: Call, response: httpx2.Response, limits: StreamLimits, deadline: float | None) -> None:
        self._call = call
        self._response = response
        self._limits = limits
        self._deadline = deadline
        self._decoder = decoder(call.framing, limits.max_event_bytes)
        self._pieces: list[bytes] = []
        self._size = 0
        self._arrival = asyncio.Event()
        self._room = asyncio.Event()
        self._error: Exception | None = None
        self._ended = False
        self._body: asyncio.Task[None] | None = None

    async def read(self) -> list[Frame]:
        """Wait for the next frames; an empty list is the end of the body. Raises our errors only."""
        self._start()
        while True:
            if self._pieces:
                frames = self._decoder.feed(self._take())
            elif not self._ended:
                self._arrival.clear()
                await self._arrival.wait()
                continue
            elif self._error is not None:
                raise self._error
            else:
                return self._decoder.close()
            if frames:
                return frames

    def rest(self) -> list[Frame]:
        """Return the frames that have come and were not read, without waiting."""
        return self._decoder.feed(self._take()) if self._pieces else []

    async def drain(self) -> None:
        """Read the body's last bytes, if they are there already, so that the connection can be used again."""
        if self._body is not None:
            await asyncio.wait({self._body}, timeout=_DRAIN_SECONDS)

    async def aclose(self) -> None:
        """Close the response, and its connection unless the body was read to its end."""
        if self._body is not None:
            self._body.cancel()
            await asyncio.wait({self._body})
        with _translated(self._call):
            await self._response.aclose()

    def _start(self) -> None:
        if self._body is None:
            self._body = asyncio.create_task(self._read_body(), name="llmterm-body")

    def _take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._room.set()
        return data

    async def _read_body(self) -> None:
        try:
            with _translated(self._call, self._limits):
                async with asyncio.timeout_at(self._deadline), aclosing(self._response.aiter_bytes()) as pieces:
                    async for piece in pieces:
                        self._pieces.append(piece)
                        self._size += len(piece)
                        self._arrival.set()
                        if self._size >= _MAX_WAITING_BYTES:
                            self._room.clear()
                            await self._room.wait()
        except Exception as error:
            self._error = error  # whatever it is, it belongs to whoever reads
        finally:
            self._ended = True
            self._arrival.set()


class Transport:
    """Opens streaming calls over one pool of connections."""

    def __init__(self, *, socket: str | None = None) -> None:
        """Use the network, or, with `socket`, the unix socket of that path whatever the URL's host."""
        self._socket = socket
        self._client: httpx2.AsyncClient | None = None

    async def open(self, call: Call, limits: StreamLimits) -> FrameStream:
        """Send `call` and return its frames once the server has accepted it. Raises our errors only."""
        loop = asyncio.get_running_loop()
        deadline = None if limits.stream_timeout is None else loop.time() + limits.stream_timeout
        with _translated(call, limits):
            async with asyncio.timeout_at(deadline):
                response = await self._send(call, limits)
        return FrameStream(call, response, limits, deadline)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @property
    def connections(self) -> int:
        """Connections that are open now, idle ones included."""
        pool = getattr(getattr(self._client, "_transport", None), "_pool", None)
        return len(pool.connections) if pool is not None else 0

    async def _send(self, call: Call, limits: StreamLimits) -> httpx2.Response:
        client = self._ready()
        request = client.build_request(
            "POST",
            call.url,
            content=json.dumps(call.payload, ensure_ascii=False).encode("utf-8", "replace"),
            headers=_headers(call),
            timeout=httpx2.Timeout(
                connect=limits.connect_timeout,
                read=limits.chunk_timeout,
                write=limits.chunk_timeout,
                pool=limits.connect_timeout,
            ),
        )
        kept = self.connections > 0
        try:
            response = await client.send(request, stream=True)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            # A kept connection may have been closed by the server just now, without a byte of an answer: ask again.
            if not kept:
                raise
            response = await client.send(request, stream=True)
        if response.status_code != httpx2.codes.OK:
            try:
                body = await _head(response)
            finally:
                await response.aclose()
            _refuse(call, response, body)
        return response

    def _ready(self) -> httpx2.AsyncClient:
        if self._client is None:
            if self._socket is None:
                self._client = _network_client()
            else:
                # Nothing is encrypted on a unix socket: spare it the loading of certificates.
                transport = httpx2.AsyncHTTPTransport(uds=self._socket, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
                self._client = httpx2.AsyncClient(transport=transport, trust_env=False)
        return self._client


def _network_client() -> httpx2.AsyncClient:
    try:
        return httpx2.AsyncClient()
    except (ImportError, ValueError, OSError) as error:
        # A proxy of a kind that is not installed, or no address at all; certificates that are not there.
        raise ConfigError(
            f"no client for this network: {error}", hint="check the proxy variables and SSL_CERT_FILE"
        ) from None


def _headers(call: Call) -> dict[str, str]:
    headers = {
        "accept": "text/event-stream" if call.framing == "sse" else "application/x-ndjson",
        # Compression makes servers and proxies hold back what should arrive token by token.
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": f"llmterm/{__version__}",
        **call.headers,
    }
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise ConfigError(
            f"the key for {call.who} has characters that no key has",
            hint="copy it again, without quotes or line breaks",
        )
    return headers


async def _head(response: httpx2.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= _MAX_ERROR_BYTES:
            break
    return body[:_MAX_ERROR_BYTES]


@contextmanager
def _translated(call: Call, limits: StreamLimits | None = None) -> Iterator[None]:
    """Turn every failure of the client into one of ours."""
    try:
        yield
    except TimeoutError:
        seconds = limits.stream_timeout if limits else None
        raise StreamTimeoutError(
            f"{call.who}: the answer took longer than {seconds or 0:g} s in all", timer="stream"
        ) from None
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, httpx2.CookieConflict) as error:
        raise translate(error, call, limits or StreamLimits()) from None
    except OSError as error:
        raise NetworkError(f"{call.who}: {error.strerror or type(error).__name__} at {call.address}") from None


def translate(error: Exception, call: Call, limits: StreamLimits) -> LlmtermError:
    """Return our error for one of httpx2's (https://www.python-httpx.org/exceptions/)."""
    who, where = call.who, call.address
    detail = redact(str(error), call.secrets) or type(error).__name__
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            return StreamTimeoutError(
                f"{who}: no connection to {where} within {limits.connect_timeout:g} s", timer="connect"
            )
        case httpx2.TimeoutException():
            return StreamTimeoutError(
                f"{who}: nothing came from {where} for {limits.chunk_timeout or 0:g} s", timer="chunk"
            )
        case httpx2.ConnectError() | httpx2.ProxyError():
            return ConnectError(f"{who}: cannot reach {where}: {detail}", hint="is the server running?")
        case httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
            return ConfigError(f"{who}: {where} is no address of an API: {detail}", hint="check the base URL")
        case httpx2.NetworkError() | httpx2.RemoteProtocolError():
            return NetworkError(f"{who}: the connection to {where} broke: {detail}")
        case httpx2.HTTPError() | httpx2.StreamError() | httpx2.CookieConflict():
            return ProtocolError(f"{who}: unusable answer from {where}: {detail}")
        case _:
            raise error


def _refuse(call: Call, response: httpx2.Response, body: bytes) -> NoReturn:
    """Raise the error that an HTTP status stands for, with the server's own words where it has any."""
    status = response.status_code
    words = error_words(body, call.secrets) or response.reason_phrase or "no reason given"
    message = f"{call.who}: {words} (HTTP {status})"
    match status:
        case 401 | 403:
            raise AuthError(message, hint="check the key")
        case 404:
            raise ModelNotFoundError(message, hint="check the model's name and the base URL")
        case 429:
            wait = _retry_after(response)
            hint = "" if wait is None else f"try again in {wait:g} s"
            raise RateLimitError(message, hint=hint, retry_after=wait)
        case _ if status >= 500:
            raise ServerError(message)
        case _ if status >= 400:
            raise RequestRefusedError(message)
        case _:
            raise ProtocolError(message, hint="check the base URL")


def _retry_after(response: httpx2.Response) -> float | None:
    with suppress(ValueError):
        return max(0.0, float(response.headers.get("retry-after", "")))
    return None


def error_words(body: bytes | str, secrets: tuple[str, ...] = ()) -> str:
    """Return what an error body says, in any of the shapes that providers use; "" if it says nothing readable.

    The secrets go before the length is cut: half a key is a secret, too.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return redact(_words(value), secrets)[:_MAX_ERROR_WORDS]


def _words(value: object) -> str:
    match value:
        case str():
            return " ".join(value.split())
        case {"error": inner} | {"message": inner} | {"detail": inner}:
            return _words(inner)
        case [inner, *_] | {"msg": inner}:
            return _words(inner)
        case _:
            return ""


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """Return `text` without the secrets: some servers repeat the key that they refuse.

    What is shorter than any real key (local servers take anything) would only tear ordinary words apart.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST_KEY:
            text = text.replace(secret, "***")
    return text


def provider_error(who: str, words: str) -> ProviderError:
    """Return the error for a failure that the provider reports inside a stream that began well."""
    return ServerError(f"{who}: {words or 'the provider reports an error'}")
