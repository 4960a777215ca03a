"""What a terminal sends, as the key presses of prompt_toolkit. What is no key, or has no meaning there, is none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import assert_never

from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from llmterm.keys.kitty import legacy
from llmterm.keys.sequences import ESC, Alt, Escape, Paste, Sequence, Text, Token

# https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "FocusIn/FocusOut"
FOCUS = {"\x1b[I": "focus-in", "\x1b[O": "focus-out"}

# Keys of rxvt, which puts the modifiers into the last character.
_RXVT = {
    f"{ESC}[{number}{mark}": f"{ESC}[{number};{held}~"
    for number in range(2, 35)
    for mark, held in zip("$^@", "256", strict=True)
}
_RXVT |= {f"{ESC}[{letter}": f"{ESC}[1;2{letter.upper()}" for letter in "abcd"}
_RXVT |= {f"{ESC}O{letter}": f"{ESC}[1;5{letter.upper()}" for letter in "abcd"}
# The keypad, where it sends sequences.
_KEYPAD = dict(zip("jklmnopqrstuvwxyXMI ", "*+,-./0123456789=\r\t ", strict=True))
_SS3_MODIFIED = re.compile(r"(?:1;)?(\d)([A-Z])")
_WITH_ALT = re.compile(r"\x1b\[(\d+);([478]|3)([A-Z~])")
_ALT = 2
_SEPARATOR = KeyPress(Keys.Ignore, "")


def presses(tokens: Iterable[Token], before: KeyPress | None = None) -> list[KeyPress]:
    """Return the presses that the tokens of one read are; `before` was the last one of the read before it.

    The Escape of Alt with a key has the data of both. One that was pressed alone is kept apart from what comes after
    it, unless that is Enter: Esc Enter, by hand, is a new line.
    """
    found: list[KeyPress] = []
    for token in tokens:
        for press in _presses(token):
            if before is not None and is_escape(before) and press.key is not Keys.ControlM:
                found.append(_SEPARATOR)
            found.append(press)
            before = press
    return found


def is_escape(press: KeyPress) -> bool:
    """Tell whether it is the Escape key, and not half of Alt with another."""
    return press.key is Keys.Escape and press.data == ESC


def _presses(token: Token) -> list[KeyPress]:
    match token:
        case Text(text):
            return [_typed(char) for char in text]
        case Escape():
            return [KeyPress(Keys.Escape, ESC)]
        case Alt(char):
            return _named(ESC + char) or [KeyPress(Keys.Escape, ESC + char), _typed(char)]
        case Paste(text):
            return [KeyPress(Keys.BracketedPaste, text)]
        case Sequence(kind, body, alt):
            found = _sequence(Sequence(kind, body))
            if not alt:
                return found
            together = bool(found) and found[0].key not in (Keys.Escape, Keys.Ignore)
            return [KeyPress(Keys.Escape, f"{ESC}{ESC}{kind}{body}" if together else ESC), *found]
        case _:
            assert_never(token)


def _typed(char: str) -> KeyPress:
    key = ANSI_SEQUENCES[char] if char < " " or char == "\x7f" else char
    assert not isinstance(key, tuple)
    return KeyPress(key, char)


def _sequence(sequence: Sequence) -> list[KeyPress]:
    match sequence.kind:
        case "[" if f"{ESC}[{sequence.body}" in FOCUS:
            return [KeyPress(Keys.Ignore, f"{ESC}[{sequence.body}")]
        case "[":
            return [press for token in legacy(sequence) for press in _old(token)]
        case "O":
            return _ss3(sequence.body)
        case _:
            return []


def _old(token: Token) -> list[KeyPress]:
    return _named(f"{ESC}{token.kind}{token.body}") if isinstance(token, Sequence) else _presses(token)


def _ss3(body: str) -> list[KeyPress]:
    if body in _KEYPAD:
        return [_typed(_KEYPAD[body])]
    modified = _SS3_MODIFIED.fullmatch(body)
    return _named(f"{ESC}[1;{modified[1]}{modified[2]}" if modified else f"{ESC}O{body}")


def _named(data: str) -> list[KeyPress]:
    """Return what prompt_toolkit knows by this sequence; with Alt also what it knows without."""
    keys = ANSI_SEQUENCES.get(_RXVT.get(data, data), ())
    if not isinstance(keys, tuple):
        return [KeyPress(keys, data)]
    with_alt = None if keys else _WITH_ALT.fullmatch(data)
    if with_alt is not None:
        number, held, final = with_alt.groups()
        left = int(held) - _ALT
        plain = f"{number};{left}" if left > 1 else number if final == "~" else ""
        found = _named(f"{ESC}[{plain}{final}")
        return [KeyPress(Keys.Escape, data), *found] if found else []
    return [KeyPress(key, "" if number else data) for number, key in enumerate(keys)]
