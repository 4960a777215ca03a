"""An answer on a WebSocket: a response, and, where it is steered, the one that follows it by itself.

A word that is sent while a response streams ends it where the server finds that safe, and another one follows, under
that word; or the server refuses it, and the response goes on. What is known of both is in the SDK's own types,
`openai.types.responses`: `response.steer`, `.accepted`, `.failed`, and the `response.created` of the one that follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import ClassVar

from llmterm.errors import NetworkError, ProviderError
from llmterm.messages import Finished, Rope, StreamEvent, StreamLimits, TextDelta
from llmterm.progress import Progress
from llmterm.providers.chain import Chain, Fingerprint, after
from llmterm.providers.channel import Channel, Channels, Event, code
from llmterm.providers.stream import WireStream
from llmterm.providers.wire import Wire
from llmterm.transport import Call, FrameStream

# An end that the next question can be asked behind.
_GOOD = ("response.completed", "response.incomplete")
_LAST = frozenset({*_GOOD, "response.failed", "error"})
HOUR_OVER = "websocket_connection_limit_reached"
# How long an answer that is over waits for a word on what it was steered with, in seconds.
_GRACE_SECONDS = 2.0


class Steer:
    """A word that was sent to a response. `settled` is when it is refused, or nothing more comes of the response."""

    def __init__(self) -> None:
        self.accepted = self.refused = False
        self.settled = asyncio.Event()

    def note(self, event: Event) -> None:
        """Take in what the server says of it."""
        match event.get("type"):
            case "response.steer.accepted":
                self.accepted = True
            case "response.steer.failed" | "error":
                self.refused = True
                self.settled.set()


class Response:
    """The messages of one response, as what frames are cut from: JSON, a line each.

    Its channel is kept for the next question where it has come to its end, and is broken off elsewhere.
    """

    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        channels: Channels,
        channel: Channel,
        call: Call,
        opening: tuple[bytes, Event],
        said: Sequence[Fingerprint] = (),
    ) -> None:
        """`opening` is the first message of it, which has come.

        `said` are the fingerprints of what was asked, none where whoever asks the next question does not know that.
        """
        self.channel = channel
        self.channels = channels
        self.said = tuple(said)
        self.end = ""
        """The type of its last event; "" while there is none."""
        self.steer: Steer | None = None
        self._call = call
        self._opening = opening
        self.left = False
        """Whether its channel is somebody else's by now."""
        about = opening[1].get("response")
        found = about.get("id") if isinstance(about, dict) else None
        self.id = found if isinstance(found, str) else ""

    async def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        message, event = self._opening
        try:
            while message and not self.end:
                if self._is_of_it(event):
                    kind = event.get("type")
                    self.end = str(kind) if kind in _LAST else ""
                    yield message.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
                if not self.end:
                    message, event = await self.channel.next()
        finally:
            if self.steer is not None:
                self.steer.settled.set()
            if not self.end:
                await self.aclose()  # whoever closes the frames may be cancelled on the way here

    def _is_of_it(self, event: Event) -> bool:
        """Take in what is said of the steering; return whether an event is something else. Raises NetworkError."""
        kind = event.get("type", "")
        if kind == "error" and code(event) == HOUR_OVER:
            who, model = self._call.who, self._call.model
            raise NetworkError(f"{who}: the connection has stood for its hour", provider=who, model=model)
        steer = self.steer
        # A server that knows no steering says so by an error, of which nothing tells what it is about.
        unanswered = steer is not None and not steer.accepted and not steer.refused
        if not str(kind).startswith("response.steer.") and not (kind == "error" and unanswered):
            return True
        if steer is not None:
            steer.note(event)
        return False

    def leave(self) -> Channel:
        """Leave the channel to the answer that follows this one, of which nobody else knows what it is an answer to."""
        self.left = True
        self.channel.chain = None
        return self.channel

    async def aclose(self) -> None:
        if self.steer is not None:
            self.steer.settled.set()
        if self.left:
            return
        self.left = True
        sound = self.end and (self.steer is None or self.steer.refused) and self.channel.alive
        await (self.channels.keep(self.channel) if sound else self.channels.drop(self.channel))


class SteerableStream:
    """A `WireStream` of a response. At its end its channel knows what the next question can be asked behind."""

    def __init__(
        self, frames: FrameStream, response: Response, wire: Wire, limits: StreamLimits, progress: Progress
    ) -> None:
        response.channel.beat(frames.pulse)
        self._stream = WireStream(frames, wire)
        self._call = frames.call
        self._response = response
        self._wire = wire
        self._limits = limits
        self._progress = progress
        self._texts: list[str] = []

    async def read(self) -> Sequence[StreamEvent]:
        events = await self._stream.read()
        for event in events:
            if isinstance(event, TextDelta):
                self._texts.append(event.text)
            elif isinstance(event, Finished):
                self._link()
        return events

    def rest(self) -> Sequence[StreamEvent]:
        return self._stream.rest()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def detach(self) -> None:
        await self.aclose()

    async def steer(self, word: str) -> SteerableStream | None:
        """Have another answer follow, to `word`; return it once it begins, None where none does."""
        response = self._response
        if response.end in _LAST or response.steer is not None or not response.id:
            return None
        steer = response.steer = Steer()
        try:
            await response.channel.send("response.steer", previous_response_id=response.id, input=word)
            await steer.settled.wait()
            opening = await self._successor(steer) if response.end in _LAST and not steer.refused else None
        except ProviderError:
            return None  # whoever reads hears of that
        if opening is None:
            return None
        following = Response(response.channels, response.leave(), self._call, opening)
        frames = FrameStream(self._call, following, self._limits, asyncio.get_running_loop().time())
        self._progress.watch(frames.pulse)
        return SteerableStream(frames, following, self._wire, self._limits, self._progress)

    async def _successor(self, steer: Steer) -> tuple[bytes, Event] | None:
        """Wait for the beginning of what follows; None where that does not come."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_GRACE_SECONDS) as timer:
                while not steer.refused:
                    if steer.accepted:
                        patience = self._limits.first_token_timeout
                        timer.reschedule(None if patience is None else loop.time() + patience)
                    message, event = await self._response.channel.next()
                    if not message:
                        return None
                    if event.get("type") == "response.created":
                        return message, event
                    steer.note(event)
        except TimeoutError:
            pass
        return None

    def _link(self) -> None:
        """Have the next question be asked behind this answer, where it is exactly that."""
        response = self._response
        if response.end in _GOOD and response.id and response.said and not response.left:
            last = after(response.said[-1], "assistant", Rope.of("".join(self._texts)))
            response.channel.chain = Chain(response.id, self._call.model, (*response.said, last))
