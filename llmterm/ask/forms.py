"""What an answer is given out as: its text as it comes, its events, or what is made of all of it at the end.

None of them lets what the model thought get between what it said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, assert_never

from llmterm.ask import Answered
from llmterm.errors import UsageError
from llmterm.events import Entry, Notice, Retraction, SegmentEnded, SegmentStarted, StateChanged, TurnEvent, encoded
from llmterm.files import write
from llmterm.messages import TextDelta, ThinkingDelta, UsageReport
from llmterm.threads import in_thread


class Streams(Protocol):
    """Standard output for `text`, which may raise OSError, and standard error for all else. Only `room` waits."""

    def text(self, text: str) -> None: ...
    def thinking(self, text: str) -> None: ...
    def notice(self, line: str) -> None: ...
    def end(self) -> None:
        """There is no more of it."""
        ...

    async def room(self) -> None: ...


class Text:
    """The text as it comes, and beside it what is thought, unless that is left out, and what there is to be said."""

    def __init__(self, streams: Streams, *, thinking: bool = True) -> None:
        self._streams = streams
        self._thinking = thinking
        self.notice = streams.notice
        self.room = streams.room

    def event(self, seq: int, event: TurnEvent) -> None:
        match event:
            case TextDelta(text):
                self._streams.text(text)
            case ThinkingDelta(text):
                if self._thinking:
                    self._streams.thinking(text)
            case Notice(text, failure=False):
                self._streams.notice(text)
            case Notice():
                pass  # of the store it counts what it has in the end
            case UsageReport() | SegmentStarted() | SegmentEnded() | StateChanged() | Retraction():
                pass
            case _:
                assert_never(event)

    async def finish(self, answered: Answered) -> None:
        self._streams.end()


class EventLines:
    """Every event of the turn's log, as a line of JSON."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self.notice = streams.notice
        self.room = streams.room

    def event(self, seq: int, event: TurnEvent) -> None:
        self._streams.text(f"{json.dumps(encoded(Entry(seq, event)), ensure_ascii=False)}\n")

    async def finish(self, answered: Answered) -> None:
        self._streams.end()


class Held:
    """What `content` makes of the answer once it is there: on standard output, or in the file at `path`.

    Of an answer with a problem the file is another one beside it, so that the file itself is always a whole answer.
    """

    def __init__(self, streams: Streams, content: Callable[[Answered], str], path: Path | None = None) -> None:
        self._streams = streams
        self._content = content
        self._path = path
        self.notice = streams.notice
        self.room = streams.room

    def event(self, seq: int, event: TurnEvent) -> None:
        if isinstance(event, Notice) and not event.failure:
            self._streams.notice(event.text)

    async def finish(self, answered: Answered) -> None:
        content = self._content(answered)
        if not content:
            return
        content += "" if content.endswith("\n") else "\n"
        if self._path is None:
            self._streams.text(content)  # in one piece, so that several may write into one pipe
            return
        path = self._path
        if answered.problem is not None:
            path = partial(path)
            self._streams.notice(f"what came of it is in {path}")
        try:
            await in_thread(write, path, content)
        except (OSError, RuntimeError, ValueError) as error:
            kept = "" if answered.session is None else f"it is kept in session {answered.session}"
            raise UsageError(f"{path} cannot be written: {getattr(error, 'strerror', error)}", hint=kept) from None


def partial(path: Path) -> Path:
    """Return where what came of an answer is put that was cut short."""
    return path.with_name(f"{path.name}.partial")
