"""OpenAI's Responses API over WebSockets: OpenAI's own, or that of a server that has the same.

What is asked and what is understood is the wire's. Here is which connection a question goes out on, and what of the
conversation goes with it: nothing but what the server does not have in hand. Where there is no WebSocket to be had, or
a new one breaks before an answer begins, the next try is over HTTP; no character of an answer depends on it.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmterm.errors import AuthError, ConnectError, NetworkError, ProtocolError, ProviderError, StaleConnectionError
from llmterm.messages import Message, Request, StreamLimits, are_long
from llmterm.progress import Progress
from llmterm.providers import EventStream
from llmterm.providers.chain import Chain, Fingerprint, fingerprints
from llmterm.providers.channel import Channel, Channels, Event, code
from llmterm.providers.http import HttpProvider, let_go
from llmterm.providers.steerable import HOUR_OVER, Response, SteerableStream
from llmterm.providers.wire import Wire
from llmterm.threads import in_thread_if, in_turns
from llmterm.transport import Call, Endpoint, FrameStream, Transport, in_time, refused

# What is said over HTTP only: https://developers.openai.com/api/docs/guides/websocket-mode.
_OF_HTTP = frozenset({"stream", "stream_options", "background"})
_NOT_IN_HAND = "previous_response_not_found"
# How long no other connection is tried after one that did not come about, or broke before it was of any use.
_WITHOUT_SECONDS = 60.0
# Statuses of an address that may well have a WebSocket another time.
_PASSING = frozenset({401, 403, 408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class _Question:
    """A request, and the fingerprints of its messages but for the system prompt, which is told each time."""

    request: Request
    said: Sequence[Fingerprint]

    def behind(self, chain: Chain | None) -> Request:
        """Return what of it is new to who has `chain` in hand."""
        if chain is None:
            return self.request
        system = [each for each in self.request.messages if each.role == "system"]
        return replace(self.request, messages=(*system, *_said(self.request)[len(chain.said) :]))


class SocketProvider(HttpProvider):
    """An `HttpProvider` that asks over WebSockets where it can."""

    def __init__(self, transport: Transport, wire: Wire, endpoint: Endpoint, **about: Any) -> None:
        super().__init__(transport, wire, endpoint, **about)
        self._channels = Channels()
        self._without = -math.inf  # until when none is opened, in the loop's time

    async def aclose(self) -> None:
        try:
            await self._channels.aclose()
        finally:
            await super().aclose()

    def _stream(self, frames: FrameStream, limits: StreamLimits, progress: Progress) -> EventStream:
        if isinstance(frames.source, Response):
            return SteerableStream(frames, frames.source, self._wire, limits, progress)
        return super()._stream(frames, limits, progress)

    async def _sent(
        self, request: Request, key: str, wire: Wire, limits: StreamLimits, progress: Progress
    ) -> FrameStream:
        if request.background:  # there is none of that on a WebSocket
            return await super()._sent(request, key, wire, limits, progress)
        said = await in_thread_if(are_long(request.messages), fingerprints, _said(request))
        question = _Question(request, said)
        call = self._call_at(wire.path(request), request.model, key)
        call = replace(call, headers={**call.headers, **wire.headers_of(request)})
        kept = await self._channels.take(call.headers, request.model, said)
        channel = kept or await self._connected(call, limits, progress)
        if channel is None:
            return await super()._sent(request, key, wire, limits, progress)
        try:
            return await self._asked(channel, question, key, wire, limits)
        except NetworkError as error:
            if kept is None:
                self._do_without(error, progress)
                raise
            await self._channels.forget()  # nobody had heard of its end: the others will be as it is
            raise StaleConnectionError(error.message, provider=error.provider, model=error.model) from None

    async def _connected(self, call: Call, limits: StreamLimits, progress: Progress) -> Channel | None:
        """Return a new one, None where there is none to be had. Raises our errors where HTTP would fail as well."""
        if asyncio.get_running_loop().time() < self._without:
            return None
        try:
            socket = await self._transport.connect(call, limits)
        except ConnectError:
            raise
        except ProviderError as error:
            self._do_without(error, progress)
            return None
        return self._channels.add(Channel(socket, call.headers))

    def _do_without(self, error: ProviderError, progress: Progress) -> None:
        """Open none for a while; where the server has none at all, no other one."""
        refused = error.status is not None and error.status < 500 and error.status not in _PASSING
        lasting = refused or isinstance(error, ProtocolError)
        self._without = math.inf if lasting else asyncio.get_running_loop().time() + _WITHOUT_SECONDS
        if not isinstance(error, AuthError):  # HTTP says what that is about
            why = f"HTTP {error.status}" if error.status is not None else error.message
            progress.say(f"{self.name}: no WebSocket ({why}), asking over HTTP")

    async def _asked(
        self, channel: Channel, question: _Question, key: str, wire: Wire, limits: StreamLimits
    ) -> FrameStream:
        """Ask on a channel. Raises our errors, NetworkError where it is of no more use."""
        began = asyncio.get_running_loop().time()
        behind = channel.chain
        if behind is not None and not behind.holds(question.request.model, question.said):
            behind = None
        channel.chain = None
        call = await self._call_behind(question, behind, key, wire)
        try:
            opening = await in_time(call, limits, began, self._opening(channel, call, behind))
            if behind is not None and code(opening[1]) == _NOT_IN_HAND:
                call = await self._call_behind(question, None, key, wire)
                opening = await in_time(call, limits, began, self._opening(channel, call, None))
        except BaseException:
            await self._channels.drop(channel)
            raise
        await self._require_answer(channel, call, opening[1])
        response = Response(self._channels, channel, call, opening, question.said)
        return FrameStream(call, response, limits, began)

    async def _call_behind(self, question: _Question, behind: Chain | None, key: str, wire: Wire) -> Call:
        request = question.behind(behind)
        call = await in_thread_if(are_long(request.messages), self._call, request, key, wire)
        return self._transport.routed(replace(call, framing="ndjson"))

    async def _opening(self, channel: Channel, call: Call, behind: Chain | None) -> tuple[bytes, Event]:
        """Send a question; return the first message that is about it."""
        payload = {name: each for name, each in (call.payload or {}).items() if name not in _OF_HTTP}
        if behind is not None:
            payload["previous_response_id"] = behind.response
        await channel.send("response.create", **payload)
        await in_turns(let_go(payload))
        while True:
            message, event = await channel.next()
            if not message:
                raise NetworkError(f"{call.who}: {call.way} has closed the connection", provider=call.who)
            kind = event.get("type")
            if not event or kind == "error" or str(kind).startswith("response."):
                return message, event

    async def _require_answer(self, channel: Channel, call: Call, event: Event) -> None:
        """Raise what the server says in the place of an answer, as it would over HTTP."""
        if event.get("type") != "error":
            return
        if code(event) == HOUR_OVER:
            await self._channels.drop(channel)
            raise NetworkError(f"{call.who}: the connection has stood for its hour", provider=call.who)
        status = event.get("status", event.get("status_code"))
        if isinstance(status, int) and status >= 400:
            await self._channels.keep(channel)
            raise refused(call, status, _headers(event), json.dumps(event.get("error", event)).encode())


def _headers(event: Event) -> Mapping[str, str]:
    """Return the headers that an error has in the place of those of a response."""
    given = event.get("headers")
    found = given.items() if isinstance(given, dict) else ()
    return {name: text for name, text in found if isinstance(text, str) and text.isascii() and text.isprintable()}


def _said(request: Request) -> Sequence[Message]:
    return [each for each in request.messages if each.role != "system"]
