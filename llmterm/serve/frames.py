"""What is told over HTTP: server-sent events, written by hand.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any

from llmterm.eventlog import Reader
from llmterm.events import Entry, Retraction, encoded
from llmterm.messages import TextDelta
from llmterm.serve.changes import Changes
from llmterm.serve.served import Told
from llmterm.states import OVER

# A proxy between may take a connection on which nothing comes for a dead one, usually after a minute.
ALIVE_SECONDS = 15.0
ALIVE = b": alive\n\n"
# Seconds between two writes to one reader: what comes faster goes out together. The first goes out at once.
_TOGETHER_SECONDS = 0.04
# Nobody between may keep what comes, or wait for more of it (nginx: proxy_buffering).
STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
# Made once: `json.dumps` makes one for each text that it is given.
_AS_IT_IS = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ESCAPED = json.JSONEncoder(separators=(",", ":"))


def frame(data: object, *, event: str = "", number: int | None = None) -> bytes:
    """Return one event; `data` is anything that JSON has, which is never more than one line."""
    head = (f"id: {number}\n" if number is not None else "") + (f"event: {event}\n" if event else "")
    return f"{head}data: {dumped(data)}\n\n".encode()


def dumped(data: object) -> str:
    """Return JSON that can be sent as UTF-8: half a character of two, which a model may say, is escaped."""
    text = _AS_IT_IS.encode(data)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _ESCAPED.encode(data)
    return text


def told(entry: Entry) -> bytes:
    """Return what a turn has told: its place is the number of the event, and its kind the name."""
    if isinstance(entry.event, TextDelta):  # nearly all are, and there are many
        seq, (text, chunks) = entry.seq, (entry.event.text, entry.event.chunks)
        data = f'{{"seq":{seq},"event":"TextDelta","text":{dumped(text)},"chunks":{chunks}}}'
        return f"id: {seq}\nevent: TextDelta\ndata: {data}\n\n".encode()
    value = encoded(entry)
    return frame(value, event=value["event"], number=entry.seq)


async def events(turn: Told, after: int, ending: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield all that a turn tells after that place, live, until it is over or the service is `ending`."""
    async with aclosing(batches(turn, after, ending)) as coming:
        async for entries in coming:
            yield b"".join(map(told, entries)) or ALIVE
    if turn.state not in OVER:
        yield b"retry: 1000\n\n"


async def batches(turn: Told, after: int, ending: Callable[[], bool]) -> AsyncGenerator[list[Entry], None]:
    """Yield what a turn tells after that place, together with what it tells in the same moment; nothing, now and then,
    while it tells nothing.

    A place that is none of its log's is of an earlier one, or of nobody's: what is known of it is taken back, and all
    is told anew. So it is elsewhere, from the beginning on, where the turn was lost to another instance.
    """
    if after and after not in turn.places:
        yield [Entry(turn.places.start, Retraction(0, 0, ()))]
        after = 0
    async with aclosing(portions(turn.reader(after), lambda: turn.state in OVER or ending())) as coming:
        async for entries in coming:
            yield entries
    if turn.lost:
        yield [Entry(0, Retraction(0, 0, ()))]


async def portions(reader: Reader, enough: Callable[[], bool]) -> AsyncGenerator[list[Entry], None]:
    """Yield what comes to a reader, together what comes in the same moment, until it has all and that is `enough`.

    While nothing comes it is nothing, now and then. The reader leaves at the end.
    """
    loop, sent = asyncio.get_running_loop(), 0.0
    beat = _Beat(reader)
    try:
        while True:
            if not reader.at_end:
                if (soon := sent + _TOGETHER_SECONDS - loop.time()) > 0:
                    await asyncio.sleep(soon)
                sent = loop.time()
                yield list(reader.pending())
            elif reader.has_left or enough():
                return
            elif beat.struck():
                yield []
            else:
                await reader.woken()
    finally:
        beat.end()
        reader.leave()


class _Beat:
    """Wakes a reader now and then. One timer for all the time: a timeout for each wait costs as much as what it waits
    for."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._due = False
        self._begin()

    def struck(self) -> bool:
        """Tell, once, that it has."""
        due, self._due = self._due, False
        return due

    def end(self) -> None:
        self._timer.cancel()

    def _begin(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(ALIVE_SECONDS, self._strike)

    def _strike(self) -> None:
        self._due = True
        self._reader.wake()
        self._begin()


async def changes(
    of: Changes, session_id: str, now: Callable[[], Awaitable[object]], ending: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    """Yield what a session is `now`, and again whenever it has changed, until the service is `ending`."""
    changed = of.watch(session_id)
    try:
        while not ending():
            changed.clear()
            yield frame(await now(), event="Session")
            while not await _within(changed.wait()):
                yield ALIVE
        yield b"retry: 1000\n\n"
    finally:
        of.leave(session_id, changed)


async def _within(coming: Coroutine[Any, Any, object]) -> bool:
    """Wait until something has come; not for ever, and tell whether it has."""
    try:
        async with asyncio.timeout(ALIVE_SECONDS):
            await coming
    except TimeoutError:
        return False
    return True
