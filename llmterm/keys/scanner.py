"""Cuts what a terminal sends into tokens, whatever the reads it comes in.

Pure: text and the time go in, tokens come out. Only time tells a lone Esc from the beginning of a sequence, and Alt
with a bracket from the beginning of a reply; so whoever feeds the scanner has to expire it when that is due. What is
held meanwhile is bounded, but for a paste.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llmterm.keys.sequences import (
    ESC,
    INTRODUCERS,
    PASTE_BEGIN,
    PASTE_END,
    SPECIAL,
    Escape,
    Paste,
    Text,
    Token,
    is_reply,
    scan,
    unfinished,
)


class Waits(NamedTuple):
    """How long the rest of what has begun is waited for, in seconds after the last that came.

    `escape` is for a lone ESC: Esc has to feel instant, but on a slow line the rest of an arrow key comes 80 ms after
    its ESC and more, and an Esc that nobody pressed ends an answer. `alt` is how soon any other character has to follow
    to be meant with Alt: a terminal sends the two in one write, and nobody's next key is that quick. `sequence` is for
    what is no Esc any more; all that waits as long is Alt with a bracket. `string` is for replies, which are long.
    """

    alt: float = 0.05
    escape: float = 0.15
    sequence: float = 0.5
    string: float = 3.0


# The rest of a sequence, whose ESC has already been taken for the key: that, and nothing else in one read.
_REST = re.compile(r"(?:\[[0-?]*[ -/]*[@-~]|\[[0-9;:]+|\[M[^\x1b]{3}|O[A-DFHMP-S])\Z|\[[<>=?]|\]\d+;|P[01]?[>!$+]|_G")
# So much of a sequence is held; it is more than those have that mean something.
_MOST = 1024


class Scanner:
    """Scans what one terminal sends. `due` is when to `expire` it, unless more comes before; None for never."""

    def __init__(self, waits: Waits | None = None) -> None:
        self.due: float | None = None
        self._waits = waits or Waits()
        self._held = ""
        self._fed = 0.0
        # When the ESC came that was then taken for the key.
        self._escaped: float | None = None
        self._pasted: list[str] | None = None

    def feed(self, data: str, now: float) -> list[Token]:
        """Return what `data` makes whole. `now` are the seconds of any clock that never goes back."""
        if not data:
            return []
        tokens: list[Token] = []
        data = self._gone_on(data, now, tokens)
        at = 0
        while at < len(data):
            at = self._paste(data, at, tokens) if self._pasted is not None else self._step(data, at, tokens)
        self._fed = now
        self.due = self._waited()
        return tokens

    def expire(self, now: float) -> list[Token]:
        """Return what has waited for its rest for too long, as what it is without that."""
        if self.due is None or now < self.due:
            return []
        self._escaped = self._fed if self._held == ESC else None
        return self.end()

    def end(self) -> list[Token]:
        """Return what is held, as nothing more can come. A paste that has not ended is none."""
        held, self._held, self.due = self._held, "", None
        return [] if self._pasted is not None else unfinished(held)

    def _gone_on(self, data: str, now: float, tokens: list[Token]) -> str:
        """Return what is held with `data`, unless time has made the held the Escape key; and what follows that."""
        held, self._held = self._held, ""
        escaped, self._escaped = self._escaped, None
        if held == ESC and self._pasted is None and now - self._fed > self._waits.alt and data[0] not in INTRODUCERS:
            tokens.append(Escape())
            return data
        if escaped is not None and now - escaped <= self._waits.sequence and _REST.match(data):
            return ESC + data
        return held + data

    def _step(self, data: str, at: int, tokens: list[Token]) -> int:
        """Take what stands at `at`; return where the next thing does."""
        special = SPECIAL.search(data, at)
        start = len(data) if special is None else special.start()
        if start > at:
            tokens.append(Text(data[at:start]))
            return start
        found = scan(data, at)
        if found is None:
            self._hold(data[at:])
            return len(data)
        taken, end = found
        if taken == [PASTE_BEGIN]:
            self._pasted = []
        else:
            tokens += taken
        return end

    def _hold(self, begun: str) -> None:
        """Keep the beginning of a sequence; of one that is too long, what shows what it is and whether it ends."""
        if len(begun) > _MOST:
            begun = begun[:_MOST] + (ESC if begun.endswith(ESC) else "")
        self._held = begun

    def _paste(self, data: str, at: int, tokens: list[Token]) -> int:
        assert self._pasted is not None
        end = data.find(PASTE_END, at)
        if end < 0:
            # The end mark may have begun.
            cut = next(cut for cut in range(len(PASTE_END) - 1, -1, -1) if data.endswith(PASTE_END[:cut], at))
            end = len(data) - cut
            self._pasted.append(data[at:end])
            self._held = data[end:]
            return len(data)
        tokens.append(Paste("".join((*self._pasted, data[at:end]))))
        self._pasted = None
        return end + len(PASTE_END)

    def _waited(self) -> float | None:
        if not self._held or self._pasted is not None:
            return None
        if not self._held.strip(ESC):
            return self._fed + self._waits.escape
        if is_reply(self._held) and not self._held.endswith(ESC):
            return self._fed + self._waits.string
        return self._fed + self._waits.sequence
