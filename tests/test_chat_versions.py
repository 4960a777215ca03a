"""Asked again and otherwise: what there is besides, and the way there, in a terminal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.render.excerpt import first_line
from llmterm.sessions.versions import forks_of, neighbour
from tests.chatting import Conversation, Open, opened
from tests.test_chat_prompt import configured
from tests.wire import Exchange, Script, say

PROMPT = r"\n>(\n(?!.*SPACE pause).*)?$"
LEFT, RIGHT = "\x1b[1;3D", "\x1b[1;3C"


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path, columns=200, rows=60)


def numbered() -> Script:
    """Answer with what was asked, and how often something was."""
    count = 0

    async def script(exchange: Exchange) -> None:
        nonlocal count
        count += 1
        await say(f"{exchange.body['messages'][-1]['content']} {count}.")(exchange)

    return script


def said(chat: Conversation) -> list[str]:
    return [message["text"] for message in chat.messages()]


def test_versions_are_listed_and_switched(open_chat: Open) -> None:
    """Of answers and questions; the path below comes along, the line below says which it is, and nothing is lost."""
    with open_chat(numbered(), columns=100, rows=40) as chat:
        program = chat.program
        chat.ask("/versions")
        program.wait_for(r"there are no other versions \(/retry and /edit make some\)")
        chat.ask("one")
        program.wait_for(r"one 1\.\n+>")
        chat.ask("/retry")
        program.wait_for(r"one 2\.\n+>\n.*version 2 of 2")
        chat.ask("two")
        program.wait_for(r"two 3\.\n+>\n.*version 2 of 2 of question 1")
        program.send(LEFT)
        # The question is above already: what comes is the other answer, and which it is.
        program.wait_for(r"two 3\.\n+answer to question 1, version 1 of 2\n+one 1\.\n+>\n.*version 1 of 2 -")
        assert said(chat) == ["one", "one 1."]

        program.send(RIGHT)
        program.wait_for(
            r"question 1, version 2 of 2\n+1 earlier message: .*\n+> two\n+two 3\.\n+>\n.*version 2 of 2 of question 1"
        )
        assert said(chat) == ["one", "one 2.", "two", "two 3."]
        program.send(RIGHT)
        program.wait_for(r"there is no next version")

        chat.ask("/edit")
        program.wait_for(r"> two\n.*edits the last")
        program.send(" more\r")
        program.wait_for(r"two more 4\.\n+>\n.*version 2 of 2 -")
        chat.ask("/versions")
        program.wait_for(
            r"question 2\n +1  two *\n\* +2  two more *\n"
            r"answer to question 1\n +3  openai/test  one 1\. *\n\* +4  openai/test  one 2\. *\n"
        )
        chat.ask("/versions 3")
        program.wait_for(r"one 1\.\n+>\n.*version 1 of 2 -")
        chat.ask("/versions 9")
        program.wait_for(r"there is no version '9' \(there are 2: /versions lists them\)")
        chat.ask("/versions 1")
        program.wait_for("this is that version")
        # On a line with something in it the keys move by words.
        program.send(f"a b{LEFT}c")
        program.wait_for(r"> a cb\n")
        program.send("\x15\x0b")
        program.wait_for(PROMPT)
        program.send("\x04")
        assert program.exit_code == 0


def test_each_version_is_one_line_of_plain_words(open_chat: Open) -> None:
    """However narrow the window and wide the characters; a question is shown as it was typed."""
    answers = iter(
        ["# **One** `code`\n\nbody", "- 世界" + "您好" * 40, "---\n\n> See [this](http://x.example) *now*\nand"]
    )

    async def script(exchange: Exchange) -> None:
        await say(next(answers))(exchange)

    with open_chat(script, "--model", "a-model-with-a-very-long-name", columns=60, rows=40) as chat:
        program = chat.program
        chat.ask("why *one*?")
        program.wait_for(r"body\n+>")
        chat.ask("/retry")
        program.wait_for(r"version 2 of 2")
        chat.ask("/edit")
        program.wait_for(r"> why \*one\*\?\n.*edits the last")
        program.send("\x15__two__?\r")
        program.wait_for(r"and\n+>\n.*version 2 of 2")
        program.send(LEFT)
        program.wait_for(r"version 2 of 2 of|version 2 of 2 -")
        chat.ask("/versions")
        program.wait_for(r"(?s)question 1\n.*question 1\n.*" + PROMPT)
        listed = program.lines[program.lines.index("> /versions") + 1 :][:6]
        program.send("\x04")

    assert listed == [
        "answer to question 1",
        "   1  openai/a-model-with…  One code",
        "*  2  openai/a-model-with…  世界您好您好您好您好您好您好您…",
        "question 1",
        "*  3  why *one*?",
        "   4  __two__?",
    ]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("1. [ ] *buy* ~~milk~~\n2. x", "[ ] buy milk"),
        ("```python\n\nprint(1)\n```", "print(1)"),
        ("| **a** | b |\n|--|--|\n| 1 | 2 |", "a  b"),
        ("$$\nx_1 * x_2\n$$\n", "x_1 * x_2"),
        ("a *b*\\\nc", "a b"),
        ("***\n", "***"),
        ("\n\n👍", "👍"),
        (">" * 70 + " deep", ">" * 70 + " deep"),
        ("", ""),
    ],
)
def test_an_excerpt_is_the_first_line_that_says_something(source: str, line: str) -> None:
    assert first_line(source) == line


@given(st.text())
def test_an_excerpt_is_one_line_and_says_something_where_the_text_does(source: str) -> None:
    line = first_line(source)

    assert "\n" not in line
    assert bool(line) == bool(source.strip())


def test_what_is_taken_back_can_be_had_again(open_chat: Open, tmp_path: Path) -> None:
    """By the keys, which can be others, step by step; the next question is asked beside it."""
    with open_chat(numbered(), **configured(tmp_path, '[keys]\nprevious = "alt-j"\nnext = "Alt-K"\n')) as chat:
        program = chat.program
        chat.ask("one")
        program.wait_for(r"one 1\.\n+>")
        chat.ask("two")
        program.wait_for(r"two 2\.\n+>")
        chat.ask("/undo")
        program.wait_for(r"taken back: two\n+>\n.*/versions has what was taken back")
        chat.ask("/undo")
        program.wait_for(r"taken back: one\n+>\n.*/versions has what was taken back")
        assert said(chat) == []

        program.send("\x1bk")
        program.wait_for(r"\nquestion 1\n+> one\n+one 1\.\n+>\n.*/versions has what was taken back")
        chat.ask("other")
        program.wait_for(r"other 3\.\n+>\n.*version 2 of 2")
        program.send("\x1bj")
        program.wait_for(r"two 2\.\n+>\n.*version 1 of 2")
        assert said(chat) == ["one", "one 1.", "two", "two 2."]
        chat.ask("/keys")
        program.wait_for(r"Alt-J, Alt-K +what was asked or answered otherwise")
        program.send("\x04")
        assert program.exit_code == 0

    with open_chat(numbered(), "--continue") as chat:
        chat.program.wait_for(r"two 2\.\n+>\n.*version 1 of 2")
        chat.program.send("\x04")


def test_a_plain_chat_says_which_version_it_is(open_chat: Open) -> None:
    """There is no line below its prompt."""
    with open_chat(numbered(), "--plain") as chat:
        chat.ask("one")
        chat.program.wait_for(r"one 1\.\n+>")
        chat.ask("/retry")
        chat.program.wait_for(r"one 2\.\n+>")
        chat.program.send(LEFT)
        chat.program.wait_for(r"question 1, version 1 of 2\n+one 1\.\n+>")
        chat.program.send("\x04")


# Places


TREES = st.lists(st.integers(0, 6), min_size=1, max_size=12)


def grown(parents: list[int]) -> dict[int, tuple[int, ...]]:
    """Return a tree of rows 1, 2, ... by what they follow: each one before it, or nothing."""
    children: dict[int, tuple[int, ...]] = {}
    for row, choice in enumerate(parents, 1):
        parent = choice % row
        children[parent] = (*children.get(parent, ()), row)
    return children


def path_through(children: dict[int, tuple[int, ...]], row: int, last: dict[int, int]) -> list[int]:
    above = {child: parent for parent, below in children.items() for child in below}
    path = [row]
    while above[path[0]]:
        path.insert(0, above[path[0]])
    while path[-1] in children:
        path.append(last.get(path[-1], children[path[-1]][-1]))
    last.update(zip([0, *path], path, strict=False))
    return path


@given(parents=TREES, start=st.integers(1, 12))
def test_by_going_on_one_way_all_versions_are_seen(parents: list[int], start: int) -> None:
    """From the last to the first, and back again in the opposite order."""
    children = grown(parents)
    beside = {parent: rows for parent, rows in children.items() if len(rows) > 1}
    last: dict[int, int] = {}
    path = path_through(children, 1 + start % len(parents), last)
    seen: list[list[int]] = []
    for step in (1, -1, 1):
        seen.append([path[-1]])
        while (row := neighbour(forks_of(path, beside, int), step)) is not None:
            path = path_through(children, row, last)
            seen[-1].append(path[-1])
    leaves = [row for row in range(1, len(parents) + 1) if row not in children]

    assert sorted(seen[1]) == leaves
    assert seen[2] == seen[1][::-1]


@pytest.mark.parametrize(
    ("path", "beside", "places"),
    [
        ([], {}, []),
        ([], {0: (4,)}, [(0, None)]),
        ([1, 2], {0: (1, 5), 1: (2, 3)}, [(1, 0), (0, 0)]),
        ([1, 2], {2: (3,), 0: (1, 4)}, [(2, None), (0, 0)]),
        ([1, 0], {0: (1, 4), 1: (7, 8)}, [(0, 0)]),
    ],
)
def test_the_last_place_comes_first(
    path: list[int], beside: dict[int, tuple[int, ...]], places: list[tuple[int, int | None]]
) -> None:
    """Also the one after the end; what has no row stands beside nothing."""
    assert [(fork.at, fork.current) for fork in forks_of(path, beside, int)] == places
