"""The log of a turn, and its readers: any number of them, each at its own pace, each with the same text in the end.

Text is in the log once, as the reply's own. What stands between two runs of text is a mark; a reader is a place: how
far it has read. So the log needs memory by the text and not by chunks times readers; one that comes late, or has
slept, gets what it missed in one piece, and nothing of what was taken back before it could read it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias
from weakref import ref

from llmterm.events import Entry, Retraction, SegmentEnded, StateChanged, TurnEvent, reduced
from llmterm.messages import Carried, Cursor, Finished, Reply, TextDelta, ThinkingDelta, UsageReport
from llmterm.states import OVER, TurnState

# Readers that nobody waits for are told of text together, so often: a wake-up for each chunk costs more than the chunk.
_TELLING_SECONDS = 0.02

_Kind: TypeAlias = Literal["text", "thinking"]


@dataclass(slots=True)
class _Mark:
    """A place between two runs, and the event that stands there, if one does.

    `seq`, `text` and `thinking` are how far the log, its text and its thinking reach with it. Of what came before it
    only so much is left to be read as `upto` says: the rest has been taken back since. `grows` is what comes after it.
    """

    seq: int
    text: int
    thinking: int
    event: TurnEvent | None = None
    upto: tuple[int, int] = (0, 0)
    grows: _Kind | None = None


@dataclass(slots=True)
class _Place:
    """How far a reader is in the log, and how much text and thinking it has."""

    seq: int = 0
    text: int = 0
    thinking: int = 0


class EventLog:
    """Append-only. `reply` is what all of it makes together, `seq` how far it reaches."""

    def __init__(self, reply: Reply | None = None, *, first: int = 0) -> None:
        """Begin with `reply` as text that is there already, and count from `first`."""
        self.reply = Reply()
        self.state = TurnState.READY
        self.first = self.seq = first
        self.marked = first
        """Where the last event stands that is no text."""
        self.chunks = 0
        """Chunks of the wire, in all."""
        self._text = 0
        self._thinking = 0
        self._marks = [_Mark(first, 0, 0)]
        self._usage: UsageReport | None = None  # the last of this segment
        # Never changed in place: a reader may be forgotten, and leave, while they are gone through.
        self._readers: frozenset[ref[Reader]] = frozenset()
        self._waited_for: frozenset[ref[Reader]] = frozenset()
        self._room = asyncio.Event()
        self._telling: asyncio.TimerHandle | None = None
        self._told_at = 0.0
        if reply is not None:
            self._put(reply)

    def append(self, event: TurnEvent) -> None:
        match event:
            case TextDelta(text, chunks):
                self._grow("text", len(text), chunks)
                self.reply = self.reply.add(event)
                self._tell(everybody=False)
            case ThinkingDelta(text, chunks):
                self._grow("thinking", len(text), chunks)
                self.reply = self.reply.add(event)
                self._tell(everybody=False)
            case UsageReport():
                # Some providers report with each chunk: the first and the last of a segment are enough.
                first, self._usage = self._usage is None, event
                if first:
                    self._mark(event)
                self.reply = self.reply.add(event)
            case SegmentEnded():
                if self._usage is not None:
                    self._mark(self._usage)
                    self._usage = None
                self._mark(event)
            case _:
                self._mark(event)

    def keep(self, event: Carried | Finished) -> None:
        """Take in what is for the reply alone: what a provider wants back, and how its stream ended."""
        self.reply = self.reply.add(event)

    def place(self, cursor: Cursor | None) -> None:
        """Have the answer be one that can be gone on with there."""
        self.reply = self.reply.at(cursor)
        self._tell(everybody=False)

    def rewrite(self, reply: Reply) -> None:
        """Put `reply` in the place of what there is; what they do not share at their beginning is taken back."""
        text, thinking = self.reply.body.common(reply.body), self.reply.thoughts.common(reply.thoughts)
        self._mark(Retraction(text, thinking, reply.segments))
        self._put(reply)

    def take(self, entry: Entry) -> None:
        """Append what another log has told, at its place, so that places mean the same in both.

        What is here already is left out. Places that its reader was spared, as what stood there was taken back, are
        passed over here, too.
        """
        seq, event = entry
        if seq <= self.seq:
            return
        if isinstance(event, TextDelta | ThinkingDelta):
            text = event.text[-(seq - self.seq) :]
            self._pass(seq - len(text))
            self.append(type(event)(text, event.chunks))
        else:
            self._pass(seq - 1)
            self._mark(event)

    def reader(self, after: int = 0, *, bound: int | None = None) -> Reader:
        """Return a reader of what comes after `after`. One with a `bound` is waited for, see `room`.

        0 is before all of it. Raises ValueError for a place that the log does not reach to.
        """
        if not self.first <= (after or self.first) <= self.seq:
            raise ValueError(f"the log reaches from {self.first} to {self.seq}, not to {after}")
        reader = Reader(self, self._place(after or self.first), bound)
        self._readers |= {ref(reader, self._forget)}
        if bound is not None:
            self._waited_for |= {ref(reader, self._forget)}
        return reader

    async def room(self) -> None:
        """Wait until no reader that is waited for is behind by its bound of chunks."""
        while any(reader.full for reader in _living(self._waited_for)):
            self._room.clear()
            await self._room.wait()

    # For readers

    @property
    def end(self) -> _Place:
        """The place behind all there is."""
        return _Place(self.seq, self._text, self._thinking)

    def following(self, place: _Place, most: int | None = None) -> Entry | None:
        """Return what comes next after `place`, of text `most` characters, and move it there; None at the end."""
        for index in range(bisect_right(self._marks, place.seq, key=lambda mark: mark.seq), len(self._marks)):
            mark = self._marks[index]
            if run := self._run(place, *mark.upto, mark.seq - (mark.event is not None), most):
                return run
            place.seq = mark.seq
            if isinstance(mark.event, Retraction):
                place.text, place.thinking = min(place.text, mark.text), min(place.thinking, mark.thinking)
            if mark.event is not None:
                return Entry(mark.seq, mark.event)
        run = self._run(place, self._text, self._thinking, self.seq, most)
        if run is None:
            place.seq = self.seq
        return run

    def left(self, place: _Place) -> int:
        """Return how many characters come after `place`."""
        return max(0, self._text - place.text) + max(0, self._thinking - place.thinking)

    def moved(self) -> None:
        """A reader that is waited for has read."""
        self._room.set()

    def leave(self, reader: Reader) -> None:
        """Tell it nothing more, and do not wait for it."""
        self._forget(ref(reader))

    def _run(self, place: _Place, text: int, thinking: int, seq: int, most: int | None) -> Entry | None:
        """Return what has come up to there; between two marks that is one of the two."""
        left = max(thinking - place.thinking, text - place.text)
        if left <= 0:
            return None
        size = left if most is None else min(left, most)
        place.seq = seq if size == left else place.seq + size
        if place.thinking < thinking:
            start, place.thinking = place.thinking, place.thinking + size
            return Entry(place.seq, ThinkingDelta(self.reply.thoughts.slice(start, place.thinking)))
        start, place.text = place.text, place.text + size
        return Entry(place.seq, TextDelta(self.reply.body.slice(start, place.text)))

    def _place(self, seq: int) -> _Place:
        mark = self._marks[bisect_right(self._marks, seq, key=lambda mark: mark.seq) - 1]
        grown = seq - mark.seq
        text, thinking = grown * (mark.grows == "text"), grown * (mark.grows == "thinking")
        return _Place(seq, mark.text + text, mark.thinking + thinking)

    def _forget(self, reader: ref[Reader]) -> None:
        self._readers -= {reader}
        self._waited_for -= {reader}
        self._room.set()

    # Growing

    def _grow(self, kind: _Kind, size: int, chunks: int) -> None:
        self.chunks += chunks
        if not size:
            return
        last = self._marks[-1]
        if last.grows is None:
            last.grows = kind
        elif last.grows != kind:
            self._marks.append(
                _Mark(self.seq, self._text, self._thinking, upto=(self._text, self._thinking), grows=kind)
            )
        self.seq += size
        if kind == "text":
            self._text += size
        else:
            self._thinking += size

    def _pass(self, to: int) -> None:
        """Go on at a later place, with nothing between."""
        if to > self.seq:
            upto = (self._text, self._thinking)
            self._marks += [_Mark(seq, *upto, upto=upto) for seq in (self.seq, to)]
            self.seq = to

    def _mark(self, event: TurnEvent) -> None:
        upto = (self._text, self._thinking)
        if isinstance(event, Retraction):
            self._text, self._thinking = event.text, event.thinking
            for mark in self._marks:
                mark.upto = (min(mark.upto[0], event.text), min(mark.upto[1], event.thinking))
            upto = (min(upto[0], event.text), min(upto[1], event.thinking))
        self.seq += 1
        self.marked = self.seq
        self._marks.append(_Mark(self.seq, self._text, self._thinking, event, upto))
        self.reply = reduced(self.reply, event)
        if isinstance(event, StateChanged):
            self.state = event.state
        self._tell(everybody=True)

    def _put(self, reply: Reply) -> None:
        """Have `reply`, which begins with what there is."""
        self._grow("thinking", len(reply.thoughts) - self._thinking, 0)
        self._grow("text", len(reply.body) - self._text, 0)
        self.reply = reply
        self._tell(everybody=True)

    def _tell(self, *, everybody: bool) -> None:
        """Wake the readers: those that are waited for at once, the others too, unless they were a moment ago: then with
        what else comes in the same one."""
        for reader in _living(self._readers if everybody else self._waited_for):
            reader.wake()
        if not everybody and self._telling is None and len(self._readers) > len(self._waited_for):
            loop = asyncio.get_running_loop()
            soon = self._told_at + _TELLING_SECONDS - loop.time()
            if soon > 0:
                self._telling = loop.call_later(soon, self._tell_others)
            else:
                self._tell_others()

    def _tell_others(self) -> None:
        self._telling, self._told_at = None, asyncio.get_running_loop().time()
        self._tell(everybody=True)


def _living(readers: frozenset[ref[Reader]]) -> Iterator[Reader]:
    return filter(None, (each() for each in readers))


class Reader:
    """A place in a log: iterating gives what comes after it, live, until the turn is over, `hold` or `leave`.

    `text` is how many characters of the reply's text it has given out. Nothing that becomes of a reader, not even that
    it is forgotten, changes anything for the stream or for other readers.
    """

    def __init__(self, log: EventLog, place: _Place, bound: int | None) -> None:
        self._log = log
        self._place = place
        self.bound = bound
        self.held = False
        self._most: int | None = None
        self._left = False
        self._taken = log.chunks if place.seq > log.first else 0
        self._arrival = asyncio.Event()
        self._mark = asyncio.Event()

    @property
    def seq(self) -> int:
        return self._place.seq

    @property
    def text(self) -> int:
        return self._place.text

    @property
    def has_left(self) -> bool:
        """Whether it is told nothing more."""
        return self._left

    @property
    def at_end(self) -> bool:
        """Whether nothing has come that was not read."""
        return self._place.seq >= self._log.seq

    @property
    def unread(self) -> int:
        """Characters that have come and were not read."""
        return self._log.left(self._place)

    @property
    def waiting(self) -> int:
        """Chunks that have come and were not read."""
        return self._log.chunks - self._taken

    @property
    def full(self) -> bool:
        """Whether the stream has to wait for this reader."""
        return self.bound is not None and self.waiting >= self.bound

    async def streamed(self) -> AsyncIterator[TurnEvent]:
        """Yield what comes until the answer is at rest or over, or `hold`; after a resume another call goes on."""
        while not self.at_end or self._log.state is TurnState.STREAMING:
            try:
                entry = await anext(self)
            except StopAsyncIteration:
                return
            yield entry.event

    async def filled(self) -> None:
        """Wait until the stream has to wait for this reader."""
        while not self.full:
            self._arrival.clear()
            await self._arrival.wait()

    def portion(self, most: int | None) -> None:
        """Give out no more than so many characters at once, for who wants to follow what has come meanwhile."""
        self._most = most

    def hold(self) -> None:
        """End the iteration for now; another one goes on from here."""
        self.held = True
        self.wake()

    def leave(self) -> None:
        """End it for good: nobody waits for this reader any more."""
        self._left = True
        self._log.leave(self)
        self.wake()

    def wake(self) -> None:
        self._arrival.set()
        if self._place.seq < self._log.marked:
            self._mark.set()

    def skip(self) -> None:
        """Take all there is for read. None of it is looked at, as it may be long."""
        self._place = self._log.end
        self._taken = self._log.chunks
        self._log.moved()

    def pending(self) -> Iterator[Entry]:
        """Yield what has come and was not read, and wait for nothing more."""
        while (entry := self._taken_on(self._log.following(self._place))) is not None:
            yield entry
        self._taken = self._log.chunks
        self._log.moved()

    async def arrived(self) -> None:
        """Wait until something has come that was not read, also after the turn is over: it may be cut then.

        Nothing comes to one that has left.
        """
        while self.at_end and not self._left:
            self._arrival.clear()
            await self._arrival.wait()

    async def woken(self) -> None:
        """Wait until something has come that was not read, or somebody wakes it."""
        if self.at_end:
            self._arrival.clear()
            await self._arrival.wait()

    def let_go(self) -> None:
        """Let go of what was held."""
        self.held = False

    def __aiter__(self) -> Self:
        return self

    async def marked(self, until: float) -> None:
        """Wait until something has come that is no text, and was not read, or until that moment of the loop's time."""
        if self._place.seq >= self._log.marked:
            self._mark.clear()
            timer = asyncio.get_running_loop().call_at(until, self._mark.set)
            try:
                await self._mark.wait()
            finally:
                timer.cancel()

    async def __anext__(self) -> Entry:
        while not self.held and not self._left:
            entry = self._taken_on(self._log.following(self._place, self._most))
            if self.bound is not None:
                self._log.moved()
            if entry is not None:
                return entry
            if self._log.state in OVER:
                break
            self._arrival.clear()
            await self._arrival.wait()
        raise StopAsyncIteration

    def _taken_on(self, entry: Entry | None) -> Entry | None:
        """Reckon how many chunks a run is: by its length, of those that wait, as the log does not tell them apart."""
        taken = self.waiting
        match entry:
            case Entry(seq, TextDelta(text) | ThinkingDelta(text) as run):
                taken = taken * len(text) // (len(text) + self.unread)
                entry = Entry(seq, type(run)(text, taken))
            case Entry() if not self.at_end:
                return entry
        self._taken += taken
        return entry
