"""What a terminal is asked, and what it says to that, among the keys that it sends.

An answer may come at any time, or never: nothing waits for it, but for who leaves. For that the question ends with one
that all terminals answer, in order: when that answer is there, what has not been said will not be.
"""

from __future__ import annotations

import re

from llmterm.keys.sequences import Sequence

# https://invisible-island.net/xterm/ctlseqs/ctlseqs.html: dynamic colours, "OSC Ps ; Pt ST", Ps = 11; primary DA.
ASK_BACKGROUND = "\x1b]11;?\x1b\\"
ASK_ATTRIBUTES = "\x1b[c"
_ATTRIBUTES = re.compile(r"\?[\d;]*c")
_HEX = "([0-9a-fA-F]{1,4})"
_BACKGROUND = re.compile(rf"11;rgba?:{_HEX}/{_HEX}/{_HEX}(?:/[0-9a-fA-F]{{1,4}})?")
# The same, "FocusIn/FocusOut".
_FOCUSED = {"I": True, "O": False}
# X11's older notation: the same number of digits for each, 1 to 4.
_HASH = re.compile(r"11;#((?:[0-9a-fA-F]{3}){1,4})")

Color = tuple[float, float, float]


class Replies:
    """What the terminal has said. `background` is red, green and blue, from 0 to 1; None until it is known.

    `focused` tells whether it has the focus; None where it never said so. `complete` says that all has been answered
    that will be.
    """

    def __init__(self) -> None:
        self.background: Color | None = None
        self.focused: bool | None = None
        self.complete = False

    def note(self, sequence: Sequence) -> None:
        """Take in a sequence, whatever it is."""
        match sequence.kind:
            case "]":
                self.background = background(sequence.body) or self.background
            case "[":
                self.focused = _FOCUSED.get(sequence.body, self.focused)
                self.complete = self.complete or _ATTRIBUTES.fullmatch(sequence.body) is not None
            case _:
                pass


def background(body: str) -> Color | None:
    """Return the background colour that the body of an OSC sequence tells; None where it tells none."""
    if found := _BACKGROUND.fullmatch(body):
        red, green, blue = found.groups()
    elif found := _HASH.fullmatch(body):
        size = len(found[1]) // 3
        red, green, blue = (found[1][start : start + size] for start in (0, size, 2 * size))
    else:
        return None
    return _share(red), _share(green), _share(blue)


def _share(digits: str) -> float:
    return int(digits, 16) / int("f" * len(digits), 16)
