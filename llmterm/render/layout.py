"""Blocks of markdown as lines for a terminal, laid out for reading in a chat and for copying out of it.

Every visible character of the source reaches the screen, except markup that is shown as a style. Without colours the
markup of emphasis and headings stays, or its meaning would be lost. Each line stands alone: it sets and resets its own
styles, has no trailing spaces, and is never wider than asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token
from rich.style import Style

from llmterm.render.blocks import Block, Parser, Tokens, fence_is_closed, groups, start_of
from llmterm.render.cells import cell_len, chop, wrap
from llmterm.render.code import Fence
from llmterm.render.sanitize import clean
from llmterm.render.styled import Runs, paint, plain
from llmterm.render.styled import wrap as wrap_runs
from llmterm.render.table import Column, table

_PLAIN = Style.null()
_STYLES = {
    "strong": Style(bold=True),
    "em": Style(italic=True),
    "s": Style(strike=True),
    "link": Style(underline=True),
    "code": Style(color="cyan"),
    "h1": Style(bold=True, underline=True),
    "h2": Style(bold=True),
    "heading": Style(bold=True, italic=True),
    "th": Style(bold=True),
    "marker": Style(color="cyan"),
    "faint": Style(dim=True),
}
_EMPHASIS = {"strong_open", "strong_close", "em_open", "em_close", "s_open", "s_close"}
_RULE_WIDTH = 20
# Contents that would get less room than this go to the margin instead.
_NARROW = 8


class Layout:
    """Lays out blocks; knows how things look, and nothing of what came before or after."""

    def __init__(self, *, parser: Parser, color: bool, dark: bool) -> None:
        self._parser = parser
        self._color = color
        self._dark = dark

    def block(self, block: Block, width: int) -> list[str]:
        if block.kind == "fence":
            return self._fence_lines(self.fence(block), block.lines, width, closed=fence_is_closed(block.tokens[0]))
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
        return self._paint([(_flat(text), _STYLES["faint"])])

    def _group(self, tokens: Tokens, source: _Source, width: int) -> list[str]:
        first = tokens[0]
        match first.type:
            case "paragraph_open":
                return self._text(self._inline(tokens[1].content), width)
            case "heading_open":
                return self._heading(first.tag, tokens[1].content, width)
            case "list_item_open":
                mark = f"{first.info}{first.markup}" if first.info else "•"
                return self._item(mark, tokens[1:-1], source, width)
            case "blockquote_open":
                return self._quote(tokens[1:-1], source, width)
            case "hr":
                return [self.faint("─" * min(width, _RULE_WIDTH))]
            case "fence":
                closed = fence_is_closed(first)
                lines = [first.markup + first.info, *_content(first), *([first.markup] if closed else [])]
                return self._fence_lines(self._fence(first, indent=0), lines, width, closed=closed)
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
        indent = cell_len(mark) + 1
        if width - indent < _NARROW:
            return [*chop(mark, width), *self._siblings(tokens, source, width)]
        first, *rest = self._siblings(tokens, source, width - indent) or [""]
        head = self._paint([(mark, _STYLES["marker"])])
        return [f"{head} {first}" if first else head, *(" " * indent + row if row else "" for row in rest)]

    def _quote(self, tokens: Tokens, source: _Source, width: int) -> list[str]:
        if width - len("▌ ") < _NARROW:
            return self._siblings(tokens, source, width)
        bar = self.faint("▌")
        return [f"{bar} {row}" if row else bar for row in self._siblings(tokens, source, width - len("▌ "))]

    def _heading(self, tag: str, content: str, width: int) -> list[str]:
        style = _STYLES.get(tag, _STYLES["heading"])
        mark = [] if self._color else [("#" * int(tag[1:]) + " ", style)]
        return self._text(mark + self._inline(content, style), width)

    def _fence(self, token: Token, *, indent: int) -> Fence:
        return Fence(markup=token.markup, info=token.info, indent=indent, color=self._color, dark=self._dark)

    @staticmethod
    def _fence_lines(fence: Fence, lines: Sequence[str], width: int, *, closed: bool) -> list[str]:
        rows = fence.mark(lines[0], width)
        for line in lines[1:-1] if closed else lines[1:]:
            rows += fence.add(line, width)
        return rows + (fence.close(lines[-1], width) if closed else [])

    def _table(self, tokens: Tokens, source: _Source, width: int) -> list[str]:
        head, *body = (row for part in groups(tokens[1:-1]) for row in groups(part[1:-1]))
        columns = [
            Column(head=self._inline(cell[1].content, _STYLES["th"]), align=str(cell[0].attrs.get("style", "")))
            for cell in groups(head[1:-1])
        ]
        rows = [
            [self._inline(cell[1].content) for cell in groups(row[1:-1])]
            + [self._inline(cell) for cell in _excess(source.line(start_of(row)), len(columns))]
            for row in body
        ]
        return [self._paint(row) for row in table(columns, rows, width, _STYLES["faint"])]

    def _inline(self, content: str, style: Style = _PLAIN) -> Runs:
        """Return text with its markup turned into styles."""
        runs: Runs = []
        styles = [style]
        links: list[tuple[int, Token]] = []
        for token in self._parser.inline(content):
            match token.type:
                case "softbreak" | "hardbreak":
                    runs.append(("\n", styles[-1]))
                case "code_inline":
                    mark = "" if self._color else token.markup
                    runs.append((_flat(f"{mark}{token.content}{mark}"), styles[-1] + _STYLES["code"]))
                case "image":
                    alt = f"{token.content}{_target(token, 'src')}".lstrip()
                    runs.append((_flat(alt), styles[-1] + _STYLES["link"]))
                case "link_close":
                    styles.pop()
                    start, opening = links.pop()
                    label = plain(runs[start:])
                    if opening.attrs.get("href") not in (label, f"mailto:{label}"):
                        runs.append((_flat(_target(opening, "href")), styles[-1] + _STYLES["faint"]))
                case kind:
                    if kind == "link_open":
                        links.append((len(runs), token))
                    if token.nesting < 0:
                        styles.pop()
                    mark = token.markup if kind in _EMPHASIS and not self._color else ""
                    runs.append((_flat(token.content) or mark, styles[-1]))
                    if token.nesting > 0:
                        styles.append(styles[-1] + _STYLES[kind.removesuffix("_open")])
        return runs

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
