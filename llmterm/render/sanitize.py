"""Model output made safe for a terminal: no character that comes out of here can act on it or hide text.

Controls become visible glyphs, so nothing is lost and an attack can be seen; what reorders or hides text is dropped.
Joiners stay where a script or an emoji needs them, and so do variation selectors and the plain direction marks; but
on one character there are only so many marks, or a line of no width could be of any length.
The result does not depend on how the text was cut into chunks.
"""

from __future__ import annotations

import re
import unicodedata

_SUSPECT = re.compile(
    "\r\n"
    "|[\ud800-\udbff][\udc00-\udfff]"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
    # Of no width, or of one that terminals disagree about, and meant for line breaks, notation or nothing any more.
    "|[\xad\u115f\u1160\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\uffa0\U0001d173-\U0001d17a\U000e0000-\U000e001f]"
)
_REPLACEMENT = "\ufffd"
_SAFE = {
    "\r\n": "\n",
    "\u2028": "\n",
    "\u2029": "\n",
    "\x7f": "\u2421",
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},
    **{
        chr(code): ""
        for first, last in (
            (0xAD, 0xAD), (0x115F, 0x1160), (0x180E, 0x180E), (0x200B, 0x200B), (0x202A, 0x202E), (0x2060, 0x206F),
            (0x3164, 0x3164), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0x1D173, 0x1D17A),
            (0xE0000, 0xE001F),
        )
        for code in range(first, last + 1)
    },
}  # fmt: skip

_MOST_MARKS = 8
# Tags are for the flags of regions, behind a black flag. No European script needs a joiner between its letters.
_TAGS = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]+")
_JOINERS = re.compile("(?<![^\x00-\u058f])[\u200c\u200d]+")
# What can be a mark; Hangul's vowels and finals are letters, but of no width after an initial.
_MARKS = re.compile(f"(?:[^\x00-\u02ff\\w\\s]|[\u1160-\u11ff\ud7b0-\ud7ff]){{{_MOST_MARKS + 1},}}")
# In names: what is no sign of something hidden, and what is, though it counts as printable.
_SEEN = re.compile("[\u200c\u200d]")
_UNSEEN = re.compile("[\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0e\U000e0100-\U000e01ef]|(?<![^\x00-\xa8])\ufe0f")
_JAMO = re.compile("[\u1160-\u11ff\ud7b0-\ud7ff]")


def clean(text: str) -> str:
    """Return `text`, which is complete, with nothing left in it that a terminal would act on."""
    text = _SUSPECT.sub(_glyph, text)
    return text if text.isascii() else Unhider().feed(text)


def is_plain(name: str) -> bool:
    """Tell whether a name shows all that is in it: only then may it be put into a line that somebody will send.

    Joiners and what makes an emoji of a character are seen where `clean` leaves them; other marks of no width are not.
    """
    return name == clean(name) and _SEEN.sub("", name).isprintable() and not _UNSEEN.search(name)


class Sanitizer:
    """`clean` for text that comes in chunks."""

    def __init__(self) -> None:
        self._held = ""
        self._unhider = Unhider()

    def feed(self, text: str) -> str:
        if self._held:
            text, self._held = self._held + text, ""
        # Half a line end, or half of a character that some server cut in two, waits for its other half.
        if text and (text[-1] == "\r" or "\ud800" <= text[-1] <= "\udbff"):
            text, self._held = text[:-1], text[-1]
        return self._unhider.feed(_SUSPECT.sub(_glyph, text))

    def close(self) -> str:
        """Return what was still held back; no more text comes."""
        text, self._held = self._held, ""
        return self._unhider.feed(_SUSPECT.sub(_glyph, text))


class Unhider:
    """Drops, of text in pieces and free of controls, joiners that only hide and more marks than a character has."""

    def __init__(self) -> None:
        # The last character that came out, with its marks.
        self._last = ""

    def feed(self, text: str) -> str:
        if text.isascii():
            self._last = text[-1:] or self._last
            return text
        before = len(self._last)
        text = _MARKS.sub(_bounded, _JOINERS.sub("", _TAGS.sub("", self._last + text)))
        start = len(text) - 1
        while start > 0 and _is_mark(text[start]):
            start -= 1
        self._last = text[max(0, start) :]
        return text[before:]


def _glyph(match: re.Match[str]) -> str:
    found = match.group()
    if found in _SAFE:
        return _SAFE[found]
    if len(found) == 2:
        return found.encode("utf-16", "surrogatepass").decode("utf-16")
    return _REPLACEMENT


def _bounded(match: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in match.group():
        marks = marks + 1 if _is_mark(character) else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf") or _JAMO.match(character) is not None
