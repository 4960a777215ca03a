"""The seam: a corpus of joins, and what is promised of any text, any pause and any way of cutting it into chunks."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmterm.messages import Mode, Rope
from llmterm.seam import LIMIT, Join, Seam
from llmterm.seam.words import cuts_cluster, telling
from tests.seams import BROKEN, CASES, Case

modes = st.sampled_from(["fresh", "prefill", "instruct"])

WORDS = ["the", "fox", "and", "a", "quick", "brown", "jumped", "over", "dog", "Then", "He", "river", "tea", "again"]
PROSE = [*WORDS, " ", " ", " ", " ", ". ", ", ", "\n", "\n\n", "- ", "1. ", "2. ", "## ", "**", "`", '"', ": ", "..."]
CODE = [
    "```python\n",
    "```\n",
    "```",
    "    ",
    "\n",
    "\n",
    "\n    ",
    "def f(x):",
    "return",
    " x",
    "}",
    ");",
    "if x:",
    "==",
]
TABLE = ["| ", " | ", " |\n", "|---|", "---|\n", "name", "12", "x"]
CHINESE = ["从前", "有", "一座山", "，", "。", "\n", "好的", "继续", "：", "AI", " ", "山上"]
MARKS = [
    "👨",
    "\u200d",
    "👩",
    "👧",
    "🇩🇪",
    "🇫🇷",
    "🏽",
    "👍",
    "e",
    "\u0301",
    "\ufe0f",
    "☀",
    " ",
    "שלום",
    "\u200f",
    "مرحبا",
]
SPOKEN = [
    "Sure",
    "Sure, continuing:\n",
    "Certainly! ",
    "Here is the rest",
    ":",
    "...",
    "…",
    "«",
    "»",
    "Continuing",
    " ",
]

alphabets = [PROSE, CODE, TABLE, CHINESE, MARKS, SPOKEN, [*PROSE, *CODE, *TABLE, *SPOKEN]]
texts = st.one_of(
    *(st.lists(st.sampled_from(each), max_size=60).map("".join) for each in alphabets), st.text(max_size=60)
)

# Texts in which no word is there twice, so that nothing but what is said again on purpose is said again.
_numbers = st.permutations(range(100, 200))
unrepeated = st.one_of(
    _numbers.map(lambda each: " ".join(f"{WORDS[number % len(WORDS)]}{number}" for number in each)),
    _numbers.map(lambda each: "```python\n" + "\n".join(f"    name{number} = call{number}(x)" for number in each)),
    _numbers.map(lambda each: "".join(f"- item{number} of {number}\n" for number in each)),
    _numbers.map(lambda each: "\n".join(f"| {number} | cell{number} |" for number in each)),
    _numbers.map(lambda each: "".join(f"从前有{chr(0x5000 + number)}座{chr(0x6000 + number)}山，" for number in each)),
    _numbers.map(
        lambda each: " ".join(f"שלום{number} {chr(0x1F400 + number)}\u200d🦺 عالم{number}" for number in each)
    ),
)
cuts = st.lists(st.integers(0, 1000), max_size=8)


def chunked(text: str, at: list[int]) -> list[str]:
    points = [0, *sorted(cut % (len(text) + 1) for cut in at), len(text)]
    return [text[start:end] for start, end in pairwise(points)]


def run(before: str, chunks: list[str], mode: Mode) -> tuple[str, Seam]:
    """Return what is shown of a continuation that arrives in `chunks`, and the seam afterwards."""
    seam = Seam(Rope.of(before), mode=mode)
    shown = "".join([*map(seam.feed, chunks), seam.release()])
    return shown, seam


def outcome(before: str, chunks: list[str], mode: Mode) -> tuple[str, Join, bool, str]:
    shown, seam = run(before, chunks, mode)
    return shown, seam.join, seam.restarted, seam.held


def says_again(before: str, rest: str) -> bool:
    """Tell whether `rest`, with or without its leading white space, begins with an end of `before`, with or without
    its trailing white space."""
    return any(
        start[:1] and end.endswith(start[:size])
        for end in (before, before.rstrip())
        for start in (rest, rest.lstrip())
        for size in range(1, len(start) + 1)
    )


# The corpus.


def name(case: Case) -> str:
    return case.name


def test_corpus_is_large_and_its_names_differ() -> None:
    """A failing case is found by its name."""
    assert len({case.name for case in CASES}) == len(CASES) >= 220


@pytest.mark.parametrize("case", CASES, ids=name)
def test_join_reads_as_expected(case: Case) -> None:
    """The text is the one expected, and the seam says what it did."""
    shown, seam = run(case.before, [case.sent], case.mode)

    assert (None if seam.restarted else case.before + shown) == case.joined
    assert seam.join.kind == case.kind


@pytest.mark.parametrize("case", CASES, ids=name)
def test_join_in_single_characters_is_the_same(case: Case) -> None:
    """A stream of characters gives what one piece gives."""
    assert outcome(case.before, list(case.sent), case.mode) == outcome(case.before, [case.sent], case.mode)


@given(st.sampled_from(CASES), cuts)
def test_join_of_any_chunks_is_the_same(case: Case, at: list[int]) -> None:
    """A case of the corpus does not depend on where the network cut it."""
    assert outcome(case.before, chunked(case.sent, at), case.mode) == outcome(case.before, [case.sent], case.mode)


# Any text.


@given(texts, texts, modes, cuts)
def test_chunking_makes_no_difference(before: str, sent: str, mode: Mode, at: list[int]) -> None:
    """However a continuation is cut, the same is shown, changed and held."""
    expected = outcome(before, [sent], mode)

    assert outcome(before, chunked(sent, at), mode) == outcome(before, list(sent), mode) == expected


@given(texts, texts, modes, cuts, st.integers(0, 8))
def test_nothing_is_lost_but_what_the_join_says(before: str, sent: str, mode: Mode, at: list[int], early: int) -> None:
    """What was sent is what was cut and what is shown behind what was added; whenever the seam was released."""
    seam = Seam(Rope.of(before), mode=mode)
    shown = ""
    for number, chunk in enumerate(chunked(sent, at)):
        shown += seam.feed(chunk)
        if number == early:
            shown += seam.release()
    shown += seam.release()

    if seam.restarted:
        assert (shown, seam.held) == ("", sent)
    else:
        assert shown.startswith(seam.join.added)
        assert seam.join.cut + shown[len(seam.join.added) :] == sent
        assert (seam.held, seam.holding) == ("", False)


@given(texts, texts)
def test_only_what_was_there_is_cut(before: str, sent: str) -> None:
    """Without a preamble or a fence, what is cut ends the answer already, but for white space; only that is added."""
    _, seam = run(before, [sent], "instruct")
    kinds = seam.join.kind.split("+")

    if "preamble" not in kinds and "fence" not in kinds:
        assert before.rstrip().endswith(seam.join.cut.strip())
    if kinds == ["space"]:
        assert not seam.join.cut.strip()
    assert not seam.join.added.strip()
    assert bool(seam.join.cut or seam.join.added) <= bool(seam.join.kind)


@given(texts, texts, modes, cuts)
def test_little_is_held_back(before: str, sent: str, mode: Mode, at: list[int]) -> None:
    """At no moment are more than 400 characters waiting, and what is held is the end of what has come."""
    seam = Seam(Rope.of(before), mode=mode)
    received = ""
    for chunk in chunked(sent * 12, at):
        seam.feed(chunk)
        received += chunk

        assert seam.restarted or len(seam.held) < LIMIT
        assert received.endswith(seam.held)
        assert seam.holding is (seam.held != "" and not seam.restarted)


@given(texts, texts)
def test_new_answer_passes(before: str, sent: str) -> None:
    """Nothing is done to an answer that was asked for anew."""
    assert outcome(before, [sent], "fresh") == (sent, Join(), False, "")


# Models that do as they are told.


@given(texts, st.lists(st.integers(0, 1000), min_size=1, max_size=5), st.booleans())
def test_literal_continuation_gives_the_text(text: str, pauses: list[int], single: bool) -> None:
    """For any text and any pauses: what a model writes on from the answer without its last white space is the text."""
    points = [0, *sorted(pause % (len(text) + 1) for pause in pauses), len(text)]
    answer = text[: points[1]]
    for start, end in pairwise(points[1:]):
        sent = text[len(answer.rstrip()) : end]
        if not sent.strip():
            sent = text[start:end]  # paused before it got further than the white space
            answer += sent
            continue
        mode: Mode = "prefill" if answer.strip() else "fresh"
        sent = sent if mode == "prefill" else text[len(answer) : end]
        shown, _ = run(answer, list(sent) if single else [sent], mode)
        answer += shown

    assert answer == text


@given(texts, st.integers(0, 1000))
def test_literal_continuation_may_leave_white_space_out(text: str, cut: int) -> None:
    """A model that goes on behind the white space it was not sent gives the text as well, if it goes on with a word."""
    before, rest = text[: cut % (len(text) + 1)], text[cut % (len(text) + 1) :]
    assume(rest and not rest[0].isspace())

    shown, _ = run(before, [rest], "prefill")

    assert before + shown == text


@given(texts, texts)
def test_exact_continuation_loses_nothing(before: str, rest: str) -> None:
    """On instruction too: where the rest neither repeats an end of the answer nor begins with a word about going on,
    nothing is cut, and at most white space is added."""
    assume(not says_again(before, rest) and not rest.lstrip().startswith(tuple("SCH.…«好继`~")))

    shown, seam = run(before, [rest], "instruct")

    if not seam.restarted:
        assert seam.join.cut.strip() == ""
        assert shown.split() == rest.split() or (seam.join.added + rest).split() == shown.split()


@given(unrepeated, st.integers(60, 400), st.integers(8, 300), cuts)
def test_last_characters_again_give_the_text(text: str, pause: int, size: int, at: list[int]) -> None:
    """For any pause, a model that repeats the last 8 to 300 characters gives the text, if three of them say something
    and the first does not belong to the one before it."""
    before, rest = text[:pause], text[pause:]
    again = before[-size:]
    assume(telling(again) >= 3 and not cuts_cluster(before, len(before) - len(again)))

    shown, seam = run(before, chunked(again + rest, at), "instruct")

    assert before + shown == text
    assert seam.join == Join("overlap", again)


@given(unrepeated, st.integers(60, 400))
def test_nothing_again_gives_the_text(text: str, pause: int) -> None:
    """For any pause, a model that repeats nothing gives the text, but for a space where a word may have ended."""
    before, rest = text[:pause], text[pause:]

    shown, seam = run(before, [rest], "instruct")

    assert seam.join.cut.strip(" ") == ""
    assert (seam.join.added + rest).endswith(shown)


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_last_characters_again_give_the_text_of_any_kind(kind: str) -> None:
    """Code, tables, lists and other scripts: so does repeating any number of characters from 12 on, unless it begins
    inside of what is seen as one character."""
    before, rest = BROKEN[kind]
    for size in range(12, len(before) + 1):
        if "\u200d" in before[-size - 1 :][:2] or unicodedata.category(before[-size]).startswith("M"):
            continue
        shown, _ = run(before, [before[-size:] + rest], "instruct")

        assert shown == rest, size


# Holding back, and being told that time is up.


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_exact_continuation_is_shown_soon(kind: str) -> None:
    """A continuation that is none of all this is held back for a word or so."""
    before, rest = BROKEN[kind]
    seam = Seam(Rope.of(before), mode="instruct")
    held = next(count for count, char in enumerate(rest, 1) if seam.feed(char))

    assert held <= 16


def test_release_gives_out_what_is_held() -> None:
    """What looked like an overlap and is none by the end is part of the answer; what comes later passes."""
    seam = Seam(Rope.of("The quick brown fox "), mode="instruct")

    assert (seam.feed("quick"), seam.holding, seam.held) == ("", True, "quick")
    assert (seam.release(), seam.holding, seam.held) == ("quick", False, "")
    assert seam.feed(" brown fox") == " brown fox"
    assert seam.release() == ""


def test_release_decides_with_what_there_is() -> None:
    """An overlap that is whole is dropped, even if nothing has come behind it."""
    seam = Seam(Rope.of("The quick brown fox"), mode="instruct")
    seam.feed("quick brown fox")

    assert seam.release() == ""
    assert seam.join == Join("overlap", "quick brown fox")


def test_release_keeps_owed_white_space_in_mind() -> None:
    """White space that comes in two parts, with a long time between, is not doubled either."""
    seam = Seam(Rope.of("def f():\n    "), mode="prefill")

    shown = seam.feed("\n  ") + seam.release() + seam.feed("  ") + seam.feed("x\n  y")

    assert shown == "x\n  y"
    assert seam.join == Join("space", "\n    ")


def test_release_before_anything_came_changes_nothing() -> None:
    """A stream that ends without text leaves an empty join."""
    assert outcome("The fox", [], "instruct") == ("", Join(), False, "")


def test_restart_gives_out_nothing_and_keeps_all() -> None:
    """What a model says that has started over waits for the user, all of it."""
    before = "Once upon a time there was a king who had three sons and no daughter. The eldest was"
    again = "Once upon a time there was a king who had two sons"
    seam = Seam(Rope.of(before), mode="instruct")

    shown = [*map(seam.feed, again), seam.release(), seam.feed(" and"), seam.feed(" more.")]

    assert "".join(shown) == ""
    assert seam.restarted
    assert (seam.held, seam.holding) == (again + " and more.", False)
    assert seam.join == Join("restart")


@pytest.mark.parametrize("cut", range(0, 130, 7))
def test_beginning_that_was_said_twice_is_no_restart(cut: int) -> None:
    """In whatever pieces the answer has come: it may well be said a third time."""
    line = "Once upon a time there was a king who had three sons.\n"
    before = line + "And more.\n" + line
    seam = Seam(Rope((before[:cut], before[cut:])), mode="instruct")
    seam.feed("Then " + line)

    assert not seam.restarted
    once = Seam(Rope((line[:cut], line[cut:], "And more. " * 3)), mode="instruct")
    once.feed(line * 2)
    assert once.restarted


def test_white_space_without_end_is_not_held_without_end() -> None:
    """A model that got lost in newlines is still joined exactly."""
    before, rest = "The end." + "\n" * 3000, "\n" * 10 + "Or not."

    shown, seam = run(before, list("\n" * 3000 + rest), "prefill")

    assert shown == rest
    assert seam.join.cut == "\n" * 3000


def test_long_streams_pass() -> None:
    """Once it is decided how the texts join, chunks are given out as they are, themselves."""
    seam = Seam(Rope.of("x" * 100_000 + " The fox"), mode="instruct")
    seam.feed(" ran away.")
    chunk = "and on " * 1000

    assert all(seam.feed(chunk) is chunk for _ in range(100))
