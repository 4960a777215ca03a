"""The keys of newer terminals in the words of the older ones, so that a key means the same wherever it is pressed.

They are those of kitty's protocol (https://sw.kovidgoyal.net/kitty/keyboard-protocol/) and of xterm's modifyOtherKeys
(https://invisible-island.net/xterm/modified-keys.html). A key that is let go, or has no meaning in a line of text, is
nothing. What an older terminal cannot tell from Enter is another key: Shift-Enter a newline that is put into the text,
Ctrl-Enter the Ctrl-S that does the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from llmterm.keys.sequences import Alt, Escape, Paste, Sequence, Text, Token

_SHIFT, _ALT, _CTRL, _SUPER, _HYPER, _META, _CAPS = (1 << bit for bit in range(7))
_REPEAT, _RELEASE = 2, 3
_FIELDS = re.compile(r"[\d:;]*")
_NUMBER = re.compile(r"\d{1,7}")
_MOST_CHARACTER = 0x10FFFF

_TAB, _ENTER, _ESCAPE, _SPACE, _BACKSPACE, _KEYPAD_ENTER = 9, 13, 27, 32, 127, 57414
# What these do, they do once for a press: pausing and going on, sending, stopping.
_ONCE = (_SPACE, _ENTER, _ESCAPE, _KEYPAD_ENTER)
# What Ctrl-Enter is.
_STEER = "\x13"
# Keys without a character have numbers of Unicode's private area.
_PRIVATE = range(57344, 63744)
_KEYPAD = dict(zip((*range(57399, 57414), 57415, 57416), "0123456789./*-+=,", strict=True))
_MOVES = dict(zip(range(57417, 57427), ("D", "C", "A", "B", "5~", "6~", "H", "F", "2~", "3~"), strict=True))
_HIGHER = dict(zip(range(57376, 57384), (25, 26, 28, 29, 31, 32, 33, 34), strict=True))  # F13 to F20
# Finals of the keys that older terminals have, too.
_FUNCTIONAL = "ABCDEFHPQSZ~"
# Those of them that come without CSI where nothing is held with them.
_NO_CSI = "PQS"
# What Ctrl makes of what is no letter.
_CONTROLS = dict(
    zip(" @2[3\\4]5^~6_-/7?8", "\0\0\0\x1b\x1b\x1c\x1c\x1d\x1d\x1e\x1e\x1e\x1f\x1f\x1f\x1f\x7f\x7f", strict=True)
)


def legacy(sequence: Sequence) -> list[Token]:
    """Return what an older terminal would have sent for the key of a CSI sequence; itself where that is the same."""
    fields, final = sequence.body[:-1], sequence.body[-1]
    if not _FIELDS.fullmatch(fields):
        return [sequence]
    code, modifiers, rest = [*fields.split(";"), "", "", ""][:3]
    if final == "u":
        return _numbered(code, _Held.of(modifiers), rest)
    if final == "~" and code == "27":
        return _numbered(rest, _Held.of(modifiers), "")
    if final in _FUNCTIONAL and (modifiers or final in _NO_CSI):
        return _functional(code.partition(":")[0], _Held.of(modifiers), final)
    return [sequence]


@dataclass(frozen=True, slots=True)
class _Held:
    """What was held with a key, and whether that is held down, or was let go."""

    modifiers: int
    repeated: bool
    released: bool

    @classmethod
    def of(cls, field: str) -> Self:
        modifiers, event = _numbers(field, 2)
        return cls(max(0, modifiers - 1), event == _REPEAT, event == _RELEASE)

    def __contains__(self, modifiers: int) -> bool:
        return bool(self.modifiers & modifiers)

    @property
    def alt(self) -> bool:
        return (_ALT | _META) in self

    @property
    def common(self) -> int:
        """The modifiers that older terminals know."""
        return self.modifiers & (_SHIFT | _CTRL) | (_ALT if self.alt else 0)


def _functional(number: str, held: _Held, final: str) -> list[Token]:
    if held.released:
        return []
    if final == "~":
        return [Sequence("[", f"{number};{held.common + 1}~" if held.common else f"{number}~")]
    if held.common and final != "Z":
        return [Sequence("[", f"1;{held.common + 1}{final}")]
    return [Sequence("O" if final in _NO_CSI else "[", final)]


def _numbered(code_field: str, held: _Held, text_field: str) -> list[Token]:
    code, shifted, base = _numbers(code_field, 3)
    if held.released or (held.repeated and code in _ONCE):
        return []
    text = "".join(filter(None, map(_character, _numbers(text_field, text_field.count(":") + 1))))
    if text and (_ALT | _CTRL | _SUPER | _HYPER | _META) not in held:
        return [Text(text)]
    if (_SUPER | _HYPER) in held:
        return []  # the desktop's
    if code in _PRIVATE:
        return _private(code, held)
    if code in (_ENTER, _ESCAPE, _TAB, _BACKSPACE):
        return _named(code, held)
    return _typed(_character(code), _character(shifted), _character(base), held)


def _private(code: int, held: _Held) -> list[Token]:
    if code == _KEYPAD_ENTER:
        return _named(_ENTER, held)
    if code in _MOVES:
        return _functional(_MOVES[code][:-1], held, _MOVES[code][-1])
    if code in _HIGHER:
        return _functional(str(_HIGHER[code]), held, "~")
    return _typed(_KEYPAD.get(code, ""), "", "", held)


def _named(code: int, held: _Held) -> list[Token]:
    match code:
        case 27:
            return [Escape()]
        case 13:
            return [Paste("\n") if _SHIFT in held or held.alt else Text(_STEER if _CTRL in held else "\r")]
        case 9 if _SHIFT in held:
            return [Sequence("[", "Z")]
        case 9:
            return [] if held.alt else [Text("\t")]
        case _:
            return [Alt("\x7f") if held.alt else Text("\x7f")]


def _typed(char: str, shifted: str, base: str, held: _Held) -> list[Token]:
    if not char:
        return []
    if _CTRL in held:
        char = _control(base if base and not char.isascii() else char, shifted if _SHIFT in held else "")
        if char == "\x1b":
            return [Escape()]
    elif _SHIFT in held and shifted:
        char = shifted
    elif (_SHIFT in held) != (_CAPS in held) and len(char.upper()) == 1:
        char = char.upper()
    if not char:
        return []
    return [Alt(char) if held.alt else Text(char)]


def _control(char: str, shifted: str) -> str:
    """Return the control that Ctrl makes of a character, or of the one that it is with Shift; "" for none."""
    if char.isascii() and char.isalpha():
        return chr(ord(char) & 0x1F)
    return _CONTROLS.get(shifted) or _CONTROLS.get(char, "")


def _character(code: int) -> str:
    """Return the character of a code point; "" for a control, for half of one and for none."""
    if code > _MOST_CHARACTER:
        return ""
    char = chr(code)
    return "" if char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" else char


def _numbers(field: str, count: int) -> list[int]:
    parts = [int(part) if _NUMBER.fullmatch(part) else 0 for part in field.split(":")]
    return (parts + [0] * count)[:count]
