"""How an answer begins, as a list shows it: a line of plain words."""

from __future__ import annotations

from collections.abc import Iterator

from llmterm.render.blocks import Block, Parser, Tokens


def first_line(source: str) -> str:
    """Return the first line of markdown that says something, without its marks; as it is written where none does."""
    parser = Parser()
    lines = (line.strip() for block in parser.blocks(source, gap=False) for line in _lines(parser, block))
    written = map(str.strip, source.split("\n"))
    return next(filter(_says_something, lines), "") or next(filter(None, written), "")


def _says_something(line: str) -> bool:
    return any(map(str.isalnum, line))


def _lines(parser: Parser, block: Block) -> Iterator[str]:
    if block.kind == "table_open":
        yield "  ".join(_words(parser.inline(token.content)) for token in _head(block.tokens))
        return
    for token in block.tokens:
        text = _words(parser.inline(token.content)) if token.type == "inline" else token.content
        yield from text.split("\n")


def _head(tokens: Tokens) -> Tokens:
    """Return what the cells of a table's first row say."""
    end = next(index for index, token in enumerate(tokens) if token.type == "thead_close")
    return [token for token in tokens[:end] if token.type == "inline"]


def _words(tokens: Tokens) -> str:
    return "".join("\n" if token.type in ("softbreak", "hardbreak") else token.content for token in tokens)
