"""Long texts that stand in the line as one character each: a paste, what a command has said.

In the line such a text is one private character, which is passed, deleted and undone like any other; on the screen it
is a label, and everybody else gets the line with the whole texts in it. Characters of that kind that come from outside
are none: nobody can forge one.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

# Of the last private plane (https://www.unicode.org/faq/private_use.html), which nobody types: the codes of our texts.
_FIRST, _COUNT = 0x10F000, 0xF00
_TOKEN = re.compile(f"[{chr(_FIRST)}-{chr(_FIRST + _COUNT - 1)}]")
_INSTEAD = "\ufffd"
# A paste of more is one character: more lines than one types, or more than a few rows in one line.
_LINES, _CHARACTERS = 5, 1_000
# A whole path, by which a file is known wherever the program runs, with a name that says what it is.
_IMAGE = re.compile(r"(?:/|~/|[A-Za-z]:[\\/])[^\"\n]*\.(?:png|jpe?g|gif|webp|pdf)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)")
_BLANK = re.compile(r"\s")
# So many texts are kept: what is deleted can be undone, and put in again after it was sent.
_KEPT = 100


class PastedTexts:
    """The texts behind the characters."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._next = 0

    def take(self, text: str, line: str, label: str) -> str:
        """Return the character that stands for `text` from now on, to be put into `line`, where its label tells it."""
        token = chr(_FIRST + self._next)
        self._next = (self._next + 1) % _COUNT
        same = self.shown(line).count(f"[{label}")
        self._texts[token] = text
        self._labels[token] = f"[{label} #{same + 1}]" if same else f"[{label}]"
        for kept in (self._texts, self._labels):
            if len(kept) > _KEPT:
                del kept[next(iter(kept))]
        return token

    def whole(self, line: str) -> str:
        """Return what the line says, with the texts in it; one of several lines has these for itself."""
        return _TOKEN.sub(lambda match: self._between(self._texts.get(match[0], ""), match), line)

    @staticmethod
    def _between(text: str, match: re.Match[str]) -> str:
        if "\n" not in text:
            return text
        before, after = match.string[: match.start()], match.string[match.end() :]
        begins = not before or before.endswith("\n") or text.startswith("\n")
        ends = not after or after.startswith("\n") or text.endswith("\n")
        return ("" if begins else "\n") + text + ("" if ends else "\n")

    def shown(self, line: str) -> str:
        """Return the line as the screen shows it, with labels."""
        return _TOKEN.sub(lambda match: self._labels.get(match[0], ""), line)

    def at(self, line: str, position: int) -> int | None:
        """Return where one stands that the cursor is on, or else right behind; None where none does."""
        return next((at for at in (position, position - 1) if _TOKEN.match(line[at : at + 1] if at >= 0 else "")), None)


def foreign(text: str) -> str:
    """Return a text that comes from outside, without what would be one of our characters."""
    return _TOKEN.sub(_INSTEAD, text)


def has_token(line: str) -> bool:
    return _TOKEN.search(line) is not None


def size_of(text: str) -> str:
    """Return in words how long a text is."""
    lines = text.count("\n") + (not text.endswith("\n"))
    return f"{lines:,} lines" if lines > 1 else f"{len(text):,} characters"


def is_long(text: str) -> bool:
    """Tell whether a paste is better seen as one character."""
    return text.count("\n") >= _LINES or len(text) > _CHARACTERS


def mention_of_image(text: str) -> str:
    """Return the mention of the image or PDF whose path is pasted, as terminals give the path of a file that is dropped
    on them: quoted, with escaped blanks, or as a URL; "" for any other text.
    """
    path = text.strip()
    if path.startswith("file://"):
        path = unquote(urlsplit(path).path)
    elif len(path) > 1 and path[0] == path[-1] and path[0] in "'\"":
        path = path[1:-1]
    elif _BLANK.search(_ESCAPED.sub("", path)):
        return ""  # a blank that nothing protects is between two words
    elif os.sep == "/":
        path = _ESCAPED.sub(r"\1", path)
    if not _IMAGE.fullmatch(path):
        return ""
    return f'@"{path}" ' if _BLANK.search(path) else f"@{path} "
