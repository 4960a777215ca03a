"""Mends the join itself: white space that is missing between two words or two lines, or that is there twice.

Only white space is ever added or taken away. In code it is exact, but for indentation that cannot be meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from llmterm.seam.place import Place
from llmterm.seam.whitespace import said_again
from llmterm.seam.words import apart, unspaced


@dataclass(frozen=True, slots=True)
class Repair:
    """Take `cut` characters off the beginning of the rest, and put `add` before it."""

    cut: int = 0
    add: str = ""


NOTHING = Repair()
_SPACE = Repair(add=" ")
# A rule says this where the next character may decide.
_UNDECIDED = Repair(cut=-1)

_Rule: TypeAlias = Callable[[Place, str], Repair | None]

_ITEM = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)")
_ITEM_PART = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)]?)?[ \t]*\Z")
_HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_HEADING_PART = re.compile(r"#{1,6}[ \t]*\Z")
_FENCE = re.compile(r"(?:`{3,}|~{3,})[\w+#.-]*[ \t]*\n")
_FENCE_PART = re.compile(r"(?:`{1,2}|~{1,2}|(?:`{3,}|~{3,})[\w+#.-]{0,30}[ \t]*)\Z")
_RULER = re.compile(r"\|[ \t]*:?-")
_INFO = re.compile(r"[\w+#.-]*")
_LETTERS = re.compile(r"[^\W\d_]+")
_ENDED_CHUNK = re.compile(r"(?:^|\s)[(\[“„«\"'*_]*[^\W\d_]['’\w-]*[^\W\d_][\"'”’»)\]*_]*(?P<mark>[,;،؛]|[:.]|[!?؟]+)\Z")
_PYTHON_OPENER = re.compile(
    r"[ \t]*(?:async|case|class|def|elif|else|except|finally|for|if|match|try|while|with)\b.*:[ \t]*\Z"
)
_INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
_OPENER = re.compile(r"[:{(\[,=\\>]\Z|\b(?:begin|do|else|of|then|try|where)\Z")
_LONGEST_WORD = 40


def repair(place: Place, rest: str, *, final: bool, parted: bool = False) -> Repair | None:
    """Return what the join of `place` and `rest` needs; None if more of the rest would tell, and may still come.

    `parted`: there was white space before the rest that is gone now, so that it hardly begins within a word.
    """
    if not rest:
        return NOTHING if final else None
    if final and rest.strip():
        rest += "\n"
    for rule in _rules(place, parted):
        mended = rule(place, rest)
        if mended is _UNDECIDED:
            return NOTHING if final else None
        if mended:
            return mended
    return NOTHING


def repair_line(place: Place, rest: str) -> Repair:
    """Return what is needed where `rest` was written as a new line of code, behind a fence that is not there now."""
    line = place.line.rstrip()
    if not line or rest.startswith("\n") or not (rest[0].isspace() or line.endswith((";", "{", "}", ":"))):
        return NOTHING
    return Repair(add="\n")


def repair_white(place: Place, rest: str) -> Repair:
    """Return what of the white space that `rest` begins with is there already, where it was written behind the same
    text as the white space that the answer ends in."""
    space = len(rest) - len(rest.lstrip())
    if place.fence:
        return Repair(cut=said_again(place.owed, rest))
    lines = place.owed.count("\n")
    if not lines or "\n" not in rest[:space]:
        return Repair(cut=len(rest) - len(rest.lstrip(" \t")))
    newlines = [at for at, char in enumerate(rest[:space]) if char == "\n"]
    return Repair(cut=newlines[min(lines, len(newlines)) - 1] + 1)


def _rules(place: Place, parted: bool) -> tuple[_Rule, ...]:
    if place.fence:
        return (_opening_fence, _closing_fence, _repeated_indentation, _missing_indentation)
    if place.inline_code:
        return ()
    if place.owed:
        return (_doubled_white, _next_number, _table_row)
    return (_next_item, _table_row, _heading, _fence, partial(_words, parted=parted), _after_mark)


# In code.


def _opening_fence(place: Place, rest: str) -> Repair | None:
    """Tell the language of a fence, cut in the middle, from code that a newline is missing before."""
    if not place.opens_fence or place.owed or rest[0] in "\n \t{":
        return None
    info = _INFO.match(rest)
    size = info.end() if info else 0
    if size == len(rest):
        return _UNDECIDED if size < _LONGEST_WORD else None
    return None if rest[size] == "\n" else Repair(add="\n")


def _closing_fence(place: Place, rest: str) -> Repair | None:
    marks = place.fence[0] if place.fence else ""
    if not place.line.strip() or place.opens_fence or rest[0] != marks[0]:
        return None
    run = len(rest) - len(rest.lstrip(marks[0]))
    behind = rest[run:].lstrip(" \t")
    if not behind:
        return _UNDECIDED
    return Repair(add="\n") if run >= len(marks) and behind[0] == "\n" else None


def _repeated_indentation(place: Place, rest: str) -> Repair | None:
    """Drop an indentation that is said again, where the line before cannot be followed by one as deep as both."""
    indentation = place.line
    if not indentation or indentation.strip() or "\n" not in place.owed or rest[0] not in " \t":
        return None
    space = len(rest) - len(rest.lstrip(" \t"))
    if space == len(rest):
        return _UNDECIDED
    if not rest.startswith(indentation) or rest[space] == "\n":
        return None
    above = place.bare[place.bare.rfind("\n") + 1 :]
    deepest = len(above) - len(above.lstrip())
    if _OPENER.search(above):
        step = len(indentation) - deepest
        deepest += step if step > 0 else min(map(len, _INDENTATION.findall(place.before)))
    return Repair(cut=len(indentation)) if len(indentation) + space > deepest else None


def _missing_indentation(place: Place, rest: str) -> Repair | None:
    """Indent what follows a line of Python that only an indented line can follow."""
    python = place.fence is not None and place.fence[1].lower() in {"", "py", "python", "python3"}
    if not python or place.line or rest[0].isspace() or rest[0] == "`":
        return None
    above = place.bare[place.bare.rfind("\n") + 1 :]
    if not _PYTHON_OPENER.match(above):
        return None
    return Repair(add=above[: len(above) - len(above.lstrip())] + "    ")


# In prose, where the answer ends in white space.


def _doubled_white(place: Place, rest: str) -> Repair | None:
    space = len(rest) - len(rest.lstrip())
    if not space:
        return None
    if space == len(rest):
        return _UNDECIDED
    newlines = rest[:space].rfind("\n") + 1
    if newlines:
        ended = place.owed.count("\n") > 1
        return Repair(cut=newlines) if ended or ("\n" in place.owed and _stays_in_block(place, rest)) else None
    single = place.owed == " " and space == 1 and rest[0] == " "
    return Repair(cut=1) if single and ".  " not in place.before else None


def _stays_in_block(place: Place, rest: str) -> bool:
    """Tell whether a table goes on, or a list without blank lines, which one would end or loosen."""
    if rest.lstrip().startswith("|"):
        return _last_line(place.bare).lstrip().startswith("|")
    above, _, last = place.bare.rpartition("\n")
    return all(_ITEM.match(each) for each in (_last_line(above), last, rest.lstrip()))


def _next_number(place: Place, rest: str) -> Repair | None:
    return _next_item(place, rest) if "\n" not in place.owed and rest[0].isdigit() else None


# In prose, where it does not.


def _next_item(place: Place, rest: str) -> Repair | None:
    """Put an item of a list on a line of its own."""
    last = _ITEM.match(place.line)
    if not last or place.bare.endswith(last[2]):
        return None
    if _ITEM_PART.match(rest):
        return _UNDECIDED
    item = _ITEM.match(rest)
    if not item or (item[1] and len(item[1].expandtabs()) < 2) or not _follows(last[2], item, rest):
        return None
    return Repair(add="\n" if item[1] else "\n" + last[1])


def _follows(mark: str, item: re.Match[str], rest: str) -> bool:
    if item[1]:
        return item[2] in "-*+" or item[2] in ("1.", "1)")
    if mark[:-1].isdigit() and item[2][:-1].isdigit():
        return item[2] == f"{int(mark[:-1]) + 1}{mark[-1]}"
    first = rest[item.end()]
    return item[2] == mark and (first.isalpha() or first in "*`[_“(\"'")


def _table_row(place: Place, rest: str) -> Repair | None:
    line = place.line.strip()
    if "\n" in place.owed or rest[0] != "|" or not (line.startswith("|") and line.endswith("|") and len(line) > 1):
        return None
    above = _last_line(place.before[: len(place.before) - len(place.line)].rstrip("\n")).strip()
    if above.startswith("|"):
        return Repair(add="\n") if line.count("|") == above.count("|") else None
    if rest.strip(" \t:") == "|":
        return _UNDECIDED
    return Repair(add="\n") if _RULER.match(rest) else None


def _heading(place: Place, rest: str) -> Repair | None:
    if rest[0] != "#" or not place.line.strip():
        return None
    if _HEADING_PART.match(rest):
        return _UNDECIDED
    heading = _HEADING.match(rest)
    if not heading or place.bare.endswith("#") or (len(heading[1]) == 1 and place.inside_sentence):
        return None
    return Repair(add="\n\n")


def _fence(place: Place, rest: str) -> Repair | None:
    if rest[0] not in "`~" or rest[0] == place.bare[-1] or not place.line.strip():
        return None
    if _FENCE_PART.match(rest):
        return _UNDECIDED
    return Repair(add="\n" if _ITEM.match(place.line) else "\n\n") if _FENCE.match(rest) else None


def _words(place: Place, rest: str, *, parted: bool) -> Repair | None:
    """Put a space between two words, where they are known to be two."""
    letters = _LETTERS.match(rest)
    if not place.word or not letters or unspaced(place.word[-1]) or unspaced(rest[0]):
        return None
    if letters.end() == len(rest) < _LONGEST_WORD:
        return _UNDECIDED
    return _SPACE if apart(place.before, place.word, letters[0], likely=parted) else None


def _after_mark(place: Place, rest: str) -> Repair | None:
    """Put a space behind a comma, the end of a sentence or a closing mark, where a word follows."""
    if not rest[0].isalpha() or unspaced(rest[0]) or place.bare[-1].isalnum():
        return None
    letters = _LETTERS.match(rest)
    size = letters.end() if letters else 0
    if size == len(rest) < _LONGEST_WORD:
        return _UNDECIDED
    if chunk := _ENDED_CHUNK.search(place.before[-80:]):
        begins = rest[0].isupper() and (size == 1 or rest[1].islower())
        return _SPACE if begins or chunk["mark"] != "." else None
    return _SPACE if size > 1 and _is_closing(place) else None


def _is_closing(place: Place) -> bool:
    """Tell whether the last character closes something that was opened on the same line, behind a space."""
    mark, line = place.bare[-1], place.line
    if mark in ")”":
        opened = line.rfind("(" if mark == ")" else "“")
        return opened == 0 or (opened > 0 and line[opened - 1].isspace())
    if mark in '"`':
        return line.count(mark) % 2 == 0 and not line[-2:-1].isspace()
    return line.endswith("**") and line.count("**") % 2 == 0 and not line[-3:-2].isspace()


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]
