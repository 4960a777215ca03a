"""The model's own pause: a marker in its text, `!!CANCEL` unless set otherwise.

`MarkerScanner` is pure and does not depend on how the text is cut into chunks. It withholds at most
`len(marker) - 1` characters, swallows the marker and drops what follows it. A marker inside a code fence or
inline code is text. Whether to scan at all depends on the question (`marker_for`).

Fences and code spans follow CommonMark (https://spec.commonmark.org/0.31.2/, sections 4.5 and 6.1) as far as a
reader who cannot look ahead is able to: a code span counts as open from its first backtick until it is closed or
its paragraph ends.
"""

from __future__ import annotations

import re

from llmterm.errors import UsageError

DEFAULT_MARKER = "!!CANCEL"

# What may stand before a fence on its line: indentation, quote marks, a list item's mark.
_FENCE_PREFIX = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?[ \t>]*\Z")


def check_marker(marker: str) -> str:
    """Return `marker`; raise UsageError if it cannot be told apart from ordinary text or from code."""
    if len(marker) < 3 or any(char.isspace() or char in "`~" for char in marker):
        raise UsageError(
            f"the marker {marker!r} cannot be used",
            hint="three or more characters, without white space, ` or ~",
        )
    return marker


def marker_note(marker: str) -> str:
    """Return what the system prompt says about the marker while the feature is on."""
    return (
        f"If you notice that you should stop in the middle of an answer (you need a decision from the user, or you "
        f"are going wrong), write {marker} and nothing more: the answer is then paused and the user takes over."
    )


def marker_for(marker: str | None, question: str) -> tuple[str | None, str]:
    """Return the marker to look for in the answer to `question`, and what the system prompt says about it.

    An answer to a question that mentions the marker may well quote it: there it is not looked for. The system prompt
    says the same all the same: it stands before all that was said, which a provider's cache has behind that alone.
    """
    if marker is None:
        return None, ""
    return None if marker in question else marker, marker_note(marker)


class MarkerScanner:
    """Finds the marker in text that arrives in pieces.

    `feed` and `close` return the text that may be shown; once `found` is set, nothing more comes. `retract` is then
    the number of characters given out before that turned out to be the marker's beginning: always 0, except where
    the marker straddles `before`.
    """

    def __init__(self, marker: str) -> None:
        self.found = False
        self.retract = 0
        self._marker = check_marker(marker)
        # Spelled so that each alternative begins with a character: the search then skips all others at once.
        self._token = re.compile(rf"\n|``*|~~~~*|{re.escape(marker)}")
        self._rest = ""  # not interpreted yet; its first `_shown` characters have been given out
        self._shown = 0
        self._line = ""  # the current line, as far as it may matter for a fence
        self._blank = True  # nothing but white space on the current line
        self._fence = ""
        self._closing = False  # a closing fence, if nothing else follows on its line
        self._opening = False  # the line that opened a fence with backticks
        self._span = 0  # backticks that opened the code span

    def recall(self, text: str) -> None:
        """Take in text that was given out before, the answer so far or a piece of it: a marker in it is text."""
        self._interpret(text, final=False, recalled=True)
        self._shown = len(self._rest)

    def feed(self, text: str) -> str:
        if self.found:
            return ""
        return self._interpret(text, final=False)

    def close(self) -> str:
        """Give out what was withheld: the text ends here."""
        if self.found:
            return ""
        return self._interpret("", final=True)

    def _interpret(self, text: str, *, final: bool, recalled: bool = False) -> str:
        buffer = self._rest + text
        shown, at = self._shown, 0
        for match in self._token.finditer(buffer):
            token, start = match[0], match.start()
            if not final and match.end() == len(buffer) and token[0] in "`~":
                break  # the run may go on in the next piece
            self._text(buffer[at:start])
            at = match.end()
            if token == self._marker and not self.in_code and not recalled:
                self.found = True
                self.retract = max(0, shown - start)
                self._rest, self._shown = "", 0
                return buffer[shown:start]
            self._take(token)
        tail = buffer[at:]
        hold = 0 if final else self._partial(tail)
        # A run of backticks or tildes at the end is shown, but understood only when it is whole.
        keep = hold if hold else 0 if final else len(tail) - len(tail.rstrip("`~"))
        self._text(tail[: len(tail) - keep])
        self._rest = tail[len(tail) - keep :]
        withheld = hold if hold and not self.in_code else 0
        end = max(shown, len(buffer) - withheld)
        self._shown = len(self._rest) - (len(buffer) - end)
        return buffer[shown:end]

    def _partial(self, text: str) -> int:
        """Return the length of the longest end of `text` that begins the marker without being it."""
        for size in range(min(len(self._marker) - 1, len(text)), 0, -1):
            if self._marker.startswith(text[-size:]):
                return size
        return 0

    @property
    def withholds(self) -> bool:
        """Whether some of what has come was not given out."""
        return len(self._rest) > self._shown

    @property
    def in_code(self) -> bool:
        """Whether what comes next is code, in which a marker is text."""
        return bool(self._fence or self._span)

    def _text(self, text: str) -> None:
        """Take in text without a newline or a run."""
        if not text:
            return
        if len(self._line) < 40:
            self._line += text
        if not text.isspace():
            self._blank = False
            self._closing = False

    def _take(self, token: str) -> None:
        if token == "\n":
            self._newline()
        elif token[0] in "`~" and token != self._marker:
            self._run(token)
        else:
            self._text(token)

    def _newline(self) -> None:
        if self._closing:
            self._fence = ""
        if self._blank:
            self._span = 0
        self._line, self._blank, self._closing, self._opening = "", True, False, False

    def _run(self, run: str) -> None:
        starts_line = len(self._line) < 40 and _FENCE_PREFIX.match(self._line) is not None
        if self._fence:
            if self._opening and run[0] == "`":
                # ```like this``` on one line was inline code, not a fence.
                opened, self._fence, self._opening = len(self._fence), "", False
                self._span = 0 if len(run) == opened else opened
            elif starts_line and run[0] == self._fence[0] and len(run) >= len(self._fence):
                self._closing = True
        elif self._span:
            if run[0] == "`" and len(run) == self._span:
                self._span = 0
        elif starts_line and len(run) >= 3:
            self._fence, self._opening = run, run[0] == "`"
        elif run[0] == "`":
            self._span = len(run)
        self._line += run[:40]
        self._blank = False
