"""Markdown that streams, as lines: the same lines however it came, and nothing lost."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wcwidth import wcwidth

from llmterm.render.cells import breaks, cell_len, chop, clusters, wrap
from llmterm.render.drawn import bare
from llmterm.render.markdown import MarkdownRenderer
from llmterm.render.theme import DARK, LIGHT

SGR = re.compile(r"\x1b\[[0-9;]*m")

FRAGMENTS = [
    "\n", "\n\n", " ", "    ", "\t", "\r", "word ", "longer-words-here ", "*", "**", "_", "`", "```", "```python\n",
    "~~~", "~~", "# ", "- ", "* ", "+ ", "1. ", "2) ", "> ", ">", "|", "| a | b |\n", "|---|---|\n", "|-|\n", "---\n",
    "===\n", "[", "](", ")", "](http://x.y \"t\")", "![", "[ref]: http://x\n", "<b>", "<!-- ", "<http://a.b>", "&amp;",
    "&#x202e;", "&#13;", "\\", "日本語、", "👩‍👩‍👧", "❤\ufe0f", "e\u0301", "\x1b[2J", "\x07", "def f():\n", "'''", '"',
    "/*", "#", "$", "$$", "$$\n", "\\(", "\\)", "\\[\n", "\\]",
    "[x] ", "👍🏽", "🇩🇪", "&zwj;", "\u200d", "שלום ", "مرحبا",
]  # fmt: skip


def rule(language: str = "", *, width: int = 80) -> str:
    """Return what stands above or below code."""
    return f"{'─' * (width - 1 - len(language))} {language}" if language else "─" * width


CONSTRUCTS = [
    ("# Title\ntext", ["Title", "", "text"]),
    ("one\ntwo\n\n\n\nthree\n\n", ["one", "two", "", "three"]),
    ("**a** *b* ~~c~~ `d`", ["a b c d"]),
    ("[text](http://x.y/z)", ["text (http://x.y/z)"]),
    ('[text](http://x.y "title")', ['text (http://x.y "title")']),
    ("<http://x.y> <me@x.y>", ["http://x.y me@x.y"]),
    ('![alt](pic.png "title") and ![](b.png)', ['alt (pic.png "title") and (b.png)']),
    ("[ref]: http://x.y\n\nsee [ref]", ["[ref]: http://x.y", "", "see [ref]"]),
    ("a <b>bold</b> <!-- note -->", ["a <b>bold</b> <!-- note -->"]),
    ("<div>\n<p>text</p>\n</div>", ["<div>", "<p>text</p>", "</div>"]),
    ("<div>\n**b**\n</div>", ["<div>", "b", "</div>"]),
    ("- a\n\n  b\n\n  c\nlazy", ["• a", "", "  b", "", "  c", "  lazy"]),
    ("- a\n- b\n  - c\n\n    d\n- e", ["• a", "• b", "  • c", "", "    d", "• e"]),
    ("- [x] a **b**\n- [ ] c\n  d\n\n1. [X] e", ["☑ a b", "☐ c", "  d", "", "1. ☑ e"]),
    ("- [ ]\n- [y] f\n- a [x] g", ["• [ ]", "• [y] f", "• a [x] g"]),
    ("7. a\n8. b\n\n9. c", ["7. a", "8. b", "", "9. c"]),
    ("- a\n\n1. b", ["• a", "", "1. b"]),
    ("> a\n> > b\n>\n> c", ["│ a", "│ │ b", "│", "│ c"]),
    ("a\n\n---\n\nb", ["a", "", "─" * 20, "", "b"]),
    ("```py\nx = 1\n\n\ny\n```", [rule("py"), "x = 1", "", "", "y", rule()]),
    ("  ~~~\n   a\n b\n  ~~~", [rule(), " a", "b", rule()]),
    ("```\nopen\n\n", [rule(), "open", rule()]),
    ("- a\n  ```\n  x\n  ```", ["• a", f"  {rule(width=78)}", "  x", f"  {rule(width=78)}"]),
    ("text\n\n    code\n      more", ["text", "", "    code", "      more"]),
    ("#", ["#"]),
    (">", [">"]),
    ("-", ["•"]),
    ("a\\*b &lt;c&gt; \\<d>", ["a*b <c> <d>"]),
    ("&#x202e;&#12;&#13;x", ["␌␍x"]),
    ("", []),
    (" \n\n \n", []),
]  # fmt: skip

markdown = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)
prose = st.lists(st.text("abcdefgh.,:日本é", min_size=1, max_size=30), min_size=1, max_size=30).map(" ".join)
widths = st.integers(20, 120) | st.integers(1, 20)
STEPS = ("feed", "advance", "live")


def whole(
    text: str, width: int = 80, *, color: bool = True, links: bool = False, whole_code: bool = False
) -> list[str]:
    """Return the lines of a text that comes all at once."""
    renderer = MarkdownRenderer(width=width, color=color, links=links, whole_code=whole_code)
    renderer.feed(text)
    return renderer.close()


def plain(lines: list[str]) -> list[str]:
    return list(map(bare, lines))


@given(
    markdown,
    widths,
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(STEPS)), max_size=12),
    st.booleans(),
    st.booleans(),
)
def test_chunks_and_frames_do_not_matter(
    text: str, width: int, steps: list[tuple[int, str]], color: bool, whole_code: bool
) -> None:
    """However the text was cut and whenever anybody looked, the lines are those of the whole text."""
    renderer = MarkdownRenderer(width=width, color=color, whole_code=whole_code)
    lines: list[str] = []

    at = 0
    for size, step in steps:
        renderer.feed(text[at : at + size])
        at += size
        if step == "advance":
            lines += renderer.advance()
        elif step == "live":
            renderer.live()
    renderer.feed(text[at:])

    assert lines + renderer.advance() + renderer.close() == whole(text, width, color=color, whole_code=whole_code)


@pytest.mark.parametrize("chunks", [1, 7, 500])
def test_finished_line_of_code_is_one_line_where_the_terminal_wraps_it(chunks: int) -> None:
    """While it is written it is rows, and so is a paragraph; code in a list stands in its column."""
    code = "x = " + "1 + " * 30 + "1"
    text = f"```py\n{code}\n\n{code}\n```\n\n- item\n  ```\n  {code}\n  ```\n\n{'word ' * 20}\n"
    renderer, lines, live = MarkdownRenderer(width=40, color=False, whole_code=True), [], []
    for at in range(0, len(text), chunks):
        renderer.feed(text[at : at + chunks])
        lines += renderer.advance()
        live += renderer.live()
    lines += renderer.close()

    assert lines[:5] == [rule("py", width=40), code, "", code, rule(width=40)]
    assert all(cell_len(line) <= 40 for line in (*live, *lines[5:]))


@given(markdown, widths, st.booleans(), st.booleans())
@example("❤\ufe0f\u200d\r", 2, False, False)
def test_lines_are_fit_for_a_terminal(text: str, width: int, color: bool, links: bool) -> None:
    """No line is too wide, ends in white space or contains a control other than SGR; no blank lines at the ends.

    A character of two cells on a terminal of one column cannot be helped. Widths are those that are counted character
    by character, too.
    """
    lines = whole(text, width, color=color, links=links)

    for line in plain(lines):
        assert cell_len(line) <= max(width, 2)
        assert sum(map(wcwidth, line)) <= max(width, 2)
        assert line == line.rstrip()
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", line)
    assert color or links or lines == plain(lines)
    assert not lines or (lines[0] and lines[-1])


@given(markdown, widths)
def test_the_open_block_is_shown_like_the_finished_one(text: str, width: int) -> None:
    """What is live at the end of an answer is what becomes permanent when it closes."""
    text = text.rstrip("\r")  # a return at the end waits for a line feed
    renderer = MarkdownRenderer(width=width)

    renderer.feed(text)
    lines = renderer.advance() + renderer.live()

    shown = [line for line in lines if line]
    final = [line for line in whole(text, width) if line]
    assert final[: len(shown)] == shown
    # Only the end of code that is still open waits, with what may be the beginning of its closing line.
    assert all(set(line) <= set("─`~") for line in plain(final[len(shown) :]))


@given(prose, widths)
def test_no_character_of_prose_is_lost(text: str, width: int) -> None:
    """Everything visible comes out, in order."""
    lines = plain(whole(text, width))

    assert "".join("".join(lines).split()) == "".join(text.split())


@given(prose, widths)
def test_words_stay_whole_where_they_fit(text: str, width: int) -> None:
    """A line is only ever broken between words, or in a word wider than a line, or next to a Han character."""
    for before, after in pairwise(wrap(text, width)):
        last, first = before[-1], after[0]

        word = before.split(" ")[-1] + after.split(" ")[0]
        assert last + " " + first in text or cell_len(word) > width or not (last + first).isascii()


@given(st.text(st.sampled_from("ab 日本。\u0301")), st.integers(2, 20), st.integers(0, 40))
def test_breaks_of_growing_text_stay_but_the_last(text: str, width: int, size: int) -> None:
    """Text that grows at its end moves no break but the last, which is what makes finished rows final."""
    early = breaks(text[:size], width)

    assert breaks(text, width)[: len(early[:-1])] == early[:-1]


@pytest.mark.parametrize(("source", "lines"), CONSTRUCTS)
def test_markdown_becomes_lines(source: str, lines: list[str]) -> None:
    """Each construct is shown for reading, and nothing of it is dropped."""
    assert plain(whole(source)) == lines


@pytest.mark.parametrize("source", [source for source, _ in CONSTRUCTS] + ["\n\n".join(s for s, _ in CONSTRUCTS)])
def test_every_character_may_be_a_chunk_and_a_frame(source: str) -> None:
    """What may still grow is never given out as finished."""
    renderer = MarkdownRenderer(width=40)
    lines: list[str] = []

    for character in source:
        renderer.feed(character)
        lines += renderer.advance()
        renderer.live()

    assert lines + renderer.close() == whole(source, 40)


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (40, ["name           n  mid", "─" * 28, "a bit longer   1   x", "b             22   y",
              "c              3   z   extra"]),
        (24, ["name       n  mid", "─" * 24, "a bit      1   x", "longer", "────────  ──  ───  ─────",
              "b         22   y", "c          3   z   extra"]),
        (14, ["name: a bit", "longer", "n: 1", "mid: x", "", "name: b", "n: 22", "mid: y", "",
              "name: c", "n: 3", "mid: z", "extra"]),
    ],
)  # fmt: skip
def test_tables_keep_every_cell(width: int, lines: list[str]) -> None:
    """Columns are aligned, wrap where they must and become lists where they cannot; extra cells stay."""
    source = "| name | n | mid |\n|---|--:|:-:|\n| a bit longer | 1 | x |\n| b | 22 | y |\n| c | 3 | z | extra |\n"

    assert plain(whole(source, width)) == lines


def test_a_table_that_wraps_uses_all_the_width() -> None:
    """What the columns that fit leave over is shared by those that do not."""
    lines = plain(whole("| a | b |\n|---|---|\n| some words here | more words there |\n", 21))

    assert lines == ["a           b", "─" * 21, "some words  more", "here        words", "            there"]


def test_a_table_breaks_between_words_where_it_can() -> None:
    """The column of short words gives way, and a line stands beside rows of several lines."""
    source = "| asynchronous | b |\n|---|---|\n| x | a b c d e f g h i j |\n| y | k |\n| z | l |\n"

    assert plain(whole(source, 20)) == [
        "asynchronous  b",
        "─" * 20,
        "x             a b c",
        "              d e f",
        "              g h i",
        "              j",
        "────────────  ──────",
        "y             k",
        "z             l",
    ]


def test_a_break_in_a_cell_ends_a_line() -> None:
    """In a cell only, in any spelling, not in code; other HTML is text."""
    source = "| a<br>b | c |\n|---|---|\n| d <BR/> **e** | `<br>` <b>f</b> |\n\ng<br>h"

    lines = plain(whole(source))

    assert lines == ["a  c", "b", "─" * 16, "d  <br> <b>f</b>", "e", "", "g<br>h"]


def test_wrapping_cuts_only_where_it_must() -> None:
    """Words go to the next line whole, if they fit into one; leading white space stays."""
    wrapped = [wrap(text, 8) for text in ("abcdefghijkl", "  abc defgh ij", "", "日本語、日本語", "한국어 텍스트")]

    assert wrapped == [["abcdefgh", "ijkl"], ["  abc", "defgh ij"], [""], ["日本語、", "日本語"], ["한국어", "텍스트"]]


@pytest.mark.parametrize(
    "source",
    [
        "> " * 15 + "deep",
        "- " * 15 + "deep",
        ">" * 300 + "deep",
        "- " * 300 + "deep",
        "*" * 300 + "deep",
        "[" * 3000 + "deep",
    ],
)
def test_nesting_without_end_loses_nothing(source: str) -> None:
    """What the parser gives up on is shown as it was written."""
    lines = plain(whole(source, 20))

    assert "".join("".join(lines).split()).endswith("deep")
    assert max(map(cell_len, lines)) <= 20


def test_without_colour_the_markup_of_emphasis_stays() -> None:
    """Where styles cannot show what is a heading, strong or code, the marks do."""
    lines = whole("## A *b*\n\n**c** ~~d~~ `` e`f ``", color=False)

    assert lines == ["## A *b*", "", "**c** ~~d~~ ``e`f``"]


def test_finished_blocks_come_out_at_once() -> None:
    """A paragraph is finished by a blank line, a heading by its own end; half a line is not enough to tell."""
    renderer = MarkdownRenderer(width=40)

    seen = []
    for chunk in ("# Title\n", "one", "\n", "\n- a\n", "- b\n"):
        renderer.feed(chunk)
        seen.append((plain(renderer.advance()), plain(renderer.live())))

    assert seen == [
        (["Title"], []),
        ([], ["", "one"]),
        ([], ["", "one"]),
        (["", "one"], ["", "• a"]),
        (["", "• a"], ["• b"]),
    ]


def test_finished_lines_of_code_come_out_at_once() -> None:
    """Inside a fence only the line being written is live."""
    renderer = MarkdownRenderer(width=40)

    seen = []
    for chunk in ("```py\nx =", " 1\n", "\ny", "\n```", "\nafter"):
        renderer.feed(chunk)
        seen.append((plain(renderer.advance()), plain(renderer.live())))

    assert seen == [
        ([rule("py", width=40)], ["x ="]),
        (["x = 1"], []),
        ([], ["", "y"]),
        (["", "y"], [rule(width=40)]),
        ([rule(width=40)], ["", "after"]),
    ]


def test_code_is_coloured_in_its_context() -> None:
    """A line inside a string that began lines above is a string, when lines come one by one as well as at once."""
    source = '```python\nx = """one\nreturn\n"""\nreturn 1\n```'
    renderer = MarkdownRenderer(width=80)

    lines: list[str] = []
    for character in source:
        renderer.feed(character)
        renderer.live()
        lines += renderer.advance()
    lines += renderer.close()

    assert lines == whole(source)
    assert plain(lines)[1:-1] == source.split("\n")[1:-1]
    string = "\x1b[38;5;180m{}\x1b[0m"
    assert lines[1:4] == ["x = " + string.format('"""one'), string.format("return"), string.format('"""')]
    assert not lines[4].startswith("\x1b[38;5;180m")


@pytest.mark.parametrize("language", ["", "nonsense", "c", "yaml", "json", "php", "pycon", "html", "ruby"])
def test_code_comes_out_as_it_was_written(language: str) -> None:
    """Whatever the language's lexer is like, colouring changes no character."""
    code = ["/* open", "x: 'y' # z", "", '<?php $a = "b"; ?>', ">>> f(1)", "@#$%^&", "}"]

    lines = whole("\n".join([f"```{language}", *code, "```"]))

    assert plain(lines)[1:-1] == code


def test_code_shows_no_fence_while_it_comes() -> None:
    """What may be the beginning of the closing line is not shown as code; where it was code, it comes with the rest."""
    renderer = MarkdownRenderer(width=40, color=False)
    seen: list[list[str]] = []
    for chunk in ("```py\nx = 1\n", "``", " no", "\n`", "``"):
        renderer.feed(chunk)
        renderer.advance()
        seen.append(renderer.live())

    assert seen == [[], [], ["`` no"], [], [rule(width=40)]]


@pytest.mark.parametrize(
    ("width", "lines"),
    [(30, ["─────────────── python title=1"]), (10, ["python t", "─── itle=1"]), (1, list("pyth"))],
)
def test_all_that_is_said_of_code_is_above_it(width: int, lines: list[str]) -> None:
    """Also where it is longer than the rule that it stands in."""
    assert plain(whole("```python title=1\nx", width))[: len(lines)] == lines


def test_long_lines_of_code_are_cut_at_the_width() -> None:
    """Code is broken anywhere, and its pieces are together the line."""
    code = "value = function_name(argument) + 'another long string'"

    lines = whole(f"```python\n{code}\n```", 20)

    assert "".join(plain(lines)[1:-1]) == code
    assert all(cell_len(line) <= 20 for line in plain(lines))


@given(st.lists(st.sampled_from(["a ", "b\n", "long thought ", "\n\n", " "]), max_size=30), st.data())
def test_thinking_does_not_depend_on_frames(chunks: list[str], data: st.DataObject) -> None:
    """Thinking comes out the same however often anybody looks, and set apart from the text."""
    together, renderer = MarkdownRenderer(width=20), MarkdownRenderer(width=20)
    together.think("".join(chunks))
    together.feed("Text.")

    lines: list[str] = []
    for chunk in chunks:
        renderer.think(chunk)
        if data.draw(st.booleans()):
            lines += renderer.advance()
            renderer.live()
    renderer.feed("Text.")
    lines += renderer.advance() + renderer.close()

    assert lines == together.close()
    assert plain(lines)[-2:] == (["", "Text."] if "".join(chunks).strip() else ["Text."])


def test_thinking_is_dim_and_between_what_is_said() -> None:
    """Thinking in the middle of an answer is a block of its own; the answer goes on below it."""
    renderer = MarkdownRenderer(width=40)

    renderer.feed("Hello")
    renderer.think("hmm **no**\x1b[2J")
    renderer.feed("World")
    lines = renderer.close()

    assert lines == ["Hello", "", "\x1b[2mthinking\x1b[0m", "\x1b[2mhmm **no**␛[2J\x1b[0m", "", "World"]


def test_what_waits_for_its_other_half_comes_out_at_the_end() -> None:
    """A return at the very end is shown, in thinking and in text."""
    thinking, text = MarkdownRenderer(width=40, color=False), MarkdownRenderer(width=40)

    thinking.think("a\r")
    text.feed("a\r")

    assert (thinking.close(), text.close()) == (["thinking", "a␍"], ["a␍"])


def test_thinking_has_single_blank_lines() -> None:
    """Paragraphs of thinking stay apart, by one blank line each."""
    renderer = MarkdownRenderer(width=40, color=False)

    renderer.think("\n one\n\n\ntwo\n\n")

    assert renderer.close() == ["thinking", "one", "", "two"]


def test_settled_lines_are_not_shown_again() -> None:
    """After a pause printed more than the screen holds, only the rest of the block is live, and later permanent."""
    renderer = MarkdownRenderer(width=20)
    renderer.feed("one\ntwo\nthree\nfo")
    settled = renderer.live()[:2]

    renderer.settle(2)
    live = renderer.live()
    renderer.feed("ur\n\nnext")
    lines = renderer.advance()

    assert (settled, live, lines) == (["one", "two"], ["three", "fo"], ["three", "four"])
    assert renderer.close() == ["", "next"]


def test_settled_thinking_is_not_shown_again() -> None:
    """A row of thinking that became permanent half written goes on in a new row, and text is not mistaken for it."""
    renderer = MarkdownRenderer(width=40, color=False)
    renderer.think("one\n\ntwo")
    lines = renderer.advance() + renderer.live()

    renderer.settle(3)
    live = renderer.live()
    renderer.think("three")
    renderer.feed("two")

    assert (lines, live) == (["thinking", "one", "", "two"], [])
    assert renderer.close() == ["three", "", "two"]


def test_settled_lines_that_look_different_now_are_repeated() -> None:
    """When the layout has changed above the settled lines, text is repeated rather than lost."""
    renderer = MarkdownRenderer(width=20, color=False)
    renderer.feed("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n")

    renderer.settle(3)
    renderer.feed("| much wider | 6 |\n\n")

    assert renderer.advance() == ["─" * 13, "1           2", "3           4", "much wider  6"]


@given(prose, st.integers(1, 5), widths)
def test_settling_loses_no_character(text: str, count: int, width: int) -> None:
    """Settled lines and all that comes after them contain everything, also at another width."""
    renderer = MarkdownRenderer(width=20)
    renderer.feed(text[: len(text) // 2])
    settled = renderer.live()[:count]

    renderer.settle(count)
    renderer.resize(width)
    renderer.feed(text[len(text) // 2 :])
    rest = "".join("".join(plain(renderer.close())).split())

    whole_text = "".join(text.split())
    assert whole_text.endswith(rest)
    assert len(rest) + len("".join("".join(plain(settled)).split())) >= len(whole_text)


def test_commit_starts_afresh_below() -> None:
    """After the open block was given up, text goes on without what came before and without a blank line."""
    renderer = MarkdownRenderer(width=40)
    renderer.feed("para\n\n- item one\n- item tw")

    lines = renderer.commit()
    renderer.feed("o more\n\nnext")

    assert plain(lines) == ["para", "", "• item one", "• item tw"]
    assert plain(renderer.close()) == ["o more", "", "next"]


def test_commit_inside_a_fence_goes_on_with_code() -> None:
    """The code goes on in its colours, its last line whole, until the fence is closed."""
    renderer = MarkdownRenderer(width=40)
    renderer.feed("```python\nx = '''\nretu")

    lines = renderer.commit()
    waiting = renderer.live()
    renderer.feed("rn\n'''\n```\nafter")
    rest = renderer.close()

    assert plain(lines) == [rule("python", width=40), "x = '''", "retu"]
    assert waiting == []
    assert plain(rest) == ["return", "'''", rule(width=40), "", "after"]
    assert SGR.findall(rest[0]) == SGR.findall(rest[1])


def test_commit_inside_a_quote_goes_on_with_it() -> None:
    """Down to the level of the line that was cut; behind a line that was whole the next one says itself what it is."""
    renderer = MarkdownRenderer(width=40, color=False)
    renderer.feed("> one\n> > deep and")

    lines = renderer.commit()
    waiting = renderer.live()
    renderer.feed(" deeper\n> > more\n")
    renderer.commit()
    renderer.feed("\nafter")

    assert (lines[-1], waiting) == ("│ │ deep and", [])
    assert renderer.close() == ["after"]


def test_commit_inside_a_quote_shows_the_rest_of_the_line() -> None:
    renderer = MarkdownRenderer(width=40, color=False)
    renderer.feed("> one two")

    renderer.commit()
    renderer.feed(" three\n\nafter")

    assert renderer.close() == ["│ three", "", "after"]


def test_commit_forgets_what_was_settled() -> None:
    """Text after a commit is shown although it looks like what was settled before."""
    renderer = MarkdownRenderer(width=40)
    renderer.feed("one")
    renderer.settle(1)

    lines = renderer.commit()
    renderer.feed("one\ntwo")

    assert (lines, renderer.close()) == ([], ["one", "two"])


def test_commit_at_the_end_of_a_line_of_code_repeats_nothing() -> None:
    """A line of code that was whole is not shown twice, and an equal one after it is."""
    renderer = MarkdownRenderer(width=40, color=False)
    renderer.feed("```\n}")

    lines = renderer.commit()
    renderer.feed("\n}")

    assert (lines, renderer.close()) == ([rule(width=40), "}"], ["}", rule(width=40)])


def test_commit_below_the_last_row_of_a_table_repeats_nothing() -> None:
    """The header is repeated for rows that follow, not for other text."""
    renderer = MarkdownRenderer(width=40, color=False)
    renderer.feed("| a | b |\n|---|---|\n| 1 | 2 |")

    renderer.commit()
    renderer.feed("\n")
    waiting = renderer.live()
    renderer.feed("\nAfter")

    assert waiting == []
    assert renderer.live() == ["After"]
    assert renderer.close() == ["After"]


def test_commit_inside_a_table_repeats_its_header() -> None:
    """A table goes on as one, with the row whole that was being written."""
    renderer = MarkdownRenderer(width=40)
    renderer.feed("| a | b |\n|---|---|\n| 1 | 2 |\n| 3")

    lines = renderer.commit()
    renderer.feed(" | 4 |\n")

    assert plain(lines)[2:] == ["1  2", "3"]
    assert plain(renderer.close()) == ["a  b", "────", "3  4"]


def test_nothing_more_after_commit_shows_nothing_more() -> None:
    """What commit keeps as context is not shown a second time."""
    closed = []
    for source in ("text", "```\ncode", "| a | b |\n|---|---|\n| 1 | 2 |\n"):
        renderer = MarkdownRenderer(width=40)
        renderer.feed(source)
        renderer.commit()
        closed.append(renderer.live() + renderer.advance() + renderer.close())

    assert closed == [[], [], []]


def test_a_new_width_applies_to_what_is_not_permanent() -> None:
    """The open block is laid out for the width that the screen has now."""
    renderer = MarkdownRenderer(width=20)
    renderer.feed("some words that need two lines")
    before = renderer.live()

    renderer.resize(40)

    assert before == ["some words that need", "two lines"]
    assert renderer.live() == ["some words that need two lines"]


def test_an_open_block_is_laid_out_anew_when_it_grows() -> None:
    """Markup counts as soon as it is closed, in the last words as well."""
    renderer = MarkdownRenderer(width=80)
    renderer.feed("Some words that are long enough, and *then")
    early = renderer.live()

    renderer.feed("*")

    assert early == ["Some words that are long enough, and *then"]
    assert renderer.live() == ["Some words that are long enough, and \x1b[3mthen\x1b[0m"]


def test_a_huge_open_block_shows_what_has_come() -> None:
    """A block too large to be laid out for every frame still shows its newest text, and ends up laid out."""
    renderer = MarkdownRenderer(width=80)
    renderer.feed("> **words**\n" * 1000)
    renderer.advance()
    early = renderer.live()
    early_again = renderer.live()

    renderer.feed("> and the *newest*")
    live = renderer.live()
    again = renderer.live()
    renderer.feed("\n\nNext.")
    lines = renderer.advance()

    assert len(live) == len(lines) == 1001
    assert (early, live) == (early_again, again)
    assert live[-1].endswith("and the *newest*")
    assert plain(renderer.live()) == ["", "Next."]


FORMULAS = [
    "so $a_1 * b_1 * c_1$ holds",
    "the $n$th of $\\alpha_{i}^{*}$, and $$x_1 * y_2 * z$$.",
    "see \\(a_1 * b * c_1\\) and \\[x \\\\ y\\]",
    "$$\nf(x) = a\n- b_1\n+ c_2 \\\\\n# d\n$$",
    "\\[\n> x\n===\n\\]",
]


@pytest.mark.parametrize("source", FORMULAS)
@pytest.mark.parametrize("color", [False, True])
def test_formulas_stay_as_they_are_written(source: str, color: bool) -> None:
    """Underscores, asterisks and backslashes of a formula are no markup, nor do its lines begin lists or headings."""
    assert plain(whole(source, color=color)) == source.split("\n")


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("from $5 to *$10* or $20", ["from $5 to $10 or $20"]),
        ("**$HOME** and *$PATH*, `$a` and `$b`", ["$HOME and $PATH, $a and $b"]),
        ("\\$5 _and_ \\$6", ["$5 and $6"]),
        ("$$\nnever closed\n\n- a\n- b", ["$$", "never closed", "", "• a", "• b"]),
        ("text\n$$\na_1\n$$\ntext", ["text", "", "$$", "a_1", "$$", "", "text"]),
        ("- item\n  $$\n  - b\n  $$\n- c", ["• item", "  $$", "  - b", "  $$", "• c"]),
    ],
)
def test_what_only_looks_like_a_formula_is_text(source: str, lines: list[str]) -> None:
    """Amounts, variables of a shell and an unclosed formula do not keep the text around them from being laid out."""
    assert plain(whole(source)) == lines


def opened(lines: list[str]) -> list[str]:
    """Return the targets of all links."""
    return re.findall(r"\x1b\]8;id=[0-9a-f]+;([^\x1b]+)\x1b\\", "".join(lines))


@pytest.mark.parametrize(
    ("source", "shown", "targets"),
    [
        ("[the docs](https://x.org/a_b)", "the docs", ["https://x.org/a_b"]),
        ('[docs](https://x.org "a title")', 'docs ("a title")', ["https://x.org"]),
        ("<https://x.org> <me@x.org>", "https://x.org me@x.org", ["https://x.org", "mailto:me@x.org"]),
        ("![a map](http://x.org/m.png)", "a map (http://x.org/m.png)", ["http://x.org/m.png"]),
        ("[bank.example](https://x.org)", "bank.example (https://x.org)", ["https://x.org"]),
        ("[](https://x.org)", "(https://x.org)", []),
        ("[a](ftp://x/y) [b](ssh://x) [c](relative)", "a (ftp://x/y) b (ssh://x) c (relative)", []),
        ("[a](file:///etc/passwd)", "[a](file:///etc/passwd)", []),
        ("[é](https://x.org/é&#x202e;)", "é", ["https://x.org/%C3%A9%E2%80%AE"]),
    ],
)
def test_links_can_be_opened(source: str, shown: str, targets: list[str]) -> None:
    """A label stands for its target where that can be opened, is harmless, and is not what the label seems to say."""
    lines = whole(source, links=True)

    assert [line.strip() for line in plain(lines)] == [shown]
    assert opened(lines) == targets


def test_an_endless_target_is_shown_and_not_opened() -> None:
    """Terminals do not take addresses of any length."""
    target = "https://x.org/" + "a" * 3000

    lines = whole(f"[label]({target})", links=True)

    assert opened(lines) == []
    assert "".join(plain(lines)) == f"label({target})"


def test_a_link_that_wraps_is_closed_at_each_end() -> None:
    """Each row of a long label is a link by itself, and all are the same."""
    first, second = whole("[a label of two rows](https://x.org)", 12, links=True)

    assert first.startswith("\x1b]8;id=")
    assert first.endswith("\x1b]8;;\x1b\\")
    assert first.split("\x1b\\")[0] == second.split("\x1b\\")[0]
    assert plain([first, second]) == ["a label of", "two rows"]


def test_themes_have_colours_of_their_own() -> None:
    """Code is coloured for the background."""
    renderers = [MarkdownRenderer(width=40, theme=theme) for theme in (DARK, LIGHT)]
    for renderer in renderers:
        renderer.feed("`code`\n\n")

    dark, light = (renderer.advance() for renderer in renderers)

    assert plain(dark) == plain(light) == ["code"]
    assert dark != light


def test_a_thought_is_one_line_when_it_is_over() -> None:
    """While it lasts its last rows are live and nothing is permanent; then one line says how much it was."""
    renderer = MarkdownRenderer(width=40, color=False, thinking="line")
    renderer.think("\n".join(f"row {number}" for number in range(20)))

    during = (renderer.advance(), renderer.live())
    renderer.feed("Yes.")
    after = renderer.advance() + renderer.close()

    assert during == ([], ["thinking", *(f"row {number}" for number in range(14, 20))])
    assert after == ["thought for 40 words", "", "Yes."]
    assert whole_thought("one", 60) == ["thought for 1 word - /thinking shows them"]


@pytest.mark.parametrize(
    ("thinking", "width", "during", "after"),
    [
        ("line", 60, ["thinking, 12 s", "a thought"], ["thought for 15 s, 2 words - /thinking shows them"]),
        ("line", 20, ["thinking, 12 s", "a thought"], ["thought for 15 s"]),
        ("full", 60, ["thinking", "a thought"], ["thinking", "a thought", "thought for 15 s"]),
    ],
)
def test_a_thought_says_how_long_it_takes(
    thinking: Literal["line", "full"], width: int, during: list[str], after: list[str]
) -> None:
    """From its first word to the first of the answer."""
    times = iter([0, 0, 12, 15])
    renderer = MarkdownRenderer(width=width, color=False, thinking=thinking, clock=lambda: next(times))

    renderer.think("a thought")
    shown = renderer.advance() + renderer.live()
    renderer.feed("Yes.")

    assert shown == during
    assert renderer.close() == [*after, "", "Yes."]


@pytest.mark.parametrize(
    ("width", "line"),
    [(60, "thought for 12 words - /thinking shows them"), (20, "thought for 12 words"), (10, "12 words"), (3, "12")],
)
def test_the_line_of_a_thought_fits(width: int, line: str) -> None:
    """Where there is little room less is said."""
    assert [row.rstrip() for row in whole_thought("ten words and two " * 3, width)] == [line]


def whole_thought(text: str, width: int) -> list[str]:
    renderer = MarkdownRenderer(width=width, color=False, thinking="line")
    renderer.think(text)
    return renderer.close()


@given(st.lists(st.sampled_from(["a ", "b\n", "long thought ", "\n\n", " ", "日本", "\t"]), max_size=30), st.data())
def test_a_short_thought_does_not_depend_on_frames(chunks: list[str], data: st.DataObject) -> None:
    """However it came and whenever anybody looked or paused, the same words are counted, in rows that fit."""
    renderer = MarkdownRenderer(width=20, color=False, thinking="line")

    for chunk in chunks:
        renderer.think(chunk)
        if data.draw(st.booleans()):
            assert "".join(renderer.advance()) == ""
            live = renderer.live()
            assert len(live) <= 7
            assert all(cell_len(line) <= 20 for line in live)
            renderer.settle(data.draw(st.integers(0, len(live))))
        if data.draw(st.booleans()):
            renderer.resize(data.draw(st.integers(8, 20)))
    renderer.resize(60)

    assert [line for line in renderer.close() if line] == whole_thought("".join(chunks), 60)


def test_a_pause_in_a_thought_leaves_what_was_shown() -> None:
    """Rows that became permanent are not shown again, and the next begin below them."""
    renderer = MarkdownRenderer(width=40, color=False, thinking="line")
    renderer.think("one\ntwo\nthr")
    renderer.advance()

    renderer.settle(3)
    live = renderer.live()
    renderer.think("ee\nfour")
    renderer.advance()

    assert (live, renderer.live()) == (["thr"], ["three", "four"])


LONG = [
    "words and *more* " * 1000,
    "x" * 20_000 + "\n\nafter",
    "日本語の文" * 4000 + "\nafter",
    "- item " + "[" * 10_000 + "\n- next",
    "```py\n" + "f(x);" * 3000 + "\nx = 1\n```\nafter *it*",
    "- a\n  ```\n  " + "y" * 9_000 + "\n  ```\n- b",
    "| a | b |\n|---|---|\n" + "| some *words* | x |\n" * 2500 + "\nafter",
    "> a quote that goes on\n" * 2000,
    "one\n" * 12_000 + "\n" + "z" * 9_000 + "\n# title\n",
    "```\n" + "code\n" * 9_000 + "```\n\n" + "w " * 6_000,
]


@pytest.mark.parametrize("source", LONG)
@pytest.mark.parametrize("size", [997, 30_011])
def test_no_length_changes_what_comes_out(source: str, size: int) -> None:
    """Lines and blocks that are too long to be laid out at once are cut in the same places however they came."""
    renderer = MarkdownRenderer(width=40)
    lines: list[str] = []

    for start in range(0, len(source), size):
        renderer.feed(source[start : start + size])
        lines += renderer.advance()
        renderer.live()

    assert lines + renderer.close() == whole(source, 40)
    assert all(cell_len(line) <= 40 for line in plain(lines))


@pytest.mark.parametrize("source", ["x" * 20_000, "```\n" + "x" * 20_000])
def test_a_pause_in_a_long_line_repeats_nothing(source: str) -> None:
    """What was given up of a line without end does not come again."""
    renderer = MarkdownRenderer(width=40)
    renderer.feed(source[:15_010])

    lines = renderer.commit()
    renderer.feed(source[15_010:])
    lines += renderer.close()

    assert "".join(plain(lines)).count("x") == 20_000


@given(st.text(st.sampled_from("ab é日本👩🏽🇩🇪\u200d\ufe0f\u0301ᄒ\u1161"), max_size=40), st.integers(2, 12))
def test_what_is_one_character_to_a_reader_stays_whole(text: str, width: int) -> None:
    """Text is cut between characters as they are seen, unless one alone is wider than the row."""
    pieces = chop(text, width)

    assert "".join(pieces) == text
    assert all(cell_len(piece) <= width for piece in pieces)
    ends = {sum(map(len, clusters(text)[:count])) for count in range(len(clusters(text)) + 1)}
    wide = any(cell_len(cluster) > width for cluster in clusters(text))
    assert wide or all(sum(map(len, pieces[:count])) in ends for count in range(len(pieces)))


def test_tables_with_flags_stand_in_columns() -> None:
    """Cells below each other begin in the same column on a terminal that draws a flag as one picture."""
    lines = plain(whole("| a | b |\n|---|---|\n| 🇩🇪 | x |\n| 日本 | y |\n", 40))

    assert lines == ["a     b", "─" * 7, "🇩🇪    x", "日本  y"]


ORDINARY = (
    "## Heading\n\nSome **bold** and `code`, [a link](http://x.y) and *more* words to fill the line.\n\n"
    "- item\n- item **two**\n  - nested\n\n```python\ndef f(x):\n    return x  # text\n```\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n"
)


@pytest.mark.parametrize(
    ("source", "factor"),
    [
        (ORDINARY, 4.4),
        ("- an item with *some* words\n", 4.4),
        ("```python\n" + "x = f(1)  # words\n" * 4000, 4.4),
        ("```c\n/*\n" + "many words\n" * 4000, 5.5),
        ("One **paragraph** that never ends. ", 7),
        ("> A *quote* that never ends\n", 7),
    ],
)
def test_cost_is_linear_in_the_text(source: str, factor: float) -> None:
    """Four times the text, in as many more frames, is about four times the work, counted in calls."""
    source *= 40_000 // len(source) + 1

    small, large = (_calls(source[:size]) for size in (10_000, 40_000))

    assert large <= factor * small


def _calls(text: str) -> int:
    """Return how many function calls it takes to render `text` with a frame every 400 characters."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    renderer = MarkdownRenderer(width=80)
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for start in range(0, len(text), 400):
            renderer.feed(text[start : start + 400])
            renderer.advance()
            renderer.live()
    finally:
        sys.setprofile(before)
    return count


def test_libraries_are_imported_only_when_text_comes() -> None:
    """Importing and making a renderer costs nothing at start-up."""
    code = (
        "import sys; from llmterm.render.markdown import MarkdownRenderer;"
        "r = MarkdownRenderer(width=80); r.advance(), r.live();"
        "print(sorted({'rich', 'markdown_it', 'pygments'} & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_colours_for_code_are_imported_only_when_there_is_code() -> None:
    """Most answers have none, and the library is a large one."""
    code = (
        "import sys; from llmterm.render.markdown import MarkdownRenderer;"
        "r = MarkdownRenderer(width=80); r.feed('some *words*, `some` more\\n\\n'); r.advance();"
        "print('pygments' in sys.modules);"
        "r.feed('```python\\nx = 1\\n'); r.advance();"
        "print('pygments' in sys.modules)"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.split() == ["False", "True"]


def test_a_row_that_was_settled_in_part_goes_on_with_its_next_word() -> None:
    """At another width: what stands above is not shown again, the rest of its row is, in its style and as far in."""
    renderer = MarkdownRenderer(width=40)
    renderer.feed("- one two three four")
    renderer.settle(1)

    renderer.resize(16)
    renderer.feed(" **five six** seven eight")

    assert plain(renderer.live()) == ["  five six", "  seven eight"]
    assert "\x1b[1mfive six" in renderer.live()[0]


def test_a_row_that_was_settled_within_a_word_is_shown_again() -> None:
    """A word is never torn."""
    renderer = MarkdownRenderer(width=40)
    renderer.feed("one two three fo")
    renderer.settle(1)

    renderer.feed("ur five")

    assert renderer.live() == ["one two three four five"]
