"""An answer in markdown, as lines: those that are finished, once, and the open block as it stands.

The source text is the truth. A finished block becomes lines once and is forgotten; inside a code fence each finished
line does. Only the open block is laid out again when it grows, so the cost is linear in the text. The lines that come
out in the end do not depend on how the text was cut into chunks, nor on when anybody looked.

Parsing and layout happen in `advance` and `live`, once a frame, never per chunk; the libraries behind them are
imported when the first text is laid out. Putting lines on a screen is `Screen`'s work.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from llmterm.render.backlog import Backlog
from llmterm.render.cells import chop
from llmterm.render.flow import Flow
from llmterm.render.limits import AT_ONCE, IN_PASSING, cut_of, end_of_turn, lines_at_once, long_line, work
from llmterm.render.sanitize import Sanitizer, clean
from llmterm.render.settled import Settled
from llmterm.render.theme import DARK, Theme
from llmterm.render.thinking import Thinking

if TYPE_CHECKING:
    from llmterm.render.blocks import Block, Parser
    from llmterm.render.code import Fence
    from llmterm.render.layout import Layout

# An open block that takes more work than this is laid out anew only when it has grown by a quarter, or has surely
# ended; what came since is shown as it is. Otherwise a single block of any length would cost the square of it.
_LARGE = 4_000
_BLOCK_END = re.compile(r"\n[ \t]*\n(?=[^\s>])")
_QUOTED = re.compile(r" {0,3}(?:>[ \t]?)+")


class MarkdownRenderer:
    """Takes model text and thinking; gives back styled lines, none wider than `width` cells.

    With `whole_code` a finished line of code is one line, however wide: where the terminal wraps it, what is selected
    there is still that line. `color` allows SGR sequences in lines, and `links` OSC 8 ones around labels of links. With
    `thinking` as a "line" only the end of a thought is shown while it lasts, and one line after it. `clock` gives
    seconds.
    """

    def __init__(
        self,
        *,
        width: int,
        color: bool = True,
        theme: Theme = DARK,
        links: bool = False,
        thinking: Literal["line", "full"] = "full",
        whole_code: bool = False,
        clock: Callable[[], float] = float,
    ) -> None:
        self._width = max(1, width)
        self._color = color
        self._theme = theme
        self._links = links
        self._thoughts = Sanitizer()
        self._short = thinking == "line"
        self._whole_code = whole_code
        self._clock = clock
        self._thinking: Thinking | None = None
        self._backlog = Backlog()
        # Finished lines that nobody has fetched yet, and whether there ever were any.
        self._ready: list[str] = []
        self._started = False
        # The open block: its source, whether a blank line belongs above it, and the fence that it is inside of.
        self._tail = ""
        self._gap = False
        self._fence: Fence | None = None
        # The rest of a line that is too long, up to its end.
        self._overflow: Flow | None = None
        # What of the source was shown by `commit` and stays only as context.
        self._context = ""
        # The open block's lines that are permanent on the screen.
        self._settled = Settled()
        # How much of the source was looked through for finished blocks, and how much of it `_drawing` shows.
        self._scanned = 0
        self._drawn = 0
        self._drawing: list[str] = []
        self._behind = False

    @property
    def behind(self) -> bool:
        """Whether more has come than the last call of `advance` had time for."""
        return self._behind

    def feed(self, text: str) -> None:
        """Take more of the answer."""
        if self._thinking and not _is_blank(text):
            self._thinking.feed("", self._clock())
            self._end_thinking()
        self._backlog.feed(text)

    def think(self, text: str) -> None:
        """Take more of the model's thinking, which becomes a block of its own between what is said around it."""
        text = self._thoughts.feed(text)
        if self._thinking is None and text.strip():
            self._ready = self._interrupt()
            self._started = self._started or bool(self._ready)
            self._ready += [""] if self._started else []
            self._thinking = Thinking(self._layout.faint, short=self._short, began=self._clock())
            text = text.lstrip()
        if self._thinking:
            self._thinking.feed(text, self._clock())

    def advance(self, *, briefly: bool = False) -> list[str]:
        """Return the lines finished since the last call; `briefly`, those for which there is time in a frame.

        What is left then is not live either; it comes with the next calls.
        """
        self._consume(IN_PASSING if briefly else None)
        lines, self._ready = self._ready, []
        return lines

    def hurry(self) -> list[str]:
        """Return all there was no time for, as it is written, and start afresh below it."""
        if self._thinking or not self._behind:
            return self.advance()
        flow = Flow(str)
        flow.feed((self._tail + self._backlog.take_all()).removeprefix(self._context))
        lines, self._ready = [*self._ready, *self._spaced(flow.close(self._width), self._gap)], []
        self._fence = self._overflow = None
        self._reset("", gap=False)
        self._context = ""
        self._settled.clear()
        self._behind = self._started = False
        return lines

    def live(self) -> list[str]:
        """Return the open block as it stands, less its lines that are permanent already."""
        if self._behind:
            return []
        self._consume()
        if self._thinking:
            return self._thinking.live(self._clock())
        if self._overflow:
            return self._overflow.live()
        if self._tail == self._context or not self._tail.strip():
            return []
        lines = self._fence.peek(self._tail, self._width) if self._fence else self._draw()
        return self._settled.skip(self._spaced(lines, self._gap))

    def settle(self, count: int) -> None:
        """Take note that the first `count` lines of `live()` have become permanent on the screen."""
        lines = self.live()[:count]
        if self._thinking:
            self._thinking.settle(len(lines))
        elif self._overflow:
            self._overflow.settle(len(lines))
        else:
            self._settled.add(lines)

    def scrolled(self, lines: list[str]) -> None:
        """Take note that `lines`, the first of `live()` when it was drawn last, have left the screen for good."""
        if not self._thinking and not self._overflow:
            self._settled.add(lines)

    def unsettle(self) -> None:
        """Show the open block from its first line again: what was settled is out of sight."""
        self._settled.clear()

    def commit(self) -> list[str]:
        """Return all lines there are, the open block's too, and start afresh below them.

        An open fence goes on being code, an open table goes on under its header; both show their last line anew
        when it grows. A line that is quoted goes on being that.
        """
        lines = self._interrupt()
        self._started = False
        return lines

    def close(self) -> list[str]:
        """Return the rest of the lines; the answer is over."""
        if self._thinking:
            self._thinking.feed(self._thoughts.close(), self._clock())
            self._end_thinking()
        self._consume()
        self._tail += self._backlog.close()
        self._consume()
        if self._overflow:
            self._take(self._overflow.close(self._width))
            self._overflow = None
        if self._tail != self._context and self._tail.strip():
            if self._fence:
                self._tail += "\n"
                self._consume_code(self._fence)
            else:
                while self._consume_blocks(self._tail, final=True):
                    pass
        if self._fence and self._started:
            self._emit(self._fence.foot(self._width), self._gap)
        self._reset("")
        self._fence = None
        return self.advance()

    def resize(self, width: int) -> None:
        """Lay out for `width` cells from now on."""
        self._width = max(1, width)
        self._drawn = 0

    @cached_property
    def _parser(self) -> Parser:
        from llmterm.render.blocks import Parser

        return Parser()

    @cached_property
    def _layout(self) -> Layout:
        from llmterm.render.layout import Layout

        return Layout(parser=self._parser, color=self._color, theme=self._theme, links=self._links)

    def _consume(self, most: int | None = None) -> None:
        """Turn what is finished into lines; stop when it was more work than `most`."""
        self._behind = False
        if self._thinking:
            self._take(self._thinking.advance(self._width, most))
            self._behind = self._thinking.behind
            return
        going = bool(self._backlog) or self._tail != self._context
        done = 0
        while going:
            if most is not None and done > most:
                self._behind = True
                return
            self._tail += self._backlog.take(2 * AT_ONCE - len(self._tail))
            before = self._tail
            going = self._consume_some()
            done += work(before[: max(0, len(before) - len(self._tail))])
            if not going and self._backlog:
                self._tail += self._backlog.take(AT_ONCE)
                going = True

    def _consume_some(self) -> bool:
        """Take as much as should be looked at in one go; tell whether there is more."""
        if self._overflow:
            return self._consume_overflow(self._overflow)
        if self._fence:
            return self._consume_code(self._fence)
        if cut := long_line(self._tail[:AT_ONCE]):
            return self._consume_until(cut)
        return self._consume_lines()

    def _consume_lines(self) -> bool:
        """Take finished blocks of whole lines; tell whether there is more."""
        if not self._due(self._scanned):
            return False
        end = end_of_turn(self._tail[:AT_ONCE])
        if end <= self._scanned:
            return False
        size = len(self._tail)
        return self._consume_blocks(self._tail[:end]) or len(self._tail) < size

    def _consume_overflow(self, flow: Flow) -> bool:
        """Take more of a long line; tell whether there is more."""
        rest, end, tail = self._tail[:IN_PASSING].partition("\n")
        tail += self._tail[IN_PASSING:]
        flow.feed(rest + end)
        self._take(flow.advance(self._width))
        self._tail = tail
        if end:
            self._overflow = None
            self._reset(tail, gap=self._fence is None)
        return bool(self._tail)

    def _consume_until(self, cut: int) -> bool:
        """Take all there is up to `cut`, in the middle of a line, and the rest of the line without its markup."""
        while not self._fence and self._consume_blocks(self._tail[:cut], final=True, opens=True):
            cut = long_line(self._tail[:AT_ONCE])
        if not self._fence:
            self._overflow = Flow(self._layout.unmarked)
        return True

    def _consume_code(self, fence: Fence) -> bool:
        """Take finished lines of code, as many as should be in one go; tell whether there is more."""
        start = done = 0
        while done < IN_PASSING:
            end = self._tail.find("\n", start)
            line = self._tail[start : end if end >= 0 else None]
            if cut := cut_of(line):
                self._emit(self._added(fence, line[:cut]), self._gap)
                self._reset(self._tail[start + cut :])
                self._overflow = Flow(self._layout.unmarked, _anywhere)
                return True
            if end < 0:
                break
            closes = fence.closes(line)
            rows = fence.close(self._width) if closes else self._added(fence, line)
            if line != self._context:
                self._emit(rows, self._gap)
            self._context = ""
            start = end + 1
            done += work(line) + 1
            if closes:
                self._fence = None
                self._reset(self._tail[start:])
                return True
        self._tail = self._tail[start:]
        return done >= IN_PASSING

    def _added(self, fence: Fence, line: str) -> list[str]:
        return fence.add(line, None if self._whole_code else self._width)

    def _consume_blocks(self, source: str, *, final: bool = False, opens: bool = False) -> bool:
        """Take finished blocks of `source`, whole lines at the beginning of the tail; tell whether to look again.

        With `final` all are finished but, if it `opens`, a fence at the end.
        """
        self._scanned = len(source)
        for block in self._parser.blocks(source, gap=self._gap):
            if self._cut(block):
                return True
            if block.closed or (final and not (opens and block.kind == "fence")):
                if not self._is_context(block):
                    self._emit(self._layout.block(block, self._width, whole_code=self._whole_code), block.gap)
                continue
            self._gap = block.gap
            if block.kind == "fence":
                self._fence = self._layout.fence(block)
                self._emit(self._fence.head(self._width), block.gap)
                self._reset(self._tail[block.offset + len(block.lines[0]) + 1 :], gap=False)
            elif block.offset:
                self._reset(self._tail[block.offset :], gap=block.gap)
                self._scanned = len(source) - block.offset
            return self._fence is not None
        self._reset(self._tail[len(source) :])
        return False

    def _cut(self, block: Block) -> bool:
        """Take the beginning of a block that is too large, and of a table leave the header; tell whether it is."""
        count = lines_at_once(block.kind, block.lines)
        if block.kind == "fence" or count == len(block.lines):
            return False
        source = "\n".join(block.lines[:count])
        for part in self._parser.blocks(source, gap=block.gap):
            self._emit(self._layout.block(part, self._width), part.gap)
        header = "\n".join([*block.lines[:2], ""]) if block.kind == "table_open" else ""
        rest = self._tail[block.offset + len(source) + 1 :]
        self._reset(header + rest if len(header) < len(source) // 2 else rest, gap=False)
        return True

    def _reset(self, tail: str, *, gap: bool = True) -> None:
        """Begin a new open block."""
        self._tail = tail
        self._gap = gap
        self._context = ""
        self._scanned = self._drawn = 0

    def _is_context(self, block: Block) -> bool:
        return block.offset == 0 and self._context != "" and "\n".join(block.lines) == self._context.rstrip("\n")

    def _emit(self, lines: list[str], gap: bool) -> None:
        if lines:
            self._take(self._settled.skip(self._spaced(lines, gap)))
            self._started = True
            self._gap = False
            self._settled.clear()

    def _take(self, lines: list[str]) -> None:
        self._ready += lines
        self._started = self._started or bool(lines)

    def _spaced(self, lines: list[str], gap: bool) -> list[str]:
        return ["", *lines] if gap and self._started and lines else lines

    def _draw(self) -> list[str]:
        """Lay out the open block, and what half a line after it may look like."""
        if self._drawn == len(self._tail):
            return self._drawing
        if not self._due(self._drawn):
            rest = self._tail[self._drawn :].expandtabs(4).strip("\n").split("\n")
            return self._drawing + [row.rstrip() for line in rest for row in chop(line, self._width)]
        lines: list[str] = []
        for block in self._parser.blocks(self._tail, gap=False):
            rows = [] if self._is_context(block) else self._layout.block(block, self._width)
            lines += ["", *rows] if lines and block.gap else rows
        self._drawn = len(self._tail)
        self._drawing = lines
        return lines

    def _due(self, size: int) -> bool:
        """Tell whether it is worth while to parse a tail of which `size` characters have been parsed before."""
        parsed = work(self._tail[:size])
        if parsed < _LARGE or work(self._tail[size : size + AT_ONCE]) * 4 >= parsed:
            return True
        return _BLOCK_END.search(self._tail, size - 2) is not None

    def _interrupt(self) -> list[str]:
        """Return all lines there are; keep only what is needed to go on."""
        if self._thinking:
            self._end_thinking()
        lines = self.advance() + self.live()
        if self._overflow:
            self._overflow.settle(len(self._overflow.live()))
            return lines
        context = self._tail if self._fence else self._table_header() or self._quote_marks()
        self._reset(context, gap=False)
        self._context = context if lines or not self._fence else ""
        self._settled.clear()
        return lines

    def _table_header(self) -> str:
        whole, _, half = self._tail.rpartition("\n")
        blocks = self._parser.blocks(whole, gap=False) if whole.strip() else []
        if blocks and blocks[0].kind == "table_open" and not blocks[0].closed:
            return "\n".join([*blocks[0].lines[:2], half])
        return ""

    def _quote_marks(self) -> str:
        """Return what the line that is not ended stands behind, if it is quoted."""
        marks = _QUOTED.match(self._tail, self._tail.rfind("\n") + 1)
        return marks.group() if marks else ""

    def _end_thinking(self) -> None:
        assert self._thinking is not None
        self._take(self._thinking.close(self._width))
        self._thinking = None
        self._gap = True


def _is_blank(text: str) -> bool:
    """Tell whether nothing of it will be seen."""
    pieces = (text[start : start + IN_PASSING] for start in range(0, len(text), IN_PASSING))
    return not any(clean(piece).strip() for piece in pieces)


def _anywhere(line: str, width: int) -> list[int]:
    return list(accumulate(map(len, chop(line, width)[:-1])))
