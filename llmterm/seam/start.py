"""Where a continuation may properly begin: behind white space, a preamble, a fence that is opened again."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmterm.seam.place import Place
from llmterm.seam.preamble import Preamble, Weight, preambles

# Marks before words that are quoted or taken up again, and what closes them.
_LEAD_IN = re.compile(r"(\.\.\.|…|[«“„「])[ \t]*")
_CLOSING = {"«": "»", "“": "”", "„": "“", "「": "」"}
_FENCE_LINE = re.compile(r"\s*+(`{3,}+(?=[^`\n]*\n)|~{3,}+)[ \t]*+([^\s`]*+)[^\n]*\n")
_FENCE_PART = re.compile(r"\s*(?:`{1,2}|~{1,2}|(?:`{3,}+|~{3,}+)[^\n`]{0,60})\Z")


@dataclass(frozen=True, slots=True)
class Start:
    """`sure`: what stands before `at` goes, whatever follows; else only if an overlap follows. `closing`: a quote mark
    that ends the overlap."""

    at: int
    kind: str = ""
    sure: bool = False
    closing: str = ""


def starts(place: Place, text: str) -> tuple[list[Start], bool]:
    """Return where the continuation `text` may begin, and whether more of it could show another place."""
    space = len(text) - len(text.lstrip())
    if space == len(text):
        return [Start(0)], True
    found = [Start(0), Start(space)] if space else [Start(0)]
    rest = text[space:]
    if lead_in := _LEAD_IN.match(rest):
        closing = _CLOSING.get(lead_in[1], "")
        found.append(Start(space + lead_in.end(), "preamble", closing=closing))
    # Within a sentence the text goes on with a space or a small letter: no preamble begins like that.
    said, unfinished = ([], False) if text[0] in " \t" or rest[0].islower() else preambles(rest)
    unfinished = unfinished or rest in (".", "..")
    if place.fence is None:
        found += [Start(space + each.end, "preamble", _is_sure(place, each, rest)) for each in said]
        return found, unfinished
    for at, kind in [(0, "fence"), *((space + each.end, "preamble+fence") for each in said)]:
        unfinished = unfinished or _FENCE_PART.match(text, at) is not None
        if (match := _FENCE_LINE.match(text, at)) and _reopens(place.fence, match):
            found.append(Start(match.end(), kind, sure=match[2] != "" and match[2].lower() == place.fence[1].lower()))
    return found, unfinished


def _is_sure(place: Place, preamble: Preamble, text: str) -> bool:
    """Tell whether a preamble can be nothing else, even if no overlap follows."""
    if place.spoken:
        return False
    if preamble.weight is Weight.STRONG:
        return preamble.line or place.inside_sentence
    return preamble.weight is Weight.LIKELY and place.inside_sentence and not text[preamble.end :][:1].isupper()


def _reopens(fence: tuple[str, str], line: re.Match[str]) -> bool:
    """Tell whether a line would open the code block that is open already; one without a language closes it."""
    marks, language = fence
    same = line[1][0] == marks[0] and len(line[1]) >= len(marks)
    return same and line[2] != "" and (not language or language.lower() == line[2].lower())
