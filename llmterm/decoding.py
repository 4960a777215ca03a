"""What bytes say as text, wherever they come from: a file, a pipe, the clipboard.

It is read as UTF-8, or as the mark at its beginning says. Where single characters are none in UTF-8 (a log in Latin-1),
U+FFFD stands for them, and that is said; where most of it is, or where it has a NUL, it is no text that a model could
read.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

# What no text has, but for the marks of a terminal's output.
_BINARY = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_INSTEAD = "\ufffd"
# Those of UTF-32 first: one of UTF-16 begins one of them. https://www.unicode.org/faq/utf_bom.html
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Text(NamedTuple):
    """What bytes say; `note` is to be said of it, "" for nothing."""

    text: str
    note: str = ""


def decoded(data: bytes, *, whole: bool = True) -> Text | None:
    """Return the text that `data` is, or begins with where it is not `whole`; None where it is none."""
    mark, encoding = next((each for each in _MARKS if data.startswith(each[0])), (b"", "utf-8"))
    data = data[len(mark) :]
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
    except UnicodeDecodeError:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(data, final=whole)
        return _mended(text, encoding)
    return None if "\0" in text else Text(text)


def _mended(text: str, encoding: str) -> Text | None:
    """Return a text in which U+FFFD stands for what could not be read, None where that is most of it."""
    count = text.count(_INSTEAD)
    if count * 2 > len(text) or _BINARY.search(text):
        return None
    some = "1 character is" if count == 1 else f"{count:,} characters are"
    return Text(text, f"{some} not in {encoding.upper()}, and {_INSTEAD} stands there instead")
