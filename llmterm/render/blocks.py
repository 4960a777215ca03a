"""Markdown source cut into blocks that can be laid out one by one.

A block is a top-level block of CommonMark with tables and strike-through, or one item of a top-level list: an item
never changes once the next has begun, and a long list must not be laid out anew for each of its lines.
Only whole lines may be cut: half a line can still become something else ("-" a list, a heading or a rule).

Nothing may depend on what comes later or get lost, so link definitions stay text, and so does HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from markdown_it import MarkdownIt
from markdown_it.token import Token

Tokens: TypeAlias = Sequence[Token]

# Beyond its limit markdown-it drops text without a word; see `Block.too_deep`.
_NESTING = 60
_ENDS_AT_ONCE = frozenset({"heading_open", "hr"})
_ENDS_AT_BLANK_LINE = frozenset({"paragraph_open", "table_open", "blockquote_open"})


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

    def inline(self, content: str) -> Tokens:
        """Return the tokens of a paragraph's, heading's or cell's text."""
        tokens: list[Token] = []
        self._inline.inline.parse(content, self._inline, {}, tokens)
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
    return kind in _ENDS_AT_ONCE or (blank_below and kind in _ENDS_AT_BLANK_LINE)
