"""What is typed while an answer streams: a line with a cursor, and the finished lines that wait to be sent.

Pure state: keys in, text out. Up takes the last line of the queue back into the line, once more the one before it; an
edited line goes back to its own place.

After a stop, or a failure, what waits is held: it is sent one by one, by the user.
"""

from __future__ import annotations

import re

from llmterm.chat import graphemes
from llmterm.keys import Key

# Where the cursor stands, when it is not at the end.
CURSOR = "▏"
_WORD_BEFORE = re.compile(r"\S*\s*\Z")


class Ahead:
    """Typed ahead: `text` is the line being typed, `queue` the messages that are ready, first one first."""

    def __init__(self, *, vi: bool = False) -> None:
        """With `vi` Esc on a line that is being typed means the line, as everywhere, and not the answer."""
        self._vi = vi
        self.text = ""
        self.queue: list[str] = []
        self._cursor = 0
        # Where in the queue the line being edited belongs; None for a new one, which comes last.
        self._place: int | None = None
        self._held = self._offered = False

    def press(self, key: Key) -> str | None:
        """Do what the key says; return the line if it was queued now."""
        match key.name:
            case "text" | "space" | "paste":
                self._replace(self._cursor, self._cursor, key.text)
            case "alt-enter":
                self._replace(self._cursor, self._cursor, "\n")
            case "enter":
                return self._enqueue()
            case "up":
                self._move(-1)
            case "down":
                self._move(1)
            case "left":
                self._cursor = graphemes.before(self.text, self._cursor)
            case "right":
                self._cursor = graphemes.after(self.text, self._cursor)
            case "home" | "c-a":
                self._cursor = 0
            case "end" | "c-e":
                self._cursor = len(self.text)
            case _:
                self._delete(key.name)
        return None

    @property
    def takes_escape(self) -> bool:
        """Whether Esc means this line."""
        return self._vi and bool(self.text)

    def put(self, text: str) -> None:
        """Have `text` in the line, to be gone on with."""
        self.text, self._cursor = text, len(text)

    def enqueue(self, text: str) -> None:
        """Have a message wait, after all others."""
        self.queue.append(text)

    def take(self) -> str:
        """Give up the line being typed; one that came out of the queue goes back there."""
        if self._place is not None:
            self._enqueue()
        text, self.text, self._cursor = self.text, "", 0
        return text

    @property
    def held(self) -> bool:
        """Whether messages wait that are not sent by themselves."""
        return self._held and bool(self.queue)

    def hold(self, *first: str) -> None:
        """Have nothing sent by itself: `first` and all that waits become the user's line, one after the other."""
        begun = self.take()
        self.queue = [text for text in (*first, *self.queue, begun) if text.strip()]
        self._held = self._offered = True

    def drop(self, text: str) -> None:
        """Have a message not wait any more, if it does."""
        if text in self.queue:
            self.queue.remove(text)

    def offer(self, *, next_one: bool = True) -> None:
        """Have the next message that is held become the line; or none, until this is called again."""
        self._offered = next_one

    def begin(self) -> str:
        """Give up what the next prompt begins with: the line being typed, else a message that is held."""
        text = self.take()
        if not text.strip() and self.held and self._offered:
            text = self.queue.pop(0)
        self._held = self.held
        return text

    def next(self) -> str | None:
        """Give up the message whose turn it is; None where there is none, where it is held, or being edited.

        One that is being edited is an ordinary line from then on.
        """
        if self.held:
            return None
        if self._place == 0 and self.text.strip():
            self._place = None
            return None
        if self._place is not None:
            self._place = self._place - 1 if self._place else None
        return self.queue.pop(0) if self.queue else None

    def line(self) -> str:
        """Return the line as it is shown: on one row, with the cursor where that is not at the end."""
        before, after = (part.replace("\n", "⏎") for part in (self.text[: self._cursor], self.text[self._cursor :]))
        return f"{before}{CURSOR}{after}" if after else before

    def _enqueue(self) -> str | None:
        text, place = self.text, self._place
        self.put("")
        self._place = None
        if not text.strip():
            return None
        self.queue.insert(len(self.queue) if place is None else place, text)
        return text

    def _move(self, step: int) -> None:
        """Put the line back into the queue, and take out its neighbour."""
        place = len(self.queue) if self._place is None else self._place
        if self._place is None and (self.text.strip() or not self.queue):
            return  # a line that was never queued is not queued by looking around
        count = len(self.queue)
        self._enqueue()
        target = place + step if step < 0 or len(self.queue) > count else place
        if 0 <= target < len(self.queue):
            self._place = target
            self.put(self.queue.pop(target))
        elif step < 0 and self.queue:
            self._place = 0
            self.put(self.queue.pop(0))

    def _delete(self, name: str) -> None:
        match name:
            case "backspace":
                self._replace(graphemes.before(self.text, self._cursor), self._cursor)
            case "delete" | "c-d":
                self._replace(self._cursor, graphemes.after(self.text, self._cursor))
            case "c-u":
                self._replace(0, self._cursor)
            case "c-k":
                self._replace(self._cursor, len(self.text))
            case "c-w":
                found = _WORD_BEFORE.search(self.text[: self._cursor])
                self._replace(found.start() if found else 0, self._cursor)
            case _:
                pass

    def _replace(self, start: int, end: int, text: str = "") -> None:
        self.text = self.text[:start] + text + self.text[end:]
        self._cursor = start + len(text)
