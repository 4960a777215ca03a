"""What can be wrong where a continuation meets the text before it: rules of their own, that know nothing of the seam's.

A join is right by definition where the text goes on for 20 characters, or up to the next pause, as the uninterrupted
answer does. Elsewhere words are compared without case, marks and white space, and of the continuation its first 200
characters are judged:

- lost: the text from before the pause is not the beginning of the result; or what was taken off the continuation is
  neither white space, nor words that stand before the pause, nor a comment.
- empty: nothing was joined.
- restarted: a text of 60 characters or more is begun again; its first 30 are in the continuation.
- comment: the continuation begins with a greeting, an excuse, or words about going on.
- repeated: the continuation begins with the last 12 characters or more from before the pause; or with the word before
  it, of three letters or more; or with six words of the 60 before it, which those do not have twice themselves.
- joined: outside of code there is a space too many (one on each side, or a line more than an empty one), or one too
  few (a letter right after a mark that ends a clause, or a capital letter right after a small one).

A literal continuation goes on with the text without the white space at its end. Where the result is just that text and
the continuation, to the letter, with nothing taken off or put between, nothing was done at the seam: "repeated" and
"joined" then tell of what the model says (rows of a table that are the same, a file's name), and are no fault of the
join. They are counted apart.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Fault: TypeAlias = Literal["lost", "empty", "restarted", "comment", "repeated", "joined"]

# What the model may do by itself, in a literal continuation.
OF_THE_MODEL: frozenset[Fault] = frozenset({"repeated", "joined"})
FAULTS: tuple[Fault, ...] = ("lost", "empty", "restarted", "comment", "repeated", "joined")
_JUDGED = 200
_SAME = 20
_COMMENT = re.compile(
    r"(sure|certainly|absolutely|of course|okay|ok|hello|hi|thank you|thanks|sorry|i apologi[sz]e|i m sorry|i m glad"
    r"|i understand|i ll|i will continue|let s continue|let me|to continue|continu(?:ing|ed|e|ation)|going on"
    r"|as requested|here s|here is|here are|the rest of|my answer|your answer|the answer above|it seems|it looks like"
    r"|natürlich|gerne|klar|hier ist|hier sind|weiter geht|bien sûr|voici|d accord|claro|por supuesto|aquí"
    r"|certo|certamente|ecco)\b"
)


def untouched(before: str, raw: str, result: str) -> bool:
    """Tell whether a literal continuation stands as the model said it behind what it was asked to go on with."""
    return result.startswith(before) and result == before.rstrip() + raw


def faults(before: str, raw: str, result: str, whole: str) -> frozenset[Fault]:
    """Judge how `raw`, asked for when `before` was there, made `result`; `whole` is the uninterrupted answer."""
    if not result.startswith(before):
        return frozenset({"lost"})
    if len(result) > len(before) and whole.startswith(result[: len(before) + _SAME]):
        return frozenset()
    said = result[len(before) :][:_JUDGED]
    checks: dict[Fault, bool] = {
        "lost": _lost(before, raw, result),
        "empty": not said.strip(),
        "restarted": _restarted(before, said),
        "comment": bool(_COMMENT.match(_words(said))),
        "repeated": _repeated(before, said),
        "joined": not _in_code(before) and _joined_wrongly(before, said),
    }
    return frozenset(fault for fault, found in checks.items() if found)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _in_code(before: str) -> bool:
    return before.count("```") % 2 == 1


def _lost(before: str, raw: str, result: str) -> bool:
    size = next(size for size in range(len(raw), -1, -1) if result.endswith(raw[len(raw) - size :]))
    # Where the answer repeats itself the same words may end the text from before, too.
    cut = _words(raw[: len(raw) - min(size, len(result) - len(before))])
    return cut != "" and cut not in _words(before) and not _COMMENT.match(cut)


def _restarted(before: str, said: str) -> bool:
    return len(before) >= 60 and _words(before)[:30] in _words(said)


def _repeated(before: str, said: str) -> bool:
    end, start = before.rstrip(), said.lstrip()
    if any(end.endswith(start[:size]) for size in range(12, len(start) + 1)):
        return True
    parted = end != before or start != said
    last, first = re.search(r"[^\W\d_]{3,}$", end), re.match(r"[^\W\d_]{3,}", start)
    if parted and last and first and last[0].casefold() == first[0].casefold():
        return True
    window, six = " ".join(_words(before).split()[-60:]), " ".join(_words(said).split()[:6])
    return six.count(" ") == 5 and window.count(six) == 1


def _joined_wrongly(before: str, said: str) -> bool:
    if before.endswith(" ") and said.startswith(" ") and before[before.rfind("\n") + 1 :].strip():
        return True
    if before.endswith("\n\n") and said.startswith("\n"):
        return True
    return bool(re.search(r"[.!?,;:]$", before) and re.match(r"[^\W\d_]", said)) or (
        before[-1:].islower() and said[:1].isupper()
    )
