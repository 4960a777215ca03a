"""The place where an answer broke off, as far as joining on to it has to know."""

from __future__ import annotations

import re
from functools import cached_property

from llmterm.messages import Rope
from llmterm.openblock import End

_LABEL = re.compile(r"(?:\A|\n)[\W_]*[^\W\d_a-zß-ÿа-я]\w*(?: [^\W\d_a-zß-ÿа-я]\w*)?[*_]*:[*_]*\Z")
_LAST_WORD = re.compile(r"(?:^|[\s(\[“„«\"'’*_—–>-])([^\W\d_]+)\Z")
_QUOTES = (("“", "”"), ("«", "»"), ("„", "“"), ("「", "」"), ("『", "』"), ("‹", "›"))


# As far back as anything of an answer is looked for.
_MEMORY = 65_536


class Place:
    """The end of an answer so far; `before` is as much of it as is looked at.

    `owed` is the white space that it ends in and `bare` what comes before that, `line` its last line, `fence` the
    marks and the language of the code block that is open there.
    """

    def __init__(self, answer: Rope, end: End | None = None) -> None:
        self._end = end or End.of(str(answer))
        self.before = before = answer.tail(_MEMORY)
        self.bare = before.rstrip()
        self.owed = before[len(self.bare) :]
        self.line = before[before.rfind("\n") + 1 :]

    @property
    def fence(self) -> tuple[str, str] | None:
        return self._end.fence

    @property
    def opens_fence(self) -> bool:
        """Whether the last line is the one that opens the code block."""
        return self._end.fence is not None and self._end.above is None

    @cached_property
    def inline_code(self) -> bool:
        return self.fence is None and self._paragraph.count("`") % 2 == 1

    @cached_property
    def inside_sentence(self) -> bool:
        """Whether a sentence is surely not over yet."""
        if "\n" in self.owed or not self.bare or self.line.lstrip().startswith(("#", "|")):
            return False
        return self.bare[-1].isalnum() or self.bare[-1] in ",-–—(、，"

    @cached_property
    def spoken(self) -> bool:
        """Whether what follows may be somebody's words: a quotation is open, or a speaker has been named."""
        text = self._paragraph
        return (
            text.count('"') % 2 == 1
            or any(text.count(opening) > text.count(closing) for opening, closing in _QUOTES)
            or self.bare.endswith(("—", "–", "-"))
            or _LABEL.search(self.bare[-80:]) is not None
        )

    @cached_property
    def word(self) -> str:
        """The word, or the part of one, that the answer ends in; none where letters are part of something else."""
        match = _LAST_WORD.search(self.before[-80:])
        return match[1] if match else ""

    @cached_property
    def _paragraph(self) -> str:
        return self.bare.rpartition("\n\n")[2]
