"""Markdown source cut into blocks that can be laid out one by one.

A block is a top-level block of CommonMark with tables, strike-through and formulas, or one item of a top-level list:
an item never changes once the next has begun, and a long list must not be laid out anew for each of its lines.
Only whole lines may be cut: half a line can still become something else ("-" a list, a heading or a rule).

Nothing may depend on what comes later or get lost, so link definitions stay text, and so does HTML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from llmterm.render.formula import formula_closer, formula_end

Tokens: TypeAlias = Sequence[Token]

# Beyond its limit markdown-it drops text without a word; see `Block.too_deep`.
_NESTING = 60
_INTERRUPTED = ("paragraph", "reference", "blockquote", "list")
_FORMULA = ("$", "\\")
_BREAK = re.compile(r"<br[ \t]*/?>[ \t]*", re.IGNORECASE)
_CELL = "cell"
_ENDS_AT_ONCE = frozenset({"heading_open", "hr"})
_ENDS_AT_BLANK_LINE = frozenset({"paragraph_open", "table_open", "blockquote_open", "formula_block"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`tokens` are markdown-it's, `lines` the source they came from.

    `start` is the number of the first of those lines and `offset` where it begins, in characters; `gap` is whether a
    blank line belongs above, and `closed` whether no text that follows can change this block.
    """

    tokens: Tokens
    lines: Sequence[str]
    start: int
    offset: int
    gap: bool
    closed: bool

    @property
    def kind(self) -> str:
        return self.tokens[0].type

    @property
    def too_deep(self) -> bool:
        """Tell whether the parser gave up within this block."""
        return any(token.level >= _NESTING - 1 for token in self.tokens)


class Parser:
    """CommonMark and the parts of GitHub's dialect that models write."""

    def __init__(self) -> None:
        self._inline = MarkdownIt("commonmark").enable("strikethrough")
        self._blocks = MarkdownIt("commonmark", {"maxNesting": _NESTING}).enable("table")
        # A definition hides its text and changes what stood above it; an HTML block would hide the markdown in it;
        # and text is parsed by `inline`, when it is laid out.
        self._blocks.disable(["reference", "html_block", "inline", "text_join"])
        self._inline.inline.ruler.before("escape", "formula", _formula)
        self._inline.inline.ruler.before("html_inline", "line_break", _line_break)
        self._blocks.block.ruler.before("fence", "formula", _formula_block, {"alt": list(_INTERRUPTED)})

    def blocks(self, source: str, *, gap: bool) -> list[Block]:
        """Cut `source`; `gap` is that of the first block."""
        lines = source.split("\n")
        if not lines[-1]:
            lines.pop()
        units = [unit for group in groups(self._blocks.parse(source)) for unit in _units(group)]
        starts = [*(start_of(unit) for unit, _ in units), len(lines)]
        offsets = [0, *accumulate(len(line) + 1 for line in lines)]
        blocks: list[Block] = []
        for (unit, follows), start, after in zip(units, starts, starts[1:], strict=False):
            own = lines[start:after]
            while len(own) > 1 and not own[-1].strip():
                own.pop()
            between = not follows or (start > 0 and not lines[start - 1].strip())
            closed = after < len(lines) or _ended(unit, own, blank_below=start + len(own) < len(lines))
            blocks.append(
                Block(
                    tokens=unit,
                    lines=own,
                    start=start,
                    offset=offsets[start],
                    gap=between if blocks else gap,
                    closed=closed,
                )
            )
        return blocks

    def inline(self, content: str, *, cell: bool = False) -> Tokens:
        """Return the tokens of a paragraph's, heading's or `cell`'s text: <br> breaks a line where source cannot."""
        tokens: list[Token] = []
        self._inline.inline.parse(content, self._inline, {_CELL: True} if cell else {}, tokens)
        return tokens


def groups(tokens: Tokens) -> list[Tokens]:
    """Split tokens into siblings, each with all that is inside it."""
    siblings: list[Tokens] = []
    depth = start = 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            siblings.append(tokens[start : index + 1])
            start = index + 1
    return siblings


def start_of(tokens: Tokens) -> int:
    """Return the source line on which a group of tokens begins."""
    return tokens[0].map[0] if tokens[0].map else 0


def fence_is_closed(token: Token) -> bool:
    begin, end = token.map or (0, 0)
    inside = token.content.count("\n") + (not token.content.endswith("\n") and token.content != "")
    return end - begin == inside + 2


def _units(group: Tokens) -> list[tuple[Tokens, bool]]:
    """Return the blocks of one top-level group, each with whether it goes on with a list."""
    if group[0].type in ("bullet_list_open", "ordered_list_open"):
        return [(item, index > 0) for index, item in enumerate(groups(group[1:-1]))]
    return [(group, False)]


def _ended(unit: Tokens, lines: Sequence[str], *, blank_below: bool) -> bool:
    """Tell whether the last block of the source is over."""
    kind = unit[0].type
    if kind == "fence":
        return fence_is_closed(unit[0])
    if kind == "formula_block" and unit[0].meta["closed"]:
        return True
    return kind in _ENDS_AT_ONCE or (blank_below and kind in _ENDS_AT_BLANK_LINE)


def _formula(state: StateInline, silent: bool) -> bool:
    """Take a formula as it is written."""
    end = formula_end(state.src, state.pos) if state.src[state.pos] in _FORMULA else -1
    if not state.pos < end <= state.posMax:
        return False
    if not silent:
        state.push("formula", "", 0).content = state.src[state.pos : end]
    state.pos = end
    return True


def _line_break(state: StateInline, silent: bool) -> bool:
    """Take a <br> in a table's cell, and the blanks around it."""
    found = _BREAK.match(state.src, state.pos, state.posMax) if _CELL in state.env else None
    if found is None:
        return False
    if not silent:
        state.pending = state.pending.rstrip(" \t")
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take a formula of several lines; no blank line is in one, so that it ends at the next even if never closed."""
    at = state.bMarks[start] + state.tShift[start]
    if state.src[at : at + 1] not in _FORMULA or state.is_code_block(start):
        return False
    closer = formula_closer(_line(state, start))
    if closer is None or silent:
        return closer is not None
    line = start + 1
    closed = False
    while not closed and line < end and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        closed = _line(state, line).endswith(closer)
        line += 1
    token = state.push("formula_block", "", 0)
    token.content = state.getLines(start, line, state.blkIndent, False)
    token.map = [start, line]
    token.meta["closed"] = closed
    state.line = line
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].rstrip()
