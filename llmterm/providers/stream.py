"""Joins a wire to the transport: frames in, events out.

It sees to what is the same for every wire: text deltas that arrive together become one, the last reason to finish
counts, `Finished` comes exactly once and at the very end, and a body that stops without a word is a broken connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from llmterm.errors import NetworkError, ProviderError
from llmterm.framing import Frame
from llmterm.messages import EndReason, Finished, StreamEvent, TextDelta
from llmterm.transport import FrameStream

_DONE = "[DONE]"
_SURROGATE = re.compile("[\ud800-\udfff]")


class WireStream:
    """An `EventStream` over the frames of one response."""

    def __init__(self, who: str, frames: FrameStream, parse: Callable[[Frame], Iterable[StreamEvent]]) -> None:
        self._who = who
        self._frames = frames
        self._parse = parse
        self._finish: EndReason | None = None
        self._error: ProviderError | None = None
        self._over = False
        self._half = ""  # the first half of a surrogate pair that was cut between two chunks

    async def read(self) -> Sequence[StreamEvent]:
        while not self._over:
            if self._error is not None:
                self._over = True
                raise self._error
            frames = await self._frames.read()
            events = self._events(frames) if frames else self._end()
            if events:
                return events
        return ()

    def rest(self) -> Sequence[StreamEvent]:
        return self._events(self._frames.rest()) if not self._over else ()

    async def aclose(self) -> None:
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
                for event in self._parse(frame):
                    if isinstance(event, TextDelta):
                        texts.append(event.text)
                        continue
                    self._merge(events, texts)
                    if isinstance(event, Finished):
                        self._finish = event.reason
                    else:
                        events.append(event)
            except ProviderError as error:
                # What came before the failure was received: it goes out first.
                self._error = error
                break
        self._merge(events, texts)
        if self._over:
            events.append(Finished(self._finish or EndReason.STOP))
        return events

    def _end(self) -> list[StreamEvent]:
        self._over = True
        if self._finish is None:
            raise NetworkError(f"{self._who}: the answer broke off without an end")
        return [Finished(self._finish)]

    def _merge(self, events: list[StreamEvent], texts: list[str]) -> None:
        if not texts:
            return
        text = self._half + "".join(texts)
        self._half = ""
        if _SURROGATE.search(text):
            # JSON may escape an emoji as two surrogates, and a server may cut it there.
            if "\ud800" <= text[-1] <= "\udbff":
                text, self._half = text[:-1], text[-1]
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        events.append(TextDelta(text, len(texts)))
        texts.clear()
