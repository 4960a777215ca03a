"""Forty cases of markdown, by the kinds that CommonMark's specification has, and how they look however they stream.

`screens` draws a case as the chat does, in chunks of a given size and a frame after each, and returns the final screen
with its styles; a case is shown alike when all sizes give the same. `counts` is the table of that.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmterm.render.cells import cell_len
from llmterm.render.markdown import MarkdownRenderer
from llmterm.render.screen import Screen
from tests.test_screen import Terminal

WIDTHS = (40, 80, 120)
SIZES = (1, 3, 17, 100_000)
ROWS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    kind: str
    name: str
    source: str


def _cases(kind: str, **sources: str) -> list[Case]:
    return [Case(kind=kind, name=name.replace("_", " "), source=source) for name, source in sources.items()]


CASES = [
    *_cases(
        "headings and rules",
        six_levels="# one\n## two *em*\n### three\n#### four\n##### five\n###### six\n####### no heading\n",
        underlined="First `title`\n===\ntext\nSecond\n---\n",
        closed="## closed ##\n### not closed#\n#\n",
        rules="above\n\n---\n***\n_ _ _\n\nbelow\n",
    ),
    *_cases(
        "paragraphs",
        breaks="one line\nand the next  \nbroken hard\\\nand again\n\nanother paragraph\n",
        long="A paragraph that is long enough to be wrapped on any of the screens it is shown on, because it goes on "
        "and on, **strong in the middle**, and ends only here.\n",
        escapes="\\*not em\\* \\# no heading, &amp; &copy; &#35; and \\\\ a backslash\n",
        html="<div>a *b*</div>\n\ntext <b>bold</b> <!-- note --> end\n",
        wide="日本語の文章は、単語の間に空白がありません。だから、どこでも改行できます。👩‍👩‍👧 🇩🇪 e\u0301\n",
    ),
    *_cases(
        "emphasis and code",
        nested="*em **strong em** em* and **strong *both* strong**\n",
        unclosed="*never closed, **nor this, and `not this\n",
        underscores="snake_case_name _em_ __strong__ intra__word__no\n",
        struck="~~gone~~ and ~single~ and **~~both~~**\n",
        spans="`code` ``with ` tick`` `*no em*` and ` spaces `\n",
    ),
    *_cases(
        "lists",
        bullets="- one\n- two\n  continued\n- three\n\n* another\n+ third\n",
        numbers="3. three\n4. four\n5. five\n\n1) other\n2) kind\n",
        nested="- a\n  - b\n    1. c\n    2. d\n  - e\n- f\n",
        loose="- one\n\n  second paragraph\n\n- two\n\n      code in it\n",
        tasks="- [x] done\n- [ ] open with `code`\n- [y] neither\n1. [X] numbered\n",
        with_blocks="1. step\n   ```sh\n   ls -l\n   ```\n2. > quoted\n   > twice\n3. end\n",
    ),
    *_cases(
        "quotes",
        lazy="> quoted text\nthat goes on\n\nnot quoted\n",
        nested="> one\n>> two\n>>> three\n>\n> back\n",
        with_blocks="> # title\n> - a\n> - b\n>\n> ```\n> code\n> ```\n",
        two="> first\n\n> second\n",
    ),
    *_cases(
        "code blocks",
        python='```python\ndef f(x: int) -> str:\n    """Doc\n    string."""\n    return f"{x}"  # why\n```\n',
        tildes="~~~\n``` inside\n~~~\n",
        unclosed="```js\nlet a = `one\ntwo`;\n\n",
        indented="text\n\n    indented\n      more\n\ntext\n",
        long="```\na line of code longer than the narrowest of the screens it is shown on, and so cut\n```\nafter\n",
        unknown="```whatever-this-is\n* no list\n# no heading\n```\n",
    ),
    *_cases(
        "tables",
        aligned="| left | mid | right |\n|:--|:-:|--:|\n| a | b | c |\n| longer | x | 1 |\n",
        ragged="| a | b |\n|---|---|\n| one |\n| 1 | 2 | 3 |\n\nafter\n",
        wide="| name | what it is for | and a long remark |\n|---|---|---|\n| `put` | to wait until there is room in | "
        "so does everything above it |\n| 日本語 | 漢字とかな | e\u0301 |\n",
        marked="a | b\n--|--\n**s** | [l](http://x.example)\n`x\\|y` | *e*\n",
    ),
    *_cases(
        "links",
        inline='[text](http://a.example/path "title") and [*em*](<http://b.example/x y>)\n',
        automatic="<http://a.example> <me@a.example> http://bare.example\n",
        images="![alt](http://a.example/i.png) and ![](x.png)\n",
        references="[text][ref] and [ref]\n\n[ref]: http://a.example\n",
    ),
    *_cases(
        "formulas",
        inline="so $a_1 * b_1 * c_1$ and \\(x_2 * y * z\\), for $5 and $6\n",
        displayed="text\n$$\n- a_1\n+ b_2 \\\\\n$$\nand \\[ c_3 * d \\] end\n",
    ),
]


def screens(case: Case, width: int, size: int) -> list[list[object]]:
    """Return the cells of the final screen, with their styles."""
    terminal = Terminal(width, ROWS)
    screen = Screen(write=terminal.write, size=terminal.size, cell_len=cell_len)
    renderer = MarkdownRenderer(width=width, links=True)
    for start in range(0, len(case.source), size):
        renderer.feed(case.source[start : start + size])
        screen.paint(renderer.advance(), renderer.live(), ["streaming"])
    screen.paint([*renderer.advance(), *renderer.close()], [], [])
    return terminal.cells


def is_alike(case: Case, width: int) -> bool:
    """Tell whether the final screen is the same whatever the size of the chunks."""
    first, *others = (screens(case, width, size) for size in SIZES)
    return all(other == first for other in others)


def counts() -> dict[str, dict[int, tuple[int, int]]]:
    """Return, for each kind and width, how many cases are alike, of how many."""
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for case in CASES:
        row = found.setdefault(case.kind, dict.fromkeys(WIDTHS, (0, 0)))
        for width in WIDTHS:
            alike, of = row[width]
            row[width] = (alike + is_alike(case, width), of + 1)
    return found
