"""What a terminal says when it is asked: its background colour, taken out of the keys that it sends.

The answer may come at any time after the question, or never: nothing waits for it. An answer that arrives in parts is
held back until it is whole, or until whoever reads the keys has waited long enough and flushes.
"""

from __future__ import annotations

import re

# Dynamic colours: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "OSC Ps ; Pt ST", Ps = 11
ASK_BACKGROUND = "\x1b]11;?\x1b\\"
_HEX = "([0-9a-fA-F]{1,4})"
_BACKGROUND = re.compile(rf"\x1b\]11;rgba?:{_HEX}/{_HEX}/{_HEX}(?:/[0-9a-fA-F]{{1,4}})?(?:\x07|\x1b\\)")
# The beginning of such an answer, at the end of what has come.
_HALF = re.compile(r"\x1b(?:\](?:1(?:1(?:;[rgba:/0-9a-fA-F]{0,30}\x1b?)?)?)?)?\Z")


class Replies:
    """Stands between the terminal and the parser of its keys. `background` is red, green and blue, from 0 to 1."""

    def __init__(self) -> None:
        self.background: tuple[float, float, float] | None = None
        self._held = ""

    def strip(self, data: str) -> str:
        """Return `data` without the terminal's answer. There is one: what looks like another is somebody's text."""
        if self.background is not None:
            return data
        data, answers = _BACKGROUND.subn(self._note, self.flush() + data, count=1)
        if answers:
            return data
        if half := _HALF.search(data):
            data, self._held = data[: half.start()], half.group()
        return data

    def flush(self) -> str:
        """Return what was held back: it was no answer after all."""
        held, self._held = self._held, ""
        return held

    def _note(self, answer: re.Match[str]) -> str:
        red, green, blue = (int(digits, 16) / (16 ** len(digits) - 1) for digits in answer.groups())
        self.background = (red, green, blue)
        return ""
