"""Blocks of markdown as lines for a terminal, laid out for reading in a chat and for copying out of it.

Every visible character of the source reaches the screen, except markup that is shown as a style. Without colours the
markup of emphasis and headings stays, or its meaning would be lost. Each line stands alone: it sets and resets its own
styles, has no trailing spaces, and is never wider than asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token
from rich.style import Style

from llmterm.render.blocks import Block, Parser, Tokens, fence_is_closed, groups, start_of
from llmterm.render.cells import cell_len, chop, wrap
from llmterm.render.link import is_safe, says_enough
from llmterm.render.sanitize import Unhider, clean
from llmterm.render.styled import Runs, paint, plain
from llmterm.render.styled import wrap as wrap_runs
from llmterm.render.table import Column, table
from llmterm.render.theme import Theme

if TYPE_CHECKING:
    from llmterm.render.code import Fence, Palette

_PLAIN = Style.null()
_EMPHASIS = {"strong_open", "strong_close", "em_open", "em_close", "s_open", "s_close"}
_TASK = re.compile(r"\[([ xX])\][ \t]+(?=\S)")
_RULE_WIDTH = 20
# Contents that would get less room than this go to the margin instead.
_NARROW = 8


class Layout:
    """Lays out blocks; knows how things look, and nothing of what came before or after."""

    def __init__(self, *, parser: Parser, color: bool, theme: Theme, links: bool) -> None:
        self._parser = parser
        self._color = color
        self._links = links
        self._theme = theme
        self._styles = {
            role: Style.parse(style) for role, style in theme._asdict().items() if role not in ("name", "syntax")
        }

    @cached_property
    def _palette(self) -> Palette | None:
        from llmterm.render.code import Palette

        return Palette(self._theme) if self._color else None

    def block(self, block: Block, width: int, *, whole_code: bool = False) -> list[str]:
        """Return a block as lines; with `whole_code` a line of one that is code is one, however long."""
        if block.kind == "fence":
            closed = fence_is_closed(block.tokens[0])
            lines = block.lines[1:-1] if closed else block.lines[1:]
            return self._code(self.fence(block), lines, width, closed=closed, whole=whole_code)
        lines = [] if block.too_deep else self._group(block.tokens, _Source(block.lines, block.start), width)
        if not any(lines):
            # Markup around nothing, such as a lone "#", is all there is: show it.
            lines = [row for line in block.lines for row in wrap(_flat(line), width)]
        return _trimmed(lines)

    def fence(self, block: Block) -> Fence:
        """Return the block, a fence, ready to take its first line of code."""
        opening = block.lines[0]
        return self._fence(block.tokens[0], indent=len(opening) - len(opening.lstrip(" ")))

    def faint(self, text: str) -> str:
        """Return a row of plain text that matters less than the answer."""
        return self._paint([(_flat(text), self._styles["faint"])])

    def unmarked(self, text: str) -> str:
        """Return a row of plain text."""
        return self._paint([(_flat(text), _PLAIN)])

    def _group(self, tokens: Tokens, source: _Source, width: int) -> list[str]:
        first = tokens[0]
        match first.type:
            case "paragraph_open":
                return self._text(self._inline(tokens[1].content), width)
            case "heading_open":
                return self._heading(first.tag, tokens[1].content, width)
            case "list_item_open":
                return self._item(f"{first.info}{first.markup}" if first.info else "•", tokens[1:-1], source, width)
            case "blockquote_open":
                return self._quote(tokens[1:-1], source, width)
            case "hr":
                return [self.faint("─" * min(width, _RULE_WIDTH))]
            case "fence":
                closed = fence_is_closed(first)
                return self._code(self._fence(first, indent=0), _content(first), width, closed=closed)
            case "formula_block":
                return [row for line in _content(first) for row in wrap(_flat(line), width)]
            case "code_block":
                lines = [f"    {_flat(line)}".rstrip() for line in _content(first)]
                return [part.rstrip() for line in lines for part in chop(line, width)]
            case "table_open":
                return self._table(tokens, source, width)
            case _:
                return self._siblings(tokens[1:-1], source, width)

    def _siblings(self, tokens: Tokens, source: _Source, width: int) -> list[str]:
        """Lay out what stands below each other, with blank lines where the source has them."""
        lines: list[str] = []
        for group in groups(tokens):
            rows = self._group(group, source, width)
            if lines and rows and source.blank_above(start_of(group)):
                lines.append("")
            lines += rows
        return lines

    def _item(self, mark: str, tokens: Tokens, source: _Source, width: int) -> list[str]:
        box, tokens = _task(tokens)
        if box:
            mark = box if mark == "•" else f"{mark} {box}"
        indent = cell_len(mark) + 1
        if width - indent < _NARROW:
            return [*chop(mark, width), *self._siblings(tokens, source, width)]
        first, *rest = self._siblings(tokens, source, width - indent) or [""]
        head = self._paint([(mark, self._styles["marker"])])
        return [f"{head} {first}" if first else head, *(" " * indent + row if row else "" for row in rest)]

    def _quote(self, tokens: Tokens, source: _Source, width: int) -> list[str]:
        if width - len("│ ") < _NARROW:
            return self._siblings(tokens, source, width)
        bar = self.faint("│")
        return [f"{bar} {row}" if row else bar for row in self._siblings(tokens, source, width - len("│ "))]

    def _heading(self, tag: str, content: str, width: int) -> list[str]:
        style = self._styles.get(tag, self._styles["heading"])
        mark = [] if self._color else [("#" * int(tag[1:]) + " ", style)]
        return self._text(mark + self._inline(content, style), width)

    def _fence(self, token: Token, *, indent: int) -> Fence:
        from llmterm.render.code import Fence  # with a library that text without code has no use for

        return Fence(markup=token.markup, info=token.info, indent=indent, palette=self._palette)

    @staticmethod
    def _code(fence: Fence, lines: Sequence[str], width: int, *, closed: bool, whole: bool = False) -> list[str]:
        rows = fence.head(width)
        for line in lines:
            rows += fence.add(line, None if whole else width)
        return rows + (fence.close(width) if closed else [])

    def _table(self, tokens: Tokens, source: _Source, width: int) -> list[str]:
        head, *body = (row for part in groups(tokens[1:-1]) for row in groups(part[1:-1]))
        columns = [
            Column(
                head=self._inline(cell[1].content, self._styles["th"], cell=True),
                align=str(cell[0].attrs.get("style", "")),
            )
            for cell in groups(head[1:-1])
        ]
        rows = [
            [self._inline(cell[1].content, cell=True) for cell in groups(row[1:-1])]
            + [self._inline(cell, cell=True) for cell in _excess(source.line(start_of(row)), len(columns))]
            for row in body
        ]
        return [self._paint(row) for row in table(columns, rows, width, self._styles["faint"])]

    def _inline(self, content: str, style: Style = _PLAIN, *, cell: bool = False) -> Runs:
        """Return text with its markup turned into styles, of a table's `cell` if it is one."""
        runs: Runs = []
        styles = [style]
        links: list[tuple[int, Token]] = []
        for token in self._parser.inline(content, cell=cell):
            match token.type:
                case "softbreak" | "hardbreak":
                    runs.append(("\n", styles[-1]))
                case "code_inline":
                    mark = "" if self._color else token.markup
                    runs.append((_flat(f"{mark}{token.content}{mark}"), styles[-1] + self._styles["code"]))
                case "image":
                    alt = f"{token.content}{_target(token, 'src')}".lstrip()
                    runs.append((_flat(alt), styles[-1] + self._link(token, "src")))
                case "link_close":
                    styles.pop()
                    start, opening = links.pop()
                    runs.append((_flat(self._behind(opening, plain(runs[start:]))), styles[-1] + self._styles["faint"]))
                case kind:
                    if kind == "link_open":
                        links.append((len(runs), token))
                    if token.nesting < 0:
                        styles.pop()
                    mark = token.markup if kind in _EMPHASIS and not self._color else ""
                    runs.append((_flat(token.content) or mark, styles[-1]))
                    if token.nesting > 0:
                        more = self._styles.get(kind.removesuffix("_open"), _PLAIN)
                        styles.append(styles[-1] + (self._link(token, "href") if kind == "link_open" else more))
        if content.isascii() and "&" not in content:
            return runs
        unhider = Unhider()
        return [(unhider.feed(text), style) for text, style in runs]

    def _link(self, token: Token, name: str) -> Style:
        """Return the style of a link or an image, which can be opened if its target is safe."""
        target = str(token.attrs.get(name, ""))
        style = self._styles["link"]
        return style + Style(link=target) if self._links and is_safe(target) else style

    def _behind(self, opening: Token, label: str) -> str:
        """Return what to show behind a link's label of where it leads."""
        target = str(opening.attrs.get("href", ""))
        if target in (label, f"mailto:{label}"):
            return ""
        if self._links and self._color and is_safe(target) and says_enough(label):
            return f' ("{opening.attrs["title"]}")' if "title" in opening.attrs else ""
        return _target(opening, "href")

    def _text(self, runs: Runs, width: int) -> list[str]:
        return [self._paint(row) for row in wrap_runs(runs, width)]

    def _paint(self, row: Runs) -> str:
        return paint(row, color=self._color)


class _Source:
    """The lines a block came from, by the numbers that its tokens carry."""

    def __init__(self, lines: Sequence[str], start: int) -> None:
        self._lines = lines
        self._start = start

    def line(self, number: int) -> str:
        index = number - self._start
        return self._lines[index] if 0 <= index < len(self._lines) else ""

    def blank_above(self, number: int) -> bool:
        return not self.line(number - 1).strip(" \t>")


def _task(tokens: Tokens) -> tuple[str, Tokens]:
    """Return the box of a list's item that is a task, and the item without what stands for it."""
    task = _TASK.match(tokens[1].content) if len(tokens) > 1 and tokens[0].type == "paragraph_open" else None
    if task is None:
        return "", tokens
    text = tokens[1].copy(content=tokens[1].content[task.end() :])
    return "☐" if task[1] == " " else "☑", [tokens[0], text, *tokens[2:]]


def _trimmed(lines: list[str]) -> list[str]:
    """Leave out blank lines at both ends, which an entity that shows nothing can make."""
    filled = [index for index, line in enumerate(lines) if line]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _content(token: Token) -> list[str]:
    return token.content.removesuffix("\n").split("\n") if token.content else []


def _excess(row: str, count: int) -> list[str]:
    """Return the cells of a table's row beyond the first `count`: the parser drops what the header does not name."""
    cells = [cell.strip() for cell in escapedSplit(row.strip(" \t>"))]
    if cells and not cells[0]:
        del cells[0]
    if cells and not cells[-1]:
        del cells[-1]
    return cells[count:]


def _target(token: Token, name: str) -> str:
    title = token.attrs.get("title")
    return f" ({token.attrs.get(name)}" + (f' "{title}")' if title else ")")


def _flat(text: str) -> str:
    # An entity such as "&#x202E;" becomes a character only in the parser, behind the sanitizer of the source.
    return clean(text).replace("\t", "    ")
