"""What a model may write to take over a terminal: two thousand answers of it, drawn on an emulated one.

An answer is made of attacks and of markdown around them, comes in chunks of any size and is now and then paused. On
the screen there is text from before. Read back are the screen, the scrollback and every byte that was written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

import pytest
from wcwidth import wcwidth

from llmterm.render.cells import cell_len
from llmterm.render.drawn import bare
from llmterm.render.markdown import MarkdownRenderer
from llmterm.render.plain import PlainRenderer
from llmterm.render.screen import Screen
from tests.test_screen import Terminal

ATTACKS = [
    # The cursor, the screen, the scrollback, the modes.
    "\x1b[2J", "\x1b[H", "\x1b[3J", "\x1b[99A", "\x1b[1;1H", "\x1b[10F", "\x1b[5d", "\x1bM", "\x1bc", "\x1b7",
    "\x1b8", "\x1b[s",
    "\x1b[u", "\x1b[?1049h", "\x1b[?25l", "\x1b[?7l", "\x1b[2;3r", "\x1b[5L", "\x1b[9M", "\x1b[8m", "\x1b[30;40m",
    "\x1b[?1000h",
    "\x1b(0", "\x1b#8", "\x1b[4h", "\x1b[20h", "\x1b[!p", "\x1b[6n", "\x1b[c", "\x1b[>q", "\x1b[21t", "\x1b[8;1;1t",
    # Titles, links, notes, the clipboard, files.
    "\x1b]0;title\x07", "\x1b]2;title\x1b\\", "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", "\x1b]9;note\x07",
    "\x1b]52;c;ZXZpbA==\x07", "\x1b]777;notify;a;b\x07", "\x1b]1337;File=name=eA==:eA==\x07", "\x1b]4;0;#fff\x1b\\",
    "\x1b]11;?\x07", "\x1b]10;red\x07",
    # Strings without an end, and what is in them.
    "\x1bP$q\"p\x1b\\", "\x1bP1000p", "\x1b_Ga=T;eA==\x1b\\", "\x1b_", "\x1b^x\x1b\\", "\x1bX", "\x1b]", "\x1b[",
    "\x1b",
    # The same in one character.
    "\x9b2J", "\x9b1;1H", "\x9d0;title\x9c", "\x90q\x9c", "\x9f", "\x98", "\x84", "\x85", "\x8d", "\x8e",
    # To go back and write over.
    "\r", "over\rwritten", "secret\b\b\b\b\b\bpublic", "\x7f\x7f", "\x0b", "\x0c", "\x07", "\x0e", "\x00", "\x1a",
    "a\r\nb",
    # To hide, to reverse, to be endless.
    "\u202etxt.exe", "\u2066x\u2069", "\u202d\u202c", "\u200b", "pay\u200dpal", "\u2060", "\ufeff", "\u3164", "\xad",
    "x\U000e0068\U000e0069", "\u2028", "\u2029", "\x85", "\ufff9a\ufffab\ufffb", "Z" + "\u0489\u0334" * 40,
    "\u0301" * 30, "\ud83d", "\udc00", "👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "日本語", "❤\ufe0f", "שלום", "مرحبا",
    "می\u200cخواهم", "e\u0301",
    # What becomes a control only in the parser.
    "&#27;[2J", "&#x1b;]0;t&#7;", "&#155;2J", "&#x202e;", "&#13;", "&#10;", "&#8203;", "&#xfeff;", "&zwj;", "&shy;",
    "&#x301;" * 20,
    "&#xd83d;", "&NewLine;", "&Tab;", "%1b%5d0;t%07",
]  # fmt: skip
AROUND = [
    "{}", "{}", "{} ", "**{}**", "*{}*", "~~{}~~", "`{}`", "# {}\n", "- {}\n", "1. {}\n", "> {}\n", "- [x] {}\n",
    "\n\n{}\n\n",
    "```{}\n", "```python\n{}\n```\n", "    {}\n", "| {} | a |\n|---|---|\n| b | {} |\n", "[{}](http://a.example/)",
    "[a](http://a.example/{})", "[a](<http://a.example/{}>)", '[a](http://a.example "{}")', "![{}]({})",
    "<http://a.example/{}>",
    "[a]: {}\n", "$a_{}$", "$$\n{}\n$$\n", "\\({}\\)", "<b>{}</b>", "<!-- {} -->", "words and {} words ", "\n{}\n",
    "\n---\n{}",
]  # fmt: skip
EARLIER = ["what was here", "before: $ ls", "secret.txt  日本", ""]
COLUMNS, ROWS = 40, 10
PER_BATCH = 100

# All that a screen writes beside text.
OURS = re.compile(
    r"\x1b\[\?2026[hl]|\x1b\[\?25[hl]|\x1b\[[0-9;]*m|\x1b\[\d+[ABC]|\x1b\[\d*[LM]|\x1b\[[JK]|\r\n|\r"
    r"|\x1b\]8;id=[0-9a-f]+;(?:https?://|mailto:)[!-~]{1,2000}\x1b\\|\x1b\]8;;\x1b\\"
)
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff\ud800-\udfff]")


def answer(dice: random.Random) -> str:
    parts = []
    for _ in range(dice.randint(2, 8)):
        form = dice.choice(AROUND)
        parts.append(form.replace("{}", "".join(dice.choices(ATTACKS, k=dice.randint(1, 3)))))
    return "".join(parts)


def cut(text: str, dice: random.Random, largest: int) -> Iterator[str]:
    at = 0
    while at < len(text):
        end = at + dice.randint(1, largest)
        yield text[at:end]
        at = end


def terminal_with_text() -> Terminal:
    terminal = Terminal(COLUMNS, ROWS)
    terminal.write("".join(f"{line}\r\n" for line in EARLIER))
    terminal.writes.clear()
    return terminal


def visible(lines: list[str]) -> list[str]:
    """Return lines without what has no width, and without the blank ones at the end."""
    shown = ["".join(character for character in line if wcwidth(character)).rstrip() for line in lines]
    while shown and not shown[-1]:
        shown.pop()
    return shown


def play(text: str, dice: random.Random, write: Callable[[str], None], *, largest: int = 60) -> list[str]:
    """Stream `text` to the screen, and return the permanent lines."""
    screen = Screen(write=write, size=lambda: (COLUMNS, ROWS), cell_len=cell_len)
    renderer = MarkdownRenderer(
        width=COLUMNS,
        color=dice.random() < 0.9,
        links=dice.random() < 0.7,
        thinking="line" if dice.random() < 0.5 else "full",
    )
    permanent: list[str] = []
    take = renderer.think if dice.random() < 0.1 else renderer.feed
    for chunk in cut(text, dice, largest):
        take(chunk)
        lines = renderer.advance()
        permanent += lines
        live = renderer.live()
        screen.paint(lines, live, ["status"])
        if dice.random() < 0.05:
            gone = max(0, len(live) - ROWS // 2)
            permanent += live[:gone]
            renderer.settle(gone)
            screen.paint(live[:gone], renderer.live(), ["> typed", "status"], (0, 7))
    lines = renderer.advance() + renderer.close()
    screen.paint(lines, [], [])
    screen.clear()
    return permanent + lines


def assert_harmless(written: str) -> None:
    assert not UNSAFE.search(OURS.sub("", written))
    assert terminal_state_is_given_back(written)


def terminal_state_is_given_back(written: str) -> bool:
    """Tell whether styles, links, the cursor and synchronized output end as they began."""
    ends = {"\x1b[?2026": "l", "\x1b[?25": "h"}
    for start, end in ends.items():
        last = written.rpartition(start)
        if last[1] and not last[2].startswith(end):
            return False
    styles = re.findall(r"\x1b\[([0-9;]*)m", written)
    links = re.findall(r"\x1b\]8;([^\x1b]*)\x1b", written)
    return styles[-1:] in ([], ["0"]) and links[-1:] in ([], [";"])


@pytest.mark.parametrize("batch", range(20))
def test_nothing_takes_over_the_terminal(batch: int) -> None:
    """Earlier text stands, the answer is below it as laid out, and only the screen's own sequences are written."""
    for number in range(PER_BATCH):
        dice = random.Random(batch * PER_BATCH + number)
        text = answer(dice)
        terminal = terminal_with_text()

        permanent = play(text, dice, terminal.write)

        assert_harmless("".join(terminal.writes))
        assert visible(terminal.lines()) == visible([*EARLIER, *map(bare, permanent)]), text
        assert terminal.titles == ("", "")
        assert not terminal.cursor_hidden


def test_nothing_takes_over_a_plain_terminal() -> None:
    """Where nothing is ever drawn over, the text comes without controls, and goes only on."""
    for number in range(20 * PER_BATCH):
        dice = random.Random(number)
        text = answer(dice)
        renderer = PlainRenderer()
        pieces: list[str] = []

        for chunk in cut(text, dice, 60):
            (renderer.think if dice.random() < 0.1 else renderer.feed)(chunk)
            pieces += renderer.advance()

        written = "".join(pieces + renderer.close())
        assert not UNSAFE.search(written.replace("\n", "").replace("\t", ""))


HUGE = {
    "a line of a megabyte": "x" * 2**20,
    "words without a line end": "\x1b[2J words " * 90_000,
    "wide characters without a line end": "日本語" * 100_000,
    "marks on one letter": "Z" + "\u0301" * 10_000 + " end",
    "joiners on one letter": "Z" + "\u200d" * 100_000 + " end",
    "entities for marks": "Z" + "&#x301;" * 10_000 + " end",
    "brackets": "[" * 100_000,
    "a line of code": "```\n" + "\x9b1;1H" * 150_000 + "\n```",
    "a row of a table": "| a |\n|---|\n| " + "b | " * 50_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_nothing_is_too_long(text: str) -> None:
    """A line without an end, or a letter under a heap of marks, is drawn in rows like any other."""
    written: list[str] = []

    permanent = play(text, random.Random(1), written.append, largest=20_000)

    assert_harmless("".join(written))
    assert max(cell_len(bare(line)) for line in permanent) <= COLUMNS
    assert max(len(bare(line)) for line in permanent) <= COLUMNS * 9
