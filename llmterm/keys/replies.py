"""What a terminal is asked, and what it says to that, among the keys that it sends.

An answer may come at any time, or never: nothing waits for it, but for who leaves. For that the question ends with one
that all terminals answer, in order: when that answer is there, what has not been said will not be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from llmterm.keys.sequences import Sequence

# https://invisible-island.net/xterm/ctlseqs/ctlseqs.html: dynamic colours, "OSC Ps ; Pt ST", Ps = 11; primary DA.
ASK_BACKGROUND = "\x1b]11;?\x1b\\"
ASK_ATTRIBUTES = "\x1b[c"
# https://sw.kovidgoyal.net/kitty/keyboard-protocol/, "Detection of support for this protocol": who knows it answers.
ASK_KEYBOARD = "\x1b[?u"
# https://invisible-island.net/xterm/ctlseqs/ctlseqs.html: "CSI > Ps q" (XTVERSION), which is answered by DCS > | text.
ASK_NAME = "\x1b[>q"
_KEYBOARD = re.compile(r"\?\d*u")
_NAME = re.compile(r">\|(.+)", re.DOTALL)
_ATTRIBUTES = re.compile(r"\?[\d;]*c")
_HEX = "([0-9a-fA-F]{1,4})"
_BACKGROUND = re.compile(rf"11;rgba?:{_HEX}/{_HEX}/{_HEX}(?:/[0-9a-fA-F]{{1,4}})?")
# The same, "FocusIn/FocusOut".
_FOCUSED = {"I": True, "O": False}
# X11's older notation: the same number of digits for each, 1 to 4.
_HASH = re.compile(r"11;#((?:[0-9a-fA-F]{3}){1,4})")

Color = tuple[float, float, float]


class Keyboard(NamedTuple):
    """A way to have keys told apart that older terminals send alike: what switches it on, and off again."""

    on: str
    off: str


# Kitty's protocol, "disambiguate escape codes", on its stack; and xterm's modifyOtherKeys, for keys without a meaning.
_KITTY = Keyboard("\x1b[>1u", "\x1b[<u")
_MODIFY_OTHER_KEYS = Keyboard("\x1b[>4;1m", "\x1b[>4m")
# Xterm itself makes of Alt with a letter another letter unless it is told to send ESC before it: mode 1036, which is
# kept and put back (XTSAVE, XTRESTORE). To others that may be a margin.
_XTERM = Keyboard(f"{_MODIFY_OTHER_KEYS.on}\x1b[?1036s\x1b[?1036h", f"\x1b[?1036r{_MODIFY_OTHER_KEYS.off}")
# Who knows these by its name: to others it may be underlined text.
_MODIFYING = {"XTerm": _XTERM, "tmux": _MODIFY_OTHER_KEYS, "mintty": _MODIFY_OTHER_KEYS}


class Replies:
    """What the terminal has said. `background` is red, green and blue, from 0 to 1; None until it is known.

    `focused` tells whether it has the focus; None where it never said so. `name` is the terminal's, with its version,
    and `keyboard` how it tells more keys apart, None where it has not said that it can. `complete` says that all has
    been answered that will be. `told` is called when there is something new about the name or the keyboard.
    """

    def __init__(self) -> None:
        self.background: Color | None = None
        self.focused: bool | None = None
        self.name = ""
        self.keyboard: Keyboard | None = None
        self.told: Callable[[], None] = lambda: None
        self.complete = False

    def note(self, sequence: Sequence) -> None:
        """Take in a sequence, whatever it is."""
        match sequence.kind:
            case "]":
                self.background = background(sequence.body) or self.background
            case "[":
                self.focused = _FOCUSED.get(sequence.body, self.focused)
                self.complete = self.complete or _ATTRIBUTES.fullmatch(sequence.body) is not None
                if _KEYBOARD.fullmatch(sequence.body):
                    self.keyboard = _KITTY
                    self.told()
            case "P" if named := _NAME.fullmatch(sequence.body):
                self.name = named[1]
                if self.keyboard is None:
                    self.keyboard = next((_MODIFYING[each] for each in _MODIFYING if self.name.startswith(each)), None)
                self.told()
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
