"""The place where a continued answer meets what was there before.

A `Seam` takes the continuation as it arrives and gives out what belongs to the answer. It does not depend on how the
text is cut into pieces, holds back at most `LIMIT` characters, changes nothing but the continuation's beginning, and
says in `join` what it has changed. When unsure it keeps everything: to lose text is worse than to read it twice.

A literal continuation ("prefill") was asked for without the white space that the answer ends in: that stays where it
is, and as much of it as the continuation says again is dropped. Nothing else is touched.

A continuation on instruction ("instruct") is looked at in this order:
1. Overlap. It begins with what the answer ends in: eight characters or more with three letters or digits among them,
   the whole last line, the mark of an item, or all of a word that was cut in two, and goes on. Dropped, also behind
   white space, a preamble or a fence that is opened again. Kept if the answer has said the same twice in a row before,
   if it is a repetition in itself, or if it is said once more right after: refrains, rulers and loops go on by
   repeating. So do closing tags, and names in code.
2. Restart. It begins with the first sentence, or the first forty characters, of an answer of sixty or more that says
   them only once. Nothing is given out then.
3. Preamble. A first line, or a sentence before a colon or an ellipsis, in words that only speak of going on. Dropped
   if it cannot be part of the text: not in code, nor where somebody may be speaking.
4. Fence. The code block that is open is opened again, in the same language. The line is dropped.
5. White space. In prose, a space or a newline that the join lacks is added, and one that is there twice dropped. Two
   parts of a word are parted only where the text, or their looks, show that they are two words. In code, white space
   is exact but for an indentation that the line before rules out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmterm.messages import Mode, Rope
from llmterm.openblock import End
from llmterm.seam.overlap import WINDOW, Head, Overlap, Tail
from llmterm.seam.place import Place
from llmterm.seam.repair import NOTHING, Repair, repair, repair_line, repair_white
from llmterm.seam.start import Start, starts
from llmterm.seam.whitespace import WhitespaceSeam, said_again

__all__ = ["LIMIT", "Join", "Seam", "WhitespaceSeam"]

LIMIT = WINDOW


@dataclass(frozen=True, slots=True)
class Join:
    """What was changed: `cut` was taken off the continuation's beginning, and `added` put in its place.

    `kind` names what was found, joined by "+": "preamble", "fence", "overlap" (also of a "word" or a list's "marker"),
    "space"; "restart" for a model that started over. "" where nothing was changed.
    """

    kind: str = ""
    cut: str = ""
    added: str = ""


class Seam:
    """Joins a continuation, asked for in `mode`, to `before`, the whole answer so far, of which `end` may be known."""

    def __init__(self, before: Rope, *, mode: Mode, end: End | None = None) -> None:
        self.held = ""
        """What has come and is held back, as it came; all of it, where the model has started over."""
        self.restarted = False
        self.join = Join()
        self._mode = mode
        self._place = Place(before, end)
        self._tail = Tail(self._place)
        self._head = Head(before)
        self._decided = mode == "fresh" or not (self._place.bare or mode == "prefill")
        # White space that a literal continuation may still say again after a decision that could not wait for it.
        self._owed: WhitespaceSeam | None = None

    @property
    def holding(self) -> bool:
        """Whether something is held back that `release` would give out."""
        return self.held != "" and not self._decided

    @property
    def withholds(self) -> bool:
        """Whether it has something of what has come, or has yet to drop something of what comes."""
        return self.holding or self._owed is not None

    def feed(self, text: str) -> str:
        """Take more of the continuation; return what is certain by now, "" while nothing is."""
        for at in range(len(text)):
            if self._decided:
                return self._pass(text)
            self.held += text[at]
            shown = self._decide(final=len(self.held) >= LIMIT)
            if shown is not None:
                return shown + self._pass(text[at + 1 :])
        return ""

    def release(self) -> str:
        """Decide with what has come, and return it; what comes later passes."""
        return "" if self._decided else self._decide(final=True) or ""

    def _pass(self, text: str) -> str:
        if self.restarted:
            self.held += text
            return ""
        if self._owed is None:
            return text
        shown = self._owed.feed(text)
        self.join = replace(self.join, cut=self.join.cut + text[: len(text) - len(shown)])
        if shown:
            self._owed = None
        return shown

    def _decide(self, *, final: bool) -> str | None:
        """Return what to show of the text held back; None while more of it is needed."""
        join = self._literal(final) if self._mode == "prefill" else self._instructed(final)
        if join is None:
            return None
        self._decided, self.join = True, join
        if join.kind == "restart":
            self.restarted = True
            return ""
        shown, self.held = join.added + self.held[len(join.cut) :], ""
        return shown

    def _literal(self, final: bool) -> Join | None:
        owed, text = self._place.owed, self.held
        if final and len(text) < len(owed) and owed.startswith(text):
            self._owed = WhitespaceSeam(owed[len(text) :])
            return Join("space", text)
        if not final and text in owed[:-1]:
            return None
        size = said_again(owed, text)
        return Join("space", text[:size]) if size else Join()

    def _instructed(self, final: bool) -> Join | None:
        text = self.held
        found, unfinished = starts(self._place, text)
        may_hold = unfinished or any(self._may_hold(text[start.at :]) for start in found)
        if may_hold and not final:
            return None
        for start in found:
            if (overlap := self._tail.overlap(text[start.at :])) and self._closes(start, overlap, final):
                return self._overlapping(start, overlap, final)
        if any(self._head.begins(text[start.at :]) for start in found):
            return Join("restart")
        start = [each for each in found if each.sure or each.at == 0][-1]
        rest = text[start.at :]
        if start.kind.endswith("fence") and rest:
            mended: Repair | None = repair_line(self._place, rest)
        else:
            mended = repair(self._place, rest, final=final, parted=start.kind == "preamble")
        return None if mended is None else self._joined(start.kind, start.at, mended)

    def _may_hold(self, text: str) -> bool:
        return self._tail.may_hold(text) or self._head.may_hold(text)

    def _closes(self, start: Start, overlap: Overlap, final: bool) -> bool:
        """Tell whether the quotation marks around an overlap, if there are any, are closed behind it."""
        rest = self.held[start.at + overlap.size :]
        return rest.startswith(start.closing) or (not rest and not final)

    def _overlapping(self, start: Start, overlap: Overlap, final: bool) -> Join | None:
        if not final and self._tail.undecided(self.held[start.at :], overlap):
            return None
        end = start.at + overlap.size + len(start.closing)
        mended = repair_white(self._place, self.held[end:]) if overlap.bare else NOTHING
        kind = f"{start.kind}+{overlap.kind}" if start.kind else overlap.kind
        return self._joined(kind, end, mended)

    def _joined(self, kind: str, cut: int, mended: Repair) -> Join:
        kinds = [kind] if kind else []
        if mended != NOTHING:
            kinds.append("space")
        return Join("+".join(kinds), self.held[: cut + mended.cut], mended.add)
