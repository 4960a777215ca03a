"""Whether a continuation begins with what the answer already ends in, or with what the answer began with.

Saying something twice is only evidence where nothing else explains it. A refrain, a ruler or a row of closing
brackets may well go on by repeating itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmterm.messages import Rope
from llmterm.seam.place import Place
from llmterm.seam.words import cuts_cluster, knows, telling, unspaced

# How far back a repetition may begin. No more than this is ever held back either.
WINDOW = 400
SHORTEST = 8
# Fewer letters and digits than this are no evidence: code is full of lines that hold a bracket only.
_TELLING = 3
_FRAGMENT = 3
# An answer shorter than this has not enough of a beginning to tell a new one by.
_ENOUGH = 60
# As far as the beginning is looked for behind white space.
_BEGINNING = 20_000

# A line that holds only the mark of an item, a heading or a code block; and the marks that mean one before a space.
_MARKER_LINE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)]|#{1,6}|[-*+][ \t]+\[[ xX]\])[ \t]+|(?:`{3,}|~{3,})[^\s`]*)\Z")
_MARKER = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])\Z")
# Lines that close something: the next line may well be the same, to close what is around that.
_CLOSING = re.compile(r"\s*(?:(?:</[\w:.-]+>|\\end\{\w+\*?\}|\b(?:done|end|endif|esac|fi)\b)[;,)\s]*)+\Z")
_NAME = re.compile(r"[\w.$-]+\Z")
_SENTENCE_END = re.compile(r"[.!?…:]['\")”’»*_]*\Z|[。！？：][」』”]?\Z")
_FIRST_END = re.compile(r"[.!?](?=\s)|[。！？\n]")


@dataclass(frozen=True, slots=True)
class Overlap:
    """The first `size` characters say again what the answer ends in; `bare`: without the white space behind it."""

    size: int
    kind: str
    bare: bool = False


class Tail:
    """The end of an answer, in which the beginning of its continuation is looked for."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._end = place.before[-WINDOW:]

    def may_hold(self, text: str) -> bool:
        """Tell whether more text could still make `text` an overlap."""
        return text in self._end

    def overlap(self, text: str) -> Overlap | None:
        """Return the longest overlap that `text` begins with, if there is evidence that it is one."""
        place = self._place
        size = _longest(place.before, text)
        if size and (kind := self._evidence(place.before, text, size)):
            return Overlap(size, kind)
        if not place.owed:
            return None
        size = _longest(place.bare, text)
        if size >= SHORTEST and self._may_end(text, size) and self._evidence(place.bare, text, size) == "overlap":
            return Overlap(size, "overlap", bare=True)
        return None

    def undecided(self, text: str, overlap: Overlap) -> bool:
        """Tell whether the next character could show that the overlap is a refrain, or does not end there."""
        rest = text[overlap.size :]
        return text[: overlap.size].startswith(rest) or (overlap.bare and not rest.strip())

    def _evidence(self, end: str, text: str, size: int) -> str:
        said, rest = text[:size], text[size:]
        if cuts_cluster(end, len(end) - size) or self._is_refrain(said + self._place.before[len(end) :], rest):
            return ""
        line = end[end.rfind("\n") + 1 :]
        whole_line = "\n" not in self._place.owed and line.strip() != "" and said.endswith(line.lstrip(" \t"))
        enough = _TELLING - (whole_line and len(said.strip()) > _TELLING)
        if (size >= SHORTEST or whole_line) and telling(said) >= enough and not self._is_common_in_code(said, end):
            return "overlap"
        if whole_line and (_MARKER_LINE.match(line) or (_MARKER.match(line) and rest[:1] in (" ", "\t"))):
            return "marker"
        return "word" if self._is_fragment(said, rest) else ""

    def _is_common_in_code(self, said: str, end: str) -> bool:
        """Tell whether this is what code says again and again: a line that closes something, or a name used before."""
        if _CLOSING.match(said):
            return True
        if self._place.fence is None or not _NAME.match(said):
            return False
        above = end[: -len(said)]
        return not above[-1:].isidentifier() and knows(above, said)

    def _is_fragment(self, said: str, rest: str) -> bool:
        """Tell whether a word that was cut in two is said again from its beginning on."""
        word = self._place.word
        if len(word) < _FRAGMENT or not said.endswith(word) or unspaced(word[-1]):
            return False
        return rest[:1].isalpha() and not knows(self._place.before.removesuffix(word), word)

    def _is_refrain(self, said: str, rest: str) -> bool:
        """Tell whether this was said twice in a row before, is said again by the rest, or is a repetition in itself."""
        if rest.lstrip().startswith(said.strip()) or said + said in self._place.before:
            return True
        return any(said[period:] == said[:-period] for period in range(1, len(said) // 2 + 1))

    def _may_end(self, text: str, size: int) -> bool:
        """Tell whether the line that is said again ends where it ended before."""
        if "\n" not in self._place.owed:
            return True
        ended = text[size : size + 1] in ("", "\n") or text[size:].lstrip(" \t")[:1] in ("", "\n")
        return ended or (self._place.fence is None and _SENTENCE_END.search(text[:size]) is not None)


class Head:
    """The beginning of an answer, by which a new one is told. Empty where there is not enough of it."""

    def __init__(self, answer: Rope) -> None:
        text = answer.slice(0, _BEGINNING).lstrip()
        self._text = ""
        if len(text) < _ENOUGH:
            return
        shortest, longest = (12, 20) if sum(map(unspaced, text[:40])) > 20 else (24, 40)
        end = next((m.end() for m in _FIRST_END.finditer(text, 0, longest) if m.end() >= shortest), longest)
        head = text[:end]
        if _count(answer, head) == 1:
            self._text = head

    def may_hold(self, text: str) -> bool:
        return len(text) < len(self._text) and self._text.startswith(text)

    def begins(self, text: str) -> bool:
        return self._text != "" and text.startswith(self._text)


def _count(answer: Rope, head: str) -> int:
    """Return how often it is in there. An answer of megabytes is not put together for that."""
    count, end = 0, ""
    for part in answer.parts:
        text = end + part
        count += text.count(head)
        end = text[1 - len(head) :]
    return count


def _longest(end: str, text: str) -> int:
    """Return the length of the longest beginning of `text` that `end` ends in."""
    return next((size for size in range(min(len(text), WINDOW), 0, -1) if end.endswith(text[:size])), 0)
