"""The one HTTP client: opens a streaming request, cuts its body into frames, and speaks only our errors.

`Transport.open` sends a `Call` and returns a `FrameStream`, which its reader owns and closes; closing, or cancelling a
read, closes the socket at once. Nothing here knows a provider: payloads go out and frames come in as they are.
The timers of silence (see `pulse`) run only while the socket is being read, so a slow reader never trips them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import httpx2

from llmterm import __version__, log
from llmterm.address import without_user
from llmterm.errors import ConfigError, LimitError, ProtocolError, StreamTimeoutError, Timer
from llmterm.framing import Frame, decoder
from llmterm.messages import StreamLimits
from llmterm.pulse import Pulse
from llmterm.threads import in_thread
from llmterm.transport.body import Body
from llmterm.transport.call import Call
from llmterm.transport.excerpt import beginning, explanation
from llmterm.transport.failures import no_token, refusal, request_id, silence, too_silent, too_slow, translated
from llmterm.transport.proxies import Proxies
from llmterm.transport.reuse import CONNECTING, ConnectingTurn, again_if_stale, sent
from llmterm.transport.routes import Routes
from llmterm.untrusted import parsed

if TYPE_CHECKING:
    from llmterm.transport.websocket import WebSocket

T = TypeVar("T")

_MAX_LISTING_MB = 16
# What may wait to be decoded before the socket is left alone; more than one read of it brings.
_MAX_WAITING_BYTES = 256 * 1024
# How long the end of a finished body may take before the connection is given up instead of kept for the next call.
_DRAIN_SECONDS = 0.05


class Source(Protocol):
    """Where the bytes of an answer come from: a response of HTTP, or what stands for one elsewhere."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def aiter_bytes(self) -> AsyncGenerator[bytes, None]: ...

    async def aclose(self) -> None: ...


class FrameStream:
    """The frames of one response. Read it until it gives an empty list, and close it in any case.

    The body is read by a task of its own. What one read of the socket brings passes the HTTP library in many small
    pieces, none of which has to wait: they are decoded together, which costs half as much as one by one.
    """

    def __init__(self, call: Call, source: Source, limits: StreamLimits, began: float) -> None:
        """`began` is when the call was made, in the loop's time."""
        self.call = call
        self.source = source
        self._limits = limits
        self._deadline = _after(began, limits.stream_timeout)
        self.pulse = Pulse(began)
        self._watch: asyncio.TimerHandle | None = None
        self._expired: Timer | None = None
        self._decoder = decoder(call.framing, limits.max_event_bytes)
        self._pieces: list[bytes] = []
        self._size = 0
        self._arrival = asyncio.Event()
        self._room = asyncio.Event()
        self._error: Exception | None = None
        self._ended = False
        self._body: asyncio.Task[None] | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response."""
        return self.source.headers

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
            else:
                # Some leave out the last line end, also where the connection then breaks, or only stays open.
                frames = self._decoder.close()
                if self._error is not None and not frames:
                    raise self._error
                return frames
            if frames:
                return frames

    def content_came(self) -> None:
        """Take note that text or thinking was in what was last read: the stream is not only alive."""
        first = not self.pulse.begun
        self.pulse.speak()
        if first:
            self._rearm()  # the timers that come later find out by themselves

    def rest(self) -> list[Frame]:
        """Return the frames that have come and were not read, without waiting; nothing is read after this."""
        return [*(self._decoder.feed(self._take()) if self._pieces else ()), *self._decoder.close()]

    async def drain(self) -> None:
        """Read the body's last bytes, if they are there already, so that the connection can be used again."""
        if self._body is not None:
            await asyncio.wait({self._body}, timeout=_DRAIN_SECONDS)

    async def aclose(self) -> None:
        """Close the response, and its connection unless the body was read to its end."""
        if self._body is not None:
            self._body.cancel()
            await asyncio.wait({self._body})
        with translated(self.call):
            await self.source.aclose()

    def _start(self) -> None:
        if self._body is None:
            self._body = asyncio.create_task(self._read_body(), name="llmterm-body")
            self._rearm()

    def _take(self) -> bytes:
        if self._size >= _MAX_WAITING_BYTES:
            self.pulse.heard = asyncio.get_running_loop().time()  # it is listened to again from now on
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._room.set()
        return data

    async def _read_body(self) -> None:
        try:
            with translated(self.call, self._limits):
                async with asyncio.timeout_at(self._deadline), aclosing(self.source.aiter_bytes()) as pieces:
                    await self._keep(pieces)
        except TimeoutError:
            self._error = too_slow(self.call, self._limits.stream_timeout)
        except asyncio.CancelledError:
            if self._expired is None:
                raise
            self._error = self._given_up(self._expired)
        except Exception as error:
            self._error = error  # whatever it is, it belongs to whoever reads
        finally:
            if self._watch is not None:
                self._watch.cancel()
            self._ended = True
            self._arrival.set()

    async def _keep(self, pieces: AsyncIterator[bytes]) -> None:
        loop = asyncio.get_running_loop()
        async for piece in pieces:
            self.pulse.heard = loop.time()
            self._pieces.append(piece)
            self._size += len(piece)
            self._arrival.set()
            if self._size >= _MAX_WAITING_BYTES:
                self._room.clear()
                await self._room.wait()
                self.pulse.heard = loop.time()

    def _given_up(self, timer: Timer) -> StreamTimeoutError:
        limits = self._limits
        match timer:
            case "first token":
                return no_token(self.call, limits.first_token_timeout, heard=self.pulse.heard is not None)
            case "silence":
                return too_silent(self.call, limits.silence_timeout)
            case _:
                return silence(self.call, limits.chunk_timeout)

    def _rearm(self) -> None:
        """Look again when the socket will have been silent for too long. Not at every piece: that would cost more."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        due = self.pulse.due(self._limits)
        if due is not None and self._body is not None and not self._ended:
            self._watch = asyncio.get_running_loop().call_at(due[0], self._look)

    def _look(self) -> None:
        if self._body is None or self._ended:
            return
        now = asyncio.get_running_loop().time()
        if self._pieces:
            self.pulse.wait(now)
        if self._size >= _MAX_WAITING_BYTES:
            self.pulse.heard = now  # the reader is slow, not the socket
        due = self.pulse.due(self._limits)
        if due is not None and due[0] <= now:
            self._expired = due[1]
            self._body.cancel()
        else:
            self._rearm()


class _NoCookies(CookieJar):
    """Keeps none: no API needs any, and the library prints a warning at what it cannot read."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass


class Transport:
    """Opens streaming calls over one pool of connections."""

    def __init__(self, *, socket: str | None = None, proxies: Proxies | None = None) -> None:
        """Use the network, or, with `socket`, the unix socket of that path whatever the URL's host.

        The proxies are those of the process's environment unless others are given.
        """
        self._socket = socket
        self._proxies = Proxies() if socket else proxies
        self._routes: Routes | None = None
        self._client: httpx2.AsyncClient | None = None
        self.connecting = asyncio.Semaphore(CONNECTING)
        """Taken while a connection is made."""

    async def open(self, call: Call, limits: StreamLimits) -> FrameStream:
        """Send `call` once and return its frames when the server has accepted it. Raises our errors only."""
        call = self.routed(call)
        response, began = await self._accepted(call, limits)
        return FrameStream(call, response, limits, began)

    async def fetch(self, call: Call, limits: StreamLimits, *, once: bool = False) -> Any:
        """Send `call` and return the JSON it is answered with. Raises our errors only.

        What is to be sent `once` is not sent again where a kept connection ended with no answer: it may have arrived.
        """
        call = self.routed(call)
        accepted = partial(self._accepted, call, limits)
        response, began = await (accepted() if once else again_if_stale(accepted))
        try:
            with translated(call, limits):
                async with asyncio.timeout_at(_after(began, limits.stream_timeout)):
                    body = await beginning(response, _MAX_LISTING_MB << 20)
        except TimeoutError:
            raise too_slow(call, limits.stream_timeout) from None
        finally:
            await response.aclose()
        if len(body) >= _MAX_LISTING_MB << 20:
            what = f"{call.who}: more than {_MAX_LISTING_MB} MB came from {call.way}, and no end"
            raise LimitError(what, hint="check the base URL", provider=call.who)
        try:
            return parsed(body)
        except ValueError:
            raise ProtocolError(
                f"{call.who}: no JSON came from {call.way}", hint="check the base URL", provider=call.who
            ) from None

    async def connect(self, call: Call, limits: StreamLimits) -> WebSocket:
        """Open a WebSocket at the address of `call`. Raises our errors only."""
        socket = await in_thread(_websocket)
        call = self.routed(call)
        proxy = self.proxies.proxy(call.url)
        if proxy is not None and proxy.kind != "http":
            what = f"{call.who}: no WebSocket through the proxy {proxy.address}"
            raise ProtocolError(what, hint="HTTP goes through it", provider=call.who, model=call.model)
        self.client()
        assert self._routes is not None
        certificates = self._routes.certificates if call.url.startswith("https:") else None
        async with self.connecting:
            return await socket.open(call, limits, _headers(call), proxy=proxy, certificates=certificates)

    async def _accepted(self, call: Call, limits: StreamLimits) -> tuple[httpx2.Response, float]:
        """Send `call` and return the response, whose body is still to be read, and since when its time is counted."""
        async with ConnectingTurn(self.connecting) as turn:
            began = asyncio.get_running_loop().time()
            with translated(call, limits):
                response = await in_time(call, limits, began, self._send(call, limits, turn))
                if response.status_code not in (httpx2.codes.OK, httpx2.codes.CREATED):
                    raise refusal(call, response, await explanation(response))
                return response, began

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = self._routes = None

    @property
    def connections(self) -> int:
        """Connections that are open now, idle ones included."""
        return self._routes.connections if self._routes is not None else 0

    def routed(self, call: Call) -> Call:
        """Return the call with the proxy that it goes through. Raises ConfigError."""
        if not call.has_port:
            raise ConfigError(f"{call.who}: {call.address} is no address of an API", hint="check the base URL")
        proxy = self.proxies.proxy(call.url)
        return call if proxy is None else replace(call, proxy=proxy.address)

    @property
    def proxies(self) -> Proxies:
        if self._proxies is None:
            self._proxies = Proxies.of(os.environ)
        return self._proxies

    async def _send(self, call: Call, limits: StreamLimits, turn: ConnectingTurn) -> httpx2.Response:
        client = self.client()
        body = call.content if call.payload is None else await Body.of(call.payload)
        headers = _headers(call)
        request = client.build_request(
            call.method or ("GET" if body is None else "POST"),
            without_user(call.url),
            content=body,
            headers=headers if body is None else {**headers, "content-length": str(body.size)},
            timeout=httpx2.Timeout(
                connect=limits.connect_timeout,
                read=None,  # silence is measured here, by what has come of the answer
                write=limits.chunk_timeout,
                pool=None,  # no pool is ever full
            ),
        )
        response = await sent(client, request, call, turn)
        log.event(
            "response",
            provider=call.who,
            address=call.address,
            status=response.status_code,
            request=request_id(response.headers, call.secrets),
        )
        return response

    def client(self) -> httpx2.AsyncClient:
        """Return the client below, for a library that brings its own wire. It stays the transport's to close."""
        if self._client is None:
            self._routes = Routes(self.proxies, socket=self._socket)
            self._client = httpx2.AsyncClient(transport=self._routes, cookies=_NoCookies(), trust_env=False)
        return self._client


async def in_time(call: Call, limits: StreamLimits, began: float, job: Awaitable[T]) -> T:
    """Return what `job` does, which an answer begins with. Raises StreamTimeoutError where it takes too long."""
    first, whole = _after(began, limits.first_token_timeout), _after(began, limits.stream_timeout)
    deadline = min((each for each in (first, whole) if each is not None), default=None)
    try:
        async with asyncio.timeout_at(deadline):
            return await job
    except TimeoutError:
        if deadline == first:
            raise no_token(call, limits.first_token_timeout) from None
        raise too_slow(call, limits.stream_timeout) from None


def _websocket() -> type[WebSocket]:
    """Import it, which takes its time: few need one."""
    from llmterm.transport.websocket import WebSocket

    return WebSocket


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


def _after(began: float, seconds: float | None) -> float | None:
    return None if seconds is None else began + seconds
