"""The grammar of what a terminal sends: typed text, keys that are a control sequence, pastes and replies.

Pure, and without time: what stands at one place of a text is either whole, or may still become so. Sequences go by
their form (ECMA-48, 5.4 and 5.6), whether anybody knows them or not, so that none is ever taken for text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TypeAlias

ESC = "\x1b"
# What follows an ESC that begins a sequence: SS3, CSI, and the strings DCS, SOS, OSC, PM and APC.
INTRODUCERS = "[O]PX^_"


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as they were typed, C0 controls among them."""

    text: str


@dataclass(frozen=True, slots=True)
class Escape:
    """The Escape key."""


@dataclass(frozen=True, slots=True)
class Alt:
    """Alt with a character."""

    char: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """A control sequence. `kind` is its introducer without ESC: "[" for CSI, "O" for SS3, "]" for OSC and so on.

    `body` is what follows, of a string without its terminator. `alt` says that one more ESC stood before all.
    """

    kind: str
    body: str
    alt: bool = False


@dataclass(frozen=True, slots=True)
class Paste:
    """What stood between the brackets of a paste, as it came."""

    text: str


Token: TypeAlias = Text | Escape | Alt | Sequence | Paste

# Between these stands a paste.
PASTE_BEGIN, PASTE_END = Sequence("[", "200~"), "\x1b[201~"

_CSI, _SS3 = "[", "O"
# ESC, and the controls of 8 bits: as characters, and as the bytes that are no UTF-8.
SPECIAL = re.compile("[\x1b\x80-\x9f\udc80-\udc9f]")
# BEL and ST end a string. Any other control in it is a key: somebody has pressed that while the end did not come.
_STRING_STOP = re.compile("[\x00-\x1f\x7f\x9c\udc9c]")
_STRING_END = "\x07\x9c\udc9c"
_CSI_PARAMETERS = re.compile("[0-?]*[ -/]*")
_SS3_PARAMETERS = re.compile("[0-9;]*")
# rxvt ends its keys with Shift in what ends nothing elsewhere. The reports of modes that have a $ have two parameters.
_RXVT_SHIFT = re.compile(r"\d{1,2}\$")
# A mouse report of the oldest kind has three characters after its final one.
_MOUSE = 3
# What only a terminal says, as soon as so much of it is there.
_REPLY = re.compile(r"\]\d+;|P[0-9;]*[<=>?!$+]|_G")
# A string of which there is so much was not typed.
_TOO_LONG = 1000
# Controls that Alt goes with.
_WITH_ALT = "\t\n\r\x08\x7f"


def scan(data: str, at: int) -> tuple[list[Token], int] | None:
    """Return what begins at the special character `at`, and where the next thing does; None while it may go on."""
    if data[at] != ESC:
        return _eight_bits(data, at)
    if at + 1 == len(data):
        return None
    after = data[at + 1]
    if after == ESC:
        return _twice(data, at)
    if after in INTRODUCERS:
        return _sequence(after, data, at + 2)
    if SPECIAL.match(after) or (after < " " and after not in _WITH_ALT):
        return [Escape()], at + 1
    return [Alt(after)], at + 2


def unfinished(data: str) -> list[Token]:
    """Return what `data`, the beginning of a sequence, is when the rest does not come."""
    if not data or data == ESC:
        return [Escape()] if data else []
    if data.startswith(ESC + ESC):
        return [Escape(), *unfinished(data[1:])]
    kind, body = (data[1], data[2:]) if data[0] == ESC else (_kind(data[0]), data[1:])
    if kind in (_CSI, _SS3):
        tokens: list[Token] = [] if body else [Alt(kind)]
    elif not body.endswith(ESC):
        tokens = _unended(kind, body)
    elif is_reply(data):
        tokens = [Sequence(kind, body[:-1])]  # half of a terminator
    else:
        tokens = [*_unended(kind, body[:-1]), Escape()]
    return _without_alt(tokens) if data[0] != ESC else tokens


def is_reply(data: str) -> bool:
    """Tell whether `data`, the beginning of a sequence, is a terminal's for sure: nobody types that."""
    start = data[1:] if data[0] == ESC else _kind(data[0]) + data[1:]
    return _REPLY.match(start) is not None or len(start) > _TOO_LONG


def _eight_bits(data: str, at: int) -> tuple[list[Token], int] | None:
    kind = _kind(data[at])
    if kind not in INTRODUCERS:
        return [], at + 1
    found = _sequence(kind, data, at + 1)
    return found and (_without_alt(found[0]), found[1])


def _kind(control: str) -> str:
    return chr(0x40 | (ord(control) & 0x1F))


def _without_alt(tokens: list[Token]) -> list[Token]:
    """Drop what an introducer without its ESC is not."""
    return [token for token in tokens if not isinstance(token, Alt)]


def _twice(data: str, at: int) -> tuple[list[Token], int] | None:
    """Take two ESC: Alt with a key that is a sequence, or the Escape key before whatever comes."""
    if at + 2 < len(data) and data[at + 2] not in (_CSI, _SS3):
        return [Escape()], at + 1
    found = scan(data, at + 1)
    if found is None:
        return None
    tokens, end = found
    match tokens:
        case [Sequence() as sequence] if sequence != PASTE_BEGIN:
            return [replace(sequence, alt=True)], end
        case _:
            return [Escape()], at + 1


def _sequence(kind: str, data: str, at: int) -> tuple[list[Token], int] | None:
    match kind:
        case "[":
            return _csi(data, at)
        case "O":
            return _ss3(data, at)
        case _:
            return _string(kind, data, at)


def _csi(data: str, at: int) -> tuple[list[Token], int] | None:
    if data.startswith("M", at):
        return _old_mouse(data, at)
    if data.startswith("[", at):  # the function keys of Linux's console
        return ([Sequence(_CSI, data[at : at + 2])], at + 2) if at + 1 < len(data) else None
    parameters = _CSI_PARAMETERS.match(data, at)
    assert parameters is not None
    end = parameters.end()
    if _RXVT_SHIFT.fullmatch(parameters.group()):
        return [Sequence(_CSI, parameters.group())], end
    if end == len(data):
        return None
    if "@" <= data[end] <= "~":
        return [Sequence(_CSI, data[at : end + 1])], end + 1
    return [Alt(_CSI)] if end == at else [], end


def _old_mouse(data: str, at: int) -> tuple[list[Token], int] | None:
    end = at + 1 + _MOUSE
    cut = data.find(ESC, at, end)
    if cut < 0 and end > len(data):
        return None
    return [Sequence(_CSI, "M")], end if cut < 0 else cut


def _ss3(data: str, at: int) -> tuple[list[Token], int] | None:
    parameters = _SS3_PARAMETERS.match(data, at)
    assert parameters is not None
    end = parameters.end()
    if end == len(data):
        return None
    if " " <= data[end] <= "~" or data[end] == "\t":
        return [Sequence(_SS3, data[at : end + 1])], end + 1
    return [Alt(_SS3)] if end == at else [], end


def _string(kind: str, data: str, at: int) -> tuple[list[Token], int] | None:
    stop = _STRING_STOP.search(data, at)
    if stop is None:
        return None
    end, body = stop.start(), data[at : stop.start()]
    if data[end] in _STRING_END:
        return [Sequence(kind, body)], end + 1
    if data[end] == ESC:
        if end + 1 == len(data):
            return None
        if data[end + 1] == "\\":
            return [Sequence(kind, body)], end + 2
    return _unended(kind, body), end


def _unended(kind: str, body: str) -> list[Token]:
    if is_reply(ESC + kind + body):
        return []
    return [Alt(kind), Text(body)] if body else [Alt(kind)]
