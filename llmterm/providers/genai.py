"""google-genai between our transport and our wire: it words the request, and it decodes the answer.

The SDK's HTTP client is a door to `Transport`: the request it makes goes out as a `Call`, with our timeouts, limits,
errors and key, which the SDK never sees; the events of the answer are handed to it one at a time, and it gives back
what it understood. It never waits for the network itself, so pausing and closing are as quick as for any other wire.
What it does not understand, or breaks at, is passed on as it came. What is attached stays on this side of the door: the
SDK would encode it all at once, and so would the way back to a `Call`, while no key is answered.

Importing it takes half a second and decoding some 0.2 ms an event: it is imported, in a thread, with the first answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2

from llmterm.address import joined
from llmterm.errors import ConfigError, LlmtermError, ProtocolError, RequestRefusedError
from llmterm.framing import Frame
from llmterm.messages import StreamLimits
from llmterm.pulse import Pulse
from llmterm.transport import Call, Embedded, FrameStream, Transport, redact
from llmterm.transport.failures import too_slow, translated
from llmterm.untrusted import parsed

# An event that says nothing. The SDK sends its request with the first event it is asked for; this one is there as soon
# as the server has accepted the request.
_NOTHING = b"data: {}\n\n"
_MAX_WORDS = 200
# What the SDK leaves out of an event that it decodes.
_DROPPED = '"finishMessage"'
# How many events are decoded before the loop may turn to something else, such as keys.
_BATCH = 16
_PAGE = 1000
_MOST_MODELS = 10_000
# What the SDK takes for the address: it would put its paths behind a query, and beyond the door is the real one.
_ADDRESS = "https://gemini.invalid"


@dataclass(slots=True)
class _Exchange:
    """A call, and what has become of it on the other side of the door.

    `attached` is what the SDK sees only stand-ins of, by the base64 that it makes of those. A request that is `unsent`
    ends at the door, and is `worded` then.
    """

    call: Call
    limits: StreamLimits
    events: _Events = field(default_factory=lambda: _Events())
    frames: FrameStream | None = None
    unsent: bool = False
    worded: dict[str, Any] = field(default_factory=dict)
    attached: dict[str, Embedded] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """Return what the SDK is to be called with."""
        payload = dict(self.call.payload or {})
        payload["contents"] = [
            {**content, "parts": [self._light(part) for part in content["parts"]]} for content in payload["contents"]
        ]
        return payload

    def payload(self, body: bytes) -> dict[str, Any]:
        """Return what the SDK has made of the arguments, with what is attached in its place again."""
        payload: dict[str, Any] = json.loads(body, object_hook=self._whole)
        return payload

    def _light(self, part: dict[str, Any]) -> dict[str, Any]:
        blob = part.get("inline_data")
        if blob is None:
            return part
        name = os.urandom(16)
        self.attached[base64.urlsafe_b64encode(name).decode()] = Embedded(blob["data"])
        return {"inline_data": {**blob, "data": name}}

    def _whole(self, found: dict[str, Any]) -> dict[str, Any]:
        data = found.get("data")
        return {**found, "data": self.attached[data]} if isinstance(data, str) and data in self.attached else found


_EXCHANGE: ContextVar[_Exchange] = ContextVar("llmterm-genai-exchange")


class _Events(httpx2.AsyncByteStream):
    """The body of a response as the SDK sees it: whatever is `next`, and its end when that is nothing."""

    def __init__(self) -> None:
        self.next = _NOTHING

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.next:
            event, self.next = self.next, b""
            yield event


class _Door(httpx2.AsyncBaseTransport):
    """Takes the requests of an HTTP client of the SDK's to our transport."""

    def __init__(self, transport: Transport, base_url: str) -> None:
        self._transport = transport
        self._base_url = base_url

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = _EXCHANGE.get()
        call = replace(
            exchange.call,
            url=joined(self._base_url, request.url.raw_path.decode("ascii")),
            payload=exchange.payload(await request.aread()) if request.method == "POST" else None,
        )
        if call.payload is None:
            return httpx2.Response(200, json=await self._transport.fetch(call, exchange.limits))
        if exchange.unsent:
            exchange.worded = dict(call.payload)
            return httpx2.Response(200, stream=exchange.events)
        exchange.frames = await self._transport.open(call, exchange.limits)
        return httpx2.Response(200, stream=exchange.events)


class GenaiFrames:
    """The frames of one response, as a `FrameStream` has them, each gone through google-genai."""

    def __init__(self, frames: FrameStream, events: _Events, chunks: AsyncGenerator[Any, None]) -> None:
        self.call = frames.call
        self._frames = frames
        self._events = events
        self._chunks: AsyncGenerator[Any, None] | None = chunks
        self._waiting: list[Frame] = []

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response."""
        return self._frames.headers

    async def read(self) -> list[Frame]:
        """Wait for the next frames; an empty list is the end of the body. Raises our errors only."""
        if self._waiting:
            await asyncio.sleep(0)
        else:
            self._waiting = await self._frames.read()
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        return [await self._decoded(frame) for frame in batch]

    def rest(self) -> list[Frame]:
        """Return the frames that have come and were not read: as they came, as the SDK cannot but be awaited."""
        waiting, self._waiting = self._waiting, []
        return waiting + self._frames.rest()

    @property
    def pulse(self) -> Pulse:
        return self._frames.pulse

    def content_came(self) -> None:
        self._frames.content_came()

    async def drain(self) -> None:
        await self._frames.drain()

    async def aclose(self) -> None:
        try:
            await self._frames.aclose()
        finally:
            await self._end()

    async def _decoded(self, frame: Frame) -> Frame:
        event = _answer(frame)
        if self._chunks is None or event is None:
            return frame
        self._events.next = event
        try:
            chunk = await anext(self._chunks)
            words = chunk.model_dump_json(by_alias=True, exclude_none=True, exclude={"sdk_http_response"})
        except Exception:  # whatever it is that the SDK breaks at, the wire reads on without it
            self._chunks = None
            return frame
        return frame if _DROPPED in frame.data else Frame("", words, frame.id)

    async def _end(self) -> None:
        """Let the SDK's generators run out, so that none of them is left to the garbage collector."""
        chunks, self._chunks = self._chunks, None
        if chunks is not None:
            with suppress(Exception):
                async for _ in chunks:
                    pass


def _answer(frame: Frame) -> bytes | None:
    """Return an event for the SDK to decode; None for what it would break at: errors, and what is no JSON."""
    try:
        value = parsed(frame.data)
        if not isinstance(value, dict) or "error" in value:
            return None
        return b"data: " + json.dumps(value).encode() + b"\n\n"
    except (ValueError, RecursionError):  # what can be read may still be nested too deep to be written
        return None


class Genai:
    """google-genai with the two verbs of `Transport`; the payload of a call is what the SDK is to be called with."""

    def __init__(self, transport: Transport, *, base_url: str, api_version: str) -> None:
        self._transport = transport
        self._http = httpx2.AsyncClient(transport=_Door(transport, base_url), trust_env=False)
        self._api_version = api_version
        self._client: Any = None
        self._loading = asyncio.Lock()

    async def open(self, call: Call, limits: StreamLimits) -> GenaiFrames:
        """Send `call` and return its frames once the server has accepted it. Raises our errors only."""
        models = await self._models()
        with _exchange(call, limits) as exchange:
            chunks = await models.generate_content_stream(**exchange.arguments())
            try:
                await anext(chunks)
            except BaseException:
                if exchange.frames is not None:
                    await exchange.frames.aclose()
                raise
        assert exchange.frames is not None
        return GenaiFrames(exchange.frames, exchange.events, chunks)

    async def body(self, call: Call) -> dict[str, Any]:
        """Return what `call` would send, and send nothing. Raises our errors only."""
        models = await self._models()
        with _exchange(call, StreamLimits()) as exchange:
            exchange.unsent = True
            async for _ in await models.generate_content_stream(**exchange.arguments()):
                pass
        return exchange.worded

    async def fetch(self, call: Call, limits: StreamLimits) -> dict[str, Any]:
        """Return the list of models, in the words of the API. Raises our errors only."""
        models = await self._models()
        try:
            # Each page has its own time and size; their number is the server's to choose.
            async with asyncio.timeout(limits.stream_timeout):
                with _exchange(call, limits):
                    listed = []
                    async for model in await models.list(config={"page_size": _PAGE}):
                        listed.append(model)
                        if len(listed) >= _MOST_MODELS:
                            break
        except TimeoutError:
            raise too_slow(call, limits.stream_timeout) from None
        return {
            "models": [{"name": each.name, "supportedGenerationMethods": each.supported_actions} for each in listed]
        }

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._transport.aclose()

    async def _models(self) -> Any:
        async with self._loading:
            if self._client is None:
                self._client = await asyncio.to_thread(self._load)
        return self._client.aio.models

    def _load(self) -> Any:
        try:
            from google import genai  # half of the start-up time of a chat that never needs it
            from google.genai import types

            return genai.Client(
                vertexai=False,
                api_key="none",  # it wants one; the real one is put in beyond the door
                http_options=types.HttpOptions(
                    base_url=_ADDRESS,
                    api_version=self._api_version,
                    httpx_async_client=self._http,
                    # Neither is ever used; it would make its own, with certificates, and fail at a proxy nobody needs.
                    httpx_client=httpx2.Client(transport=httpx2.BaseTransport(), trust_env=False),
                    async_client_args={"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
                    retry_options=types.HttpRetryOptions(attempts=1),
                ),
            )
        except ImportError as error:
            raise ConfigError(f"gemini needs google-genai: {error}", hint="pip install google-genai") from None
        except Exception as error:
            raise ConfigError(f"google-genai does not start: {_words(error)}", hint="check the base URL") from None


@contextmanager
def _exchange(call: Call, limits: StreamLimits) -> Iterator[_Exchange]:
    """Have the SDK's next request be the one of `call`, and every failure of it one of ours."""
    exchange = _Exchange(call, limits)
    token = _EXCHANGE.set(exchange)
    about: dict[str, Any] = {"provider": call.who, "model": call.model}
    try:
        with translated(call, limits):
            yield exchange
    except LlmtermError:
        raise
    except Exception as error:
        words = _words(error, call.secrets)
        if exchange.frames is None and call.payload is not None:
            raise RequestRefusedError(f"{call.who}: google-genai does not send this: {words}", **about) from None
        raise ProtocolError(
            f"{call.who}: not understood by google-genai: {words}", hint="check the base URL", **about
        ) from None
    finally:
        _EXCHANGE.reset(token)


def _words(error: Exception, secrets: Iterable[str] = ()) -> str:
    first, *_ = redact(str(error), secrets).splitlines() or [""]
    return first[:_MAX_WORDS] or type(error).__name__
