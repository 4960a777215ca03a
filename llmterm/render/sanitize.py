"""Model output made safe for a terminal: no character that comes out of here can act on it or hide text.

Controls become visible glyphs, so nothing is lost and an attack can be seen; what reorders or hides text is dropped.
Joiners, variation selectors and the plain direction marks stay: emoji, Persian and Hebrew need them.
The result does not depend on how the text was cut into chunks.
"""

from __future__ import annotations

import re

_SUSPECT = re.compile(
    "\r\n"
    "|[\ud800-\udbff][\udc00-\udfff]"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_REPLACEMENT = "\ufffd"
_SAFE = {
    "\r\n": "\n",
    "\u2028": "\n",
    "\u2029": "\n",
    "\x7f": "\u2421",
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},
    **{chr(code): "" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFFF9, 0xFFFC), 0xFEFF)},
}


def clean(text: str) -> str:
    """Return `text`, which is complete, with nothing left in it that a terminal would act on."""
    return _SUSPECT.sub(_glyph, text)


class Sanitizer:
    """`clean` for text that comes in chunks."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        if self._held:
            text, self._held = self._held + text, ""
        # Half a line end, or half of a character that some server cut in two, waits for its other half.
        if text and (text[-1] == "\r" or "\ud800" <= text[-1] <= "\udbff"):
            text, self._held = text[:-1], text[-1]
        return clean(text)

    def close(self) -> str:
        """Return what was still held back; no more text comes."""
        text, self._held = self._held, ""
        return clean(text)


def _glyph(match: re.Match[str]) -> str:
    found = match.group()
    if found in _SAFE:
        return _SAFE[found]
    if len(found) == 2:
        return found.encode("utf-16", "surrogatepass").decode("utf-16")
    return _REPLACEMENT
