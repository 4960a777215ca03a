"""Code, a line at a time: coloured when its line is finished, and never looked at again.

A line's colours depend on what stands before it: a comment, a string that is still open. Pygments only colours whole
texts, and doing that once per line costs the square of the length. So `Highlighter` keeps where the lexer stood after
the last line and goes on from there: linear, and the same colours however the text was cut into chunks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, TypeAlias

from pygments.lexer import ExtendedRegexLexer, LexerContext, RegexLexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Error, Token, Whitespace, string_to_tokentype
from pygments.util import ClassNotFound
from rich.style import Style

from llmterm.render.cells import cell_len, chop
from llmterm.render.sanitize import clean
from llmterm.render.styled import cut, paint
from llmterm.render.theme import Theme

# A token still open after so many characters (a long comment) is given up as it stands.
_OPEN_TOKEN = 4_000
# A longer line is data, not something to read in colours.
_LONG_LINE = 1_000
_TAB = 4
_PLAIN = Style.null()
# Above and below code.
_RULE = "─"

_Pieces: TypeAlias = list[tuple[str, Any]]


class Fence:
    """A fenced code block that grows, as the lines it becomes: between two rules, with its language in the upper one.

    Nothing stands beside the code, so that what is selected with a mouse is code and nothing else.
    """

    def __init__(self, *, markup: str, info: str, indent: int, palette: Palette | None) -> None:
        """`markup` is the opening run of back-ticks or tildes; `indent` the spaces before it."""
        self._indent = indent
        self._info = info
        self._markup = markup
        self._closer = re.compile(rf" {{0,3}}{re.escape(markup)}{re.escape(markup[0])}*[ \t]*")
        self._palette = palette
        self._highlighter = Highlighter(info) if palette else None
        self._blank = 0

    def closes(self, line: str) -> bool:
        return self._closer.fullmatch(line) is not None

    def head(self, width: int) -> list[str]:
        """Return the lines above the code."""
        *full, last = chop(_tidy(clean(self._info).strip()), max(1, width - len("─ ")))
        room = max(0, width - cell_len(last) - 1) if last else width
        return [*map(self._faint, full), self._faint(f"{_RULE * room} {last}" if room else last)]

    def add(self, line: str, width: int | None) -> list[str]:
        """Return the lines for the next line of code, one without a `width`; blank ones come with what follows them."""
        rows = self._lines(self._bare(line), width, keep=True)
        if not any(rows):
            self._blank += 1
            return []
        return [*self._take_blank(), *rows]

    def peek(self, line: str, width: int) -> list[str]:
        """Return the lines for the next line, which is not blank, as it stands."""
        if self.closes(line):
            return [""] * self._blank + self.foot(width)
        if self._markup.startswith(line.strip()):
            return []  # as far as it has come, it may be the closing line
        return [""] * self._blank + self._lines(self._bare(line), width, keep=False)

    def close(self, width: int) -> list[str]:
        """Return the lines below the code."""
        return [*self._take_blank(), *self.foot(width)]

    def foot(self, width: int) -> list[str]:
        """Return the line below code that is not closed."""
        return [self._faint(_RULE * width)]

    def _faint(self, row: str) -> str:
        return paint([(row, self._palette.faint if self._palette else _PLAIN)])

    def _take_blank(self) -> list[str]:
        blank, self._blank = self._blank, 0
        return [""] * blank

    def _bare(self, line: str) -> str:
        start = min(self._indent, len(line) - len(line.lstrip(" ")))
        return _tidy(line[start:])

    def _lines(self, line: str, width: int | None, *, keep: bool) -> list[str]:
        parts = [line] if width is None else chop(line, width)
        if self._highlighter is None or self._palette is None:
            return [part.rstrip() for part in parts]
        runs = [(text, self._palette.style(text, token)) for text, token in self._highlighter.line(line, keep=keep)]
        return [paint(row) for row in cut(runs, accumulate(map(len, parts[:-1])))]


class Palette:
    """A theme's styles for the tokens of code."""

    def __init__(self, theme: Theme) -> None:
        self.faint = Style.parse(theme.faint)
        self._styles = {string_to_tokentype(kind): Style.parse(style) for kind, style in theme.syntax}

    def style(self, text: str, token: Any) -> Style:
        """Return the style of the nearest kind of token that has one."""
        if text.isspace():
            return Style.null()
        while token not in self._styles and token.parent is not None:
            token = token.parent
        return self._styles.get(token, _PLAIN)


class Highlighter:
    """The tokens of a program's lines; for a language it does not know, one token a line."""

    def __init__(self, info: str) -> None:
        self._lexer = _lexer(info)
        self._resumes = isinstance(self._lexer, RegexLexer) and not isinstance(self._lexer, ExtendedRegexLexer)
        # The source from the line on in which the last token began that reached the end, and the place and state there.
        self._held = ""
        self._pos = 0
        self._stack = ["root"]

    def line(self, line: str, *, keep: bool) -> _Pieces:
        """Return the (text, token) pairs of the next line; without `keep` it may still grow."""
        if self._lexer is None or len(line) > _LONG_LINE:
            return [(line, Token)]
        try:
            tokens = self._resume(line, keep) if self._resumes else self._lexer.get_tokens_unprocessed(line)
            return _fill(line, tokens)
        except Exception:  # a fault in one of some 500 lexers, met by text that a model wrote: the code matters more
            self._lexer = None
            return [(line, Token)]

    def _resume(self, line: str, keep: bool) -> list[tuple[int, Any, str]]:
        """Do what `RegexLexer.get_tokens_unprocessed` does, from where the last line left off.

        Pygments can be given a state to start in but does not tell the state it ended in: hence this loop.
        """
        context = LexerContext(self._held + line + "\n", self._pos, list(self._stack))
        text, start = context.text, len(self._held)
        tokens: list[tuple[int, Any, str]] = []
        mark = (context.pos, list(context.stack))
        while context.pos < len(text):
            before = (context.pos, list(context.stack))
            tokens += [(at - start, token, value) for at, token, value in self._step(context)]
            if before[0] < context.pos == len(text):
                mark = before
        if keep:
            if len(text) - mark[0] > _OPEN_TOKEN:
                mark = (len(text), list(context.stack))
            begin = text.rfind("\n", 0, mark[0]) + 1
            self._held, self._pos, self._stack = text[begin:], mark[0] - begin, mark[1]
        return tokens

    def _step(self, context: Any) -> list[tuple[int, Any, str]]:
        """Match one rule at the context's place and move on behind it."""
        for match_at, action, state in self._lexer._tokens[context.stack[-1]]:
            match = match_at(context.text, context.pos)
            if match is None:
                continue
            at, context.pos = context.pos, match.end()
            if state is not None:
                _enter(context.stack, state)
            if action is None:
                return []
            return list(action(self._lexer, match)) if callable(action) else [(at, action, match.group())]
        at, context.pos = context.pos, context.pos + 1
        if context.text[at] == "\n":
            context.stack = ["root"]
            return [(at, Whitespace, "\n")]
        return [(at, Error, context.text[at])]


def _enter(stack: list[str], state: Any) -> None:
    """Apply a rule's new state, which pygments writes as a count to drop, a name or several."""
    if isinstance(state, int):
        del stack[max(1, len(stack) - abs(state)) :]
        return
    for name in (state,) if isinstance(state, str) else state:
        if name == "#push":
            stack.append(stack[-1])
        elif name != "#pop":
            stack.append(name)
        elif len(stack) > 1:
            stack.pop()


def _lexer(info: str) -> Any:
    words = info.split()
    try:
        return get_lexer_by_name(words[0].lower()) if words else None
    except ClassNotFound:
        return None


def _fill(line: str, tokens: Iterable[tuple[int, Any, str]]) -> _Pieces:
    """Make tokens into pieces that are together exactly `line`: a lexer may skip text, repeat it or overrun."""
    pieces: _Pieces = []
    done = 0
    for at, token, text in tokens:
        end = min(at + len(text), len(line))
        if end <= done:
            continue
        if at > done:
            pieces.append((line[done:at], Token))
        pieces.append((line[max(at, done) : end], token))
        done = end
    if done < len(line):
        pieces.append((line[done:], Token))
    return pieces


def _tidy(line: str) -> str:
    return line.rstrip().expandtabs(_TAB)
