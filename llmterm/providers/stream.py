"""Joins a wire to the transport: frames in, events out.

It sees to what is the same for every wire: text deltas that arrive together become one, the last reason to finish
counts, usage adds up, `Finished` comes exactly once and at the very end. A frame that is not what the wire should say
is skipped; a body that stops without a word is a broken connection. After the reason to finish there may be figures,
or `[DONE]`, or nothing but heartbeats: they are waited for for a moment. Of several answers one counts, and what is
said again as a whole only where it was not said before.

Of a generation that goes on without its reader it says how far it has come, and where the connection breaks it reads on
on another one. What it has in mind at a place (what was said by then, and is to be set off) is part of that place.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, assert_never

from llmterm import log
from llmterm.errors import (
    CursorRefusedError,
    NetworkError,
    ProtocolError,
    ProviderError,
    QuotaError,
    StreamTimeoutError,
)
from llmterm.framing import Frame
from llmterm.messages import (
    Carried,
    Cited,
    CursorMoved,
    EndReason,
    Finished,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.providers.choices import Choices
from llmterm.providers.wholes import Wholes
from llmterm.providers.wire import (
    Break,
    Choice,
    Failure,
    MalformedFrameError,
    Opaque,
    Placed,
    Whole,
    Wire,
    WireEvent,
    decoded,
)
from llmterm.transport import QUOTA_HINT, Call, codes, error_words, redact, used_up

_DONE = "[DONE]"
# What of a place is this module's.
_SAID = "said"
# How often in a row a generation is read on in vain.
_MOST_TRIES = 3
# How long the rest may take after the reason to finish.
_GRACE_SECONDS = 2.0
_MOST_WORDS = 500
# What of an answer goes back with every question after it, in characters; a block counts as `_BLOCK` at least.
_MOST_CARRIED = 4 * 1024 * 1024
_BLOCK = 4096
# A source may be named without its title first.
_MOST_CITED = 200
_SURROGATE = re.compile("[\ud800-\udfff]")


class Frames(Protocol):
    """What a stream needs of the frames of a response."""

    @property
    def call(self) -> Call: ...

    async def read(self) -> list[Frame]: ...

    def rest(self) -> list[Frame]: ...

    def content_came(self) -> None: ...

    async def drain(self) -> None: ...

    async def aclose(self) -> None: ...


class Generation(Protocol):
    """What a stream needs of a generation that goes on without it."""

    async def read_on(self, place: Mapping[str, Any]) -> Frames:
        """Return the frames behind a place. Raises ProviderError."""
        ...

    def stop(self, place: Mapping[str, Any]) -> None:
        """Have it go on no more."""
        ...


class WireStream:
    """An `EventStream` over the frames of one response, or of one `generation`, which may take several."""

    def __init__(self, frames: Frames, wire: Wire, generation: Generation | None = None) -> None:
        self._frames = frames
        self._call = frames.call
        self._wire = wire
        self._generation = generation
        self._parse = wire.parse if generation is None else self._followed
        self._place: dict[str, Any] = {}  # how far the generation has come
        self._moves = False  # whether that was not told yet
        self._tries = 0  # how often it was read on since anything came
        self._behind = False  # whether it was begun by another stream
        self._finish: EndReason | None = None
        self._words = ""  # what the provider says of it
        self._error: ProviderError | None = None
        self._over = False
        self._spoke = False  # whether there was text or thinking among the frames that are being looked at
        self._spoken = 0  # in how many chunks there was any
        self._text = self._thinking = False  # which of the two
        self._grace: float | None = None  # until when the rest is waited for, in the loop's time
        self._choices: Choices | None = None
        self._mute: Frame | None = None  # the last in which there was nothing, before there was anything
        self._gap = ""  # what sets off what comes next
        self._half = ""  # the first half of a surrogate pair that was cut between two chunks
        self._usage = Usage()
        self._blocks: dict[int, dict[str, list[str]]] = {}
        self._carried = 0
        self._closed: set[int] = set()  # the blocks that are whole
        self._wholes: dict[type, Wholes] = {}  # of text and thinking that came as a whole
        self._cited: set[Cited] = set()
        self._carried_at: list[int] = []  # the blocks that were passed on
        self.skipped = 0  # frames that were no sense

    def go_on(self, place: Mapping[str, Any], carried: Iterable[Mapping[str, Any]]) -> None:
        """Be what another stream of the same generation was at a place, when it had passed these blocks on."""
        self._place, self._behind = {name: each for name, each in place.items() if name != _SAID}, True
        match place.get(_SAID):
            case {"text": bool(text), "thinking": bool(thinking), "gap": str(gap), "at": list(at), "open": list(open)}:
                self._text, self._thinking, self._gap = text, thinking, gap
                self._carried_at = [index for index in at if isinstance(index, int)]
                for index, block in zip(self._carried_at, carried, strict=False):
                    self._blocks[index] = _texts(block)
                for each in open:
                    match each:
                        case {"index": int(index), "block": dict(block)}:
                            self._blocks[index] = _texts(block)

    async def read(self) -> Sequence[StreamEvent]:
        while not self._over:
            if self._error is not None:
                self._over = True
                raise self._error
            try:
                frames = await (self._frames.read() if self._grace is None else self._read_on(self._grace))
            except (NetworkError, StreamTimeoutError) as error:
                if await self._taken_up():
                    continue
                events = self._end(error)  # perhaps nothing is missing but the end of the connection
            except TimeoutError:
                rest = self.rest()
                self._over = True
                return rest
            else:
                if not frames and await self._taken_up():
                    continue
                events = self._events(frames) if frames else self._end()
            if self._moves:
                events += self._moved()
            if events:
                return events
        return ()

    async def _taken_up(self) -> bool:
        """Read on over another connection, where the answer goes on without this one; return whether that is so."""
        if self._generation is None or not self._place or self._finish is not None or self._tries >= _MOST_TRIES:
            return False
        self._tries += 1
        await self._frames.aclose()
        try:
            self._frames = await self._generation.read_on(self._place)
        except ProviderError as error:
            log.event("not read on", provider=self._call.who, error=str(error))
            return False
        return True

    def rest(self) -> Sequence[StreamEvent]:
        if self._over:
            return ()
        events = self._events(self._frames.rest())
        if not self._over:
            events += self._held()
        if self._moves:
            events += self._moved()
        return events if self._over or self._finish is None else [*events, self._finished(self._finish)]

    async def aclose(self) -> None:
        if self.skipped:
            log.event("skipped frames", provider=self._call.who, frames=self.skipped)
        if self._generation is not None and self._place and (self._error is not None or not self._over):
            self._generation.stop(self._place)
        await self.detach()

    async def detach(self) -> None:
        try:
            if self._over:
                await self._frames.drain()
        finally:
            await self._frames.aclose()

    async def steer(self, word: str) -> None:
        pass  # over HTTP nothing can be said to an answer

    def _events(self, frames: list[Frame]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        texts: list[str] = []
        for frame in frames:
            if frame.data == _DONE:
                self._over = True
                break
            try:
                for event in self._parse(frame):
                    if isinstance(event, TextDelta) and self._choices is None:
                        texts.append(event.text)
                    elif isinstance(event, Cited):
                        self._cite(event, events)  # which belongs to no place in the text
                    else:
                        self._merge(events, texts)
                        self._sort(event, events)
            except (MalformedFrameError, RecursionError):
                self.skipped += 1
            if not (events or texts or self._spoken):
                self._mute = frame
            if self._error is not None:
                break  # what came before the failure was received: it goes out first
        self._merge(events, texts)
        if self._spoke:
            self._spoke = False
            self._frames.content_came()
        return [*events, *self._held(), self._finished(self._finish or EndReason.STOP)] if self._over else events

    def _followed(self, frame: Frame) -> Iterator[WireEvent]:
        """Yield what a frame says, and keep how far the generation has come with it."""
        background = self._wire.background
        for event in background.parse(frame) if background is not None else ():
            if isinstance(event, Placed):
                self._place.update(event.parts)
                self._moves, self._tries = True, 0
            else:
                yield event

    def _moved(self) -> list[StreamEvent]:
        """Return where the generation can be read on; nothing where it is over, or a character is there only half."""
        self._moves = False
        if self._error is not None:
            self._place.clear()
            return [CursorMoved(None)]
        if self._over or self._finish is not None or self._half:
            return []
        said = {
            "text": self._text,
            "thinking": self._thinking,
            "gap": self._gap,
            "at": self._carried_at,
            "open": [
                {"index": index, "block": {name: "".join(texts) for name, texts in block.items()}}
                for index, block in self._blocks.items()
                if index not in self._carried_at
            ],
        }
        return [CursorMoved({**self._place, _SAID: said})]

    def _sort(self, event: WireEvent, events: list[StreamEvent]) -> None:
        """Take what an event is, of one of several answers if it counts."""
        match event:
            case UsageReport() | Failure():
                self._take(event, events)
                return
            case Break():
                self._gap = "\n\n"
                return
            case CursorMoved() if self._choices is None:
                if not self._half:  # else it is behind a character that is not whole yet
                    events.append(event)
                return
            case Choice():
                self._choices = self._choices or Choices(self._spoken)
        if self._choices is None:
            self._take(event, events)
            return
        self._take_all(self._choices.take(event if isinstance(event, Choice) else Choice(0, (event,))), events)

    def _held(self) -> list[StreamEvent]:
        """Return what was held back until it was clear that there is one answer."""
        events: list[StreamEvent] = []
        self._take_all(self._choices.close() if self._choices else (), events)
        return events

    def _take_all(self, several: Sequence[WireEvent], events: list[StreamEvent]) -> None:
        for event in several:
            self._take(event, events)

    def _take(self, event: WireEvent, events: list[StreamEvent]) -> None:
        match event:
            case TextDelta(text):
                self._merge(events, [text])
            case ThinkingDelta():
                self._speak(1)
                events.append(self._set_off(event))
            case Whole(parts):
                self._take_all(self._unsaid(parts), events)
            case Choice() | Break() | Carried() | CursorMoved() | Placed():
                pass  # an answer has no answers in it, a wire carries nothing itself, and no place is in one of several
            case UsageReport(usage):
                events.append(self._count(usage))
            case Cited():
                self._cite(event, events)
            case Finished(reason):
                self._finish, self._words = reason, event.words
                self._grace = self._grace or asyncio.get_running_loop().time() + _GRACE_SECONDS
            case Opaque():
                self._carry(event, events)
            case Failure():
                self._error = self._failed(event)
            case _:
                assert_never(event)

    def _failed(self, failure: Failure) -> ProviderError:
        said = error_words(failure.words, self._call.secrets) or "the provider reports an error"
        kind = QuotaError if used_up(None, said, codes(failure.words)) else failure.error
        if self._behind and not self._spoken:
            kind = CursorRefusedError  # nothing more comes of it: what there is is gone on with otherwise
        hint = QUOTA_HINT if kind is QuotaError else ""
        return kind(f"{self._call.who}: {said}", hint=hint, provider=self._call.who, model=self._call.model)

    def _unsaid(self, parts: Sequence[TextDelta | ThinkingDelta | Opaque]) -> Sequence[WireEvent]:
        """Return what of a whole answer has not come before, in parts or as a whole."""
        known = set(self._blocks)
        unsaid: list[WireEvent] = [part for part in parts if isinstance(part, Opaque) and part.index not in known]
        for kind, said in ((ThinkingDelta, self._thinking), (TextDelta, self._text)):
            text = "".join(part.text for part in parts if isinstance(part, kind))
            if text and (kind in self._wholes or not said):
                new = self._wholes.setdefault(kind, Wholes()).unsaid(text)
                unsaid += [kind(new)] if new else []
        return unsaid

    def _cite(self, source: Cited, events: list[StreamEvent]) -> None:
        """Pass a source on, once: some servers name all of them in every chunk."""
        if source not in self._cited and len(self._cited) < _MOST_CITED:
            self._cited.add(source)
            events.append(source)

    def _count(self, usage: Usage) -> UsageReport:
        before = self._usage
        cached = usage.cached_tokens or before.cached_tokens
        written = usage.cache_write_tokens or before.cache_write_tokens
        self._usage = Usage(
            # A report may say some of it, or be wrong: the parts are never more than the whole.
            input_tokens=max(usage.input_tokens or before.input_tokens, cached + written),
            output_tokens=usage.output_tokens or before.output_tokens,
            cached_tokens=cached,
            cache_write_tokens=written,
            cost=before.cost if usage.cost is None else usage.cost,
        )
        return UsageReport(self._usage)

    def _finished(self, reason: EndReason) -> Finished:
        words = redact(" ".join(self._words.split()), self._call.secrets)[:_MOST_WORDS]
        if not self._blocks or self._carried > _MOST_CARRIED:
            return Finished(reason, words=words)
        return Finished(reason, self._data(), words)

    def _carry(self, part: Opaque, events: list[StreamEvent]) -> None:
        """Keep part of a block, or none of any where it is more than any model has to be told again."""
        index, parts = part.index, part.parts
        if index in self._closed:
            return
        self._carried += sum(map(len, parts.values())) + (_BLOCK if index not in self._blocks else 0)
        if self._carried > _MOST_CARRIED:
            self._blocks.clear()
            return
        block = self._blocks.setdefault(index, {})
        for name, text in parts.items():
            block.setdefault(name, []).append(text)
        if part.ready:
            self._closed.add(index)
            self._carried_at = sorted(self._blocks)
            events.append(Carried(self._data()))

    def _data(self) -> Mapping[str, Any]:
        blocks = [{name: "".join(texts) for name, texts in block.items()} for _, block in sorted(self._blocks.items())]
        return {self._wire.name: blocks}

    def _end(self, error: ProviderError | None = None) -> list[StreamEvent]:
        """Return what is to come at the end of the body, be it an `error`; where it is none of the answer, it fails."""
        events = self._held()
        if self._finish is not None:
            self._over = True
            return [*events, self._finished(self._finish)]
        self._error = error or self._broken_off()
        if isinstance(self._error, CursorRefusedError):
            events.append(CursorMoved(None))
        return events

    def _broken_off(self) -> ProviderError:
        who, model = self._call.who, self._call.model
        if self._behind:
            return CursorRefusedError(f"{who} goes on no more with the answer", provider=who, model=model)
        if not (self._spoken or self._mute):
            what = f"{who}: an empty answer came from {self._call.way}"
            return NetworkError(what, hint="try again, or check the base URL", provider=who, model=model)
        if self._mute is None or self._spoken or not self._foreign(self._mute):
            return NetworkError(f"{who}: the answer broke off without an end", provider=who, model=model)
        said = error_words(self._mute.data, self._call.secrets)
        return ProtocolError(
            f"{who}: what came from {self._call.address} is not what this API should send{f': {said}' if said else ''}",
            hint="check the base URL: is it the API of this provider?",
            provider=who,
            model=model,
        )

    def _foreign(self, frame: Frame) -> bool:
        """Tell whether a frame is nothing that this API says, however little its frames may say."""
        try:
            return decoded(frame).keys().isdisjoint(self._wire.known)
        except MalformedFrameError:
            return True

    async def _read_on(self, until: float) -> list[Frame]:
        """Wait for what there may be after the reason to finish. Raises TimeoutError where that takes too long."""
        async with asyncio.timeout_at(until):
            if asyncio.get_running_loop().time() >= until:
                raise TimeoutError  # also where there is always something to read
            return await self._frames.read()

    def _set_off(self, event: ThinkingDelta) -> ThinkingDelta:
        if self._gap and self._thinking:
            event = ThinkingDelta(self._gap + event.text, event.chunks)
        self._gap, self._thinking = "", True
        return event

    def _speak(self, chunks: int) -> None:
        self._spoke = True
        self._spoken += chunks
        # After a reason to finish: so it was none, and the end is when the server says so once more.
        self._grace = None
        if self._finish is EndReason.OTHER:
            self._finish, self._words = None, ""  # a word that nobody knows

    def _merge(self, events: list[StreamEvent], texts: list[str]) -> None:
        if not texts:
            return
        self._speak(len(texts))
        text = self._half + "".join(texts)
        if self._gap:
            text = f"{self._gap}{text}" if self._text else text
            self._gap = ""
        self._text = True
        self._half = ""
        if _SURROGATE.search(text):
            # JSON may escape an emoji as two surrogates, and a server may cut it there.
            if "\ud800" <= text[-1] <= "\udbff":
                text, self._half = text[:-1], text[-1]
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        events.append(TextDelta(text, len(texts)))
        texts.clear()


def _texts(block: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return a block as it is kept: a text of each name, to which more may come."""
    return {name: [text] for name, text in block.items() if isinstance(text, str)}
