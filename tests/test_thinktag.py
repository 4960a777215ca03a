"""Thinking at the beginning of the text is told from the text, over any chunking and over a pause."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.conversation import Conversation
from llmterm.messages import Continuation, EndReason, Finished, TextDelta
from llmterm.thinktag import ThinkTag
from llmterm.turn import Turn, TurnState
from tests.reading import heard
from tests.scripted import ScriptedProvider


def cut(text: str, points: Sequence[int]) -> list[str]:
    """Return `text` in pieces."""
    at = [0, *sorted(point % (len(text) + 1) for point in points), len(text)]
    return [text[start:end] for start, end in pairwise(at)]


def divided(pieces: Sequence[str]) -> tuple[str, str]:
    tag = ThinkTag()
    parts = [*(tag.feed(piece) for piece in pieces), tag.close()]
    return "".join(thinking for thinking, _ in parts), "".join(text for _, text in parts)


def text_of(after: str) -> str:
    """Return what is left of the text behind a tag: white space to the end of a line goes with it."""
    gap = after[: len(after) - len(after.lstrip())]
    return after[gap.rfind("\n") + 1 :] if after.strip() else ""


cuts = st.lists(st.integers(0, 200), max_size=12)
words = st.text(alphabet="ab <>/think\n", max_size=20)


@pytest.mark.parametrize(
    ("said", "thinking", "text"),
    [
        ("<think>hm</think>so", "hm", "so"),
        ("<think>\nhm, m\n</think>\n\nso\n", "hm, m", "so\n"),
        (" \n<think>hm</think> so", "hm", " so"),
        ("<think></think>so", "", "so"),
        ("<think>a</think><think>b</think>c", "a", "<think>b</think>c"),
        ("<think>a < b </thin </think>c", "a < b </thin", "c"),
        ("<think>for ever", "for ever", ""),
        ("<think>for ever </thi", "for ever </thi", ""),
        ("so <think>hm</think>", "", "so <think>hm</think>"),
        ("`<think>` is a tag", "", "`<think>` is a tag"),
        ("<thinking>hm", "", "<thinking>hm"),
        ("  <thi", "", "  <thi"),
        (" \n so", "", " \n so"),
        ("hm</think>so", "", "hm</think>so"),
        ("", "", ""),
    ],
)
@given(points=cuts)
def test_only_what_stands_at_the_beginning_is_thinking(said: str, thinking: str, text: str, points: list[int]) -> None:
    """Whatever the chunks are."""
    assert divided(cut(said, points)) == (thinking, text)


def test_white_space_without_end_is_not_held_back() -> None:
    """Nor looked at again and again."""
    for before in ("", "<think>hm", "<think>hm</think>"):
        tag = ThinkTag()
        tag.feed(before)

        assert sum(len(part) for _ in range(5_000) for part in tag.feed("\n")) >= 4_000 - 1_000


@given(words, words, st.sampled_from(["", "<think>", " <think>", "<think>\n"]), st.sampled_from(["", "</think>"]), cuts)
def test_no_character_is_lost_or_moved(one: str, other: str, begin: str, end: str, points: list[int]) -> None:
    """But for the tags, and for white space around them."""
    said = begin + one + end + other

    thinking, text = divided(cut(said, points))

    whole = said.lstrip()
    if whole.startswith("<think>"):
        before, _, after = whole.removeprefix("<think>").partition("</think>")
        assert (thinking.strip(), text) == (before.strip(), text_of(after))
    else:
        assert (thinking, text) == ("", said)


async def paused_at(point: int, mode: Continuation, first: str, rest: str) -> Turn:
    """Return the turn of an answer that was paused after `point` characters, and gone on with.

    `first` is the whole of it, `rest` what comes after an instruction.
    """
    provider = ScriptedProvider(mode)
    turn = Turn(provider, Conversation().ask("q").request(model="m"), seam_seconds=0.0)
    turn.start()
    await provider.opened.wait()
    provider.stream.put(TextDelta(first[:point]))
    await turn.pause()  # what has been received by then is taken in
    provider.opened.clear()
    blank = not turn.reply.text.strip()
    turn.resume()
    await provider.opened.wait()
    provider.stream.put(TextDelta(first if blank else rest if mode == "instruct" else first[point:]))
    provider.stream.put(Finished(EndReason.STOP))
    async for _ in heard(turn):
        pass
    assert turn.state is TurnState.DONE
    return turn


@pytest.mark.parametrize("mode", ["prefill", "instruct"])
async def test_pause_at_any_character_leaves_the_text_as_it_is(mode: Continuation) -> None:
    """Within a tag, within the thinking, behind it: nothing of the thinking gets into the text, nor a tag."""
    answer = "<think>Let me see.</think>\n\nThe tag is called <think> in all of them."
    text = answer.partition("\n\n")[2]
    for point in range(1, len(answer)):
        said = answer[:point].partition("</think>")[2].lstrip()
        turn = await paused_at(point, mode, answer, f"<think>Where was I?</think>\n\n{text[len(said) :]}")

        assert turn.reply.text.split() == text.split(), point
        assert "Let me see." in turn.reply.thinking, point
        assert ("Where was I?" in turn.reply.thinking) == (mode == "instruct" and bool(said)), point


async def test_tag_that_a_literal_continuation_begins_with_is_text() -> None:
    """It is in the middle of the answer."""
    answer = "The tag is <think>, and so on."

    turn = await paused_at(len("The tag is "), "prefill", answer, "")

    assert (turn.reply.text, turn.reply.thinking) == (answer, "")


async def test_half_a_tag_at_the_end_is_text() -> None:
    """An answer may be as short."""
    provider = ScriptedProvider()
    turn = Turn(provider, Conversation().ask("q").request(model="m"))
    turn.start()
    await provider.opened.wait()
    provider.stream.put(TextDelta("<thi"), Finished(EndReason.STOP))

    shown = [event async for _, event in turn.events() if isinstance(event, TextDelta)]

    assert "".join(event.text for event in shown) == turn.reply.text == "<thi"
