"""Joins a wire to the transport: frames in, events out.

It sees to what is the same for every wire: text deltas that arrive together become one, the last reason to finish
counts, usage adds up, `Finished` comes exactly once and at the very end. A frame that is not what the wire should say
is skipped; a body that stops without a word is a broken connection. After the reason to finish there may be figures,
or `[DONE]`, or nothing but heartbeats: they are waited for for a moment.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import assert_never

from llmterm import log
from llmterm.errors import NetworkError, ProtocolError, ProviderError, StreamTimeoutError
from llmterm.framing import Frame
from llmterm.messages import EndReason, Finished, StreamEvent, TextDelta, ThinkingDelta, Usage, UsageReport
from llmterm.providers.wire import Failure, MalformedFrameError, Opaque, Wire, WireEvent
from llmterm.transport import FrameStream, error_words

_DONE = "[DONE]"
# How long the rest may take after the reason to finish.
_GRACE_SECONDS = 2.0
_SURROGATE = re.compile("[\ud800-\udfff]")


class WireStream:
    """An `EventStream` over the frames of one response."""

    def __init__(self, frames: FrameStream, wire: Wire) -> None:
        self._frames = frames
        self._call = frames.call
        self._wire = wire
        self._finish: EndReason | None = None
        self._error: ProviderError | None = None
        self._over = False
        self._begun = False
        self._spoke = False  # whether there was text or thinking among the frames that are being looked at
        self._grace: float | None = None  # until when the rest is waited for, in the loop's time
        self._half = ""  # the first half of a surrogate pair that was cut between two chunks
        self._usage = Usage()
        self._blocks: dict[int, dict[str, str]] = {}
        self.skipped = 0  # frames that were no sense

    async def read(self) -> Sequence[StreamEvent]:
        while not self._over:
            if self._error is not None:
                self._over = True
                raise self._error
            try:
                frames = await (self._frames.read() if self._grace is None else self._read_on(self._grace))
            except (NetworkError, StreamTimeoutError):
                if self._finish is None:
                    raise
                frames = []  # nothing was missing but the end of the connection
            except TimeoutError:
                events = self.rest()
                self._over = True
                return events
            events = self._events(frames) if frames else self._end()
            if events:
                return events
        return ()

    def rest(self) -> Sequence[StreamEvent]:
        if self._over:
            return ()
        events = self._events(self._frames.rest())
        return events if self._over or self._finish is None else [*events, self._finished(self._finish)]

    async def aclose(self) -> None:
        if self.skipped:
            log.event("skipped frames", provider=self._call.who, frames=self.skipped)
        try:
            if self._over:
                await self._frames.drain()
        finally:
            await self._frames.aclose()

    def _events(self, frames: list[Frame]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        texts: list[str] = []
        for frame in frames:
            if frame.data == _DONE:
                self._over = True
                break
            try:
                for event in self._wire.parse(frame):
                    if isinstance(event, TextDelta):
                        texts.append(event.text)
                        self._grace = None
                    else:
                        self._merge(events, texts)
                        self._take(event, events)
            except (MalformedFrameError, RecursionError):
                self.skipped += 1
            if self._error is not None:
                break  # what came before the failure was received: it goes out first
        self._merge(events, texts)
        if self._spoke:
            self._begun, self._spoke = True, False
            self._frames.content_came()
        if self._over:
            events.append(self._finished(self._finish or EndReason.STOP))
        return events

    def _take(self, event: WireEvent, events: list[StreamEvent]) -> None:
        match event:
            case TextDelta() | ThinkingDelta():
                # After a reason to finish: so it was none, and the end is when the server says so once more.
                self._spoke, self._grace = True, None
                events.append(event)
            case UsageReport(usage):
                self._usage = Usage(
                    input_tokens=usage.input_tokens or self._usage.input_tokens,
                    output_tokens=usage.output_tokens or self._usage.output_tokens,
                )
                events.append(UsageReport(self._usage))
            case Finished(reason):
                self._finish = reason
                if self._grace is None:
                    self._grace = asyncio.get_running_loop().time() + _GRACE_SECONDS
            case Opaque(index, parts):
                block = self._blocks.setdefault(index, {})
                for name, text in parts.items():
                    block[name] = block.get(name, "") + text
            case Failure(words, error):
                said = error_words(words, self._call.secrets) or "the provider reports an error"
                self._error = error(f"{self._call.who}: {said}", provider=self._call.who, model=self._call.model)
            case _:
                assert_never(event)

    def _finished(self, reason: EndReason) -> Finished:
        blocks = [self._blocks[index] for index in sorted(self._blocks)]
        return Finished(reason, {self._wire.name: blocks}) if blocks else Finished(reason)

    def _end(self) -> list[StreamEvent]:
        self._over = True
        if self._finish is not None:
            return [self._finished(self._finish)]
        who = self._call.who
        if self.skipped and not self._begun:
            raise ProtocolError(
                f"{who}: what came from {self._call.address} is not what this API should send",
                hint="check the base URL: is it the API of this provider?",
                provider=who,
                model=self._call.model,
            )
        raise NetworkError(f"{who}: the answer broke off without an end", provider=who, model=self._call.model)

    async def _read_on(self, until: float) -> list[Frame]:
        """Wait for what there may be after the reason to finish. Raises TimeoutError where that takes too long."""
        async with asyncio.timeout_at(until):
            if asyncio.get_running_loop().time() >= until:
                raise TimeoutError  # also where there is always something to read
            return await self._frames.read()

    def _merge(self, events: list[StreamEvent], texts: list[str]) -> None:
        if not texts:
            return
        self._spoke = True
        text = self._half + "".join(texts)
        self._half = ""
        if _SURROGATE.search(text):
            # JSON may escape an emoji as two surrogates, and a server may cut it there.
            if "\ud800" <= text[-1] <= "\udbff":
                text, self._half = text[:-1], text[-1]
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        events.append(TextDelta(text, len(texts)))
        texts.clear()
