"""The token limit is the answer's: paused in whatever way, it ends where it would have ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.conversation import resumed
from llmterm.errors import NetworkError, PrefillRefusedError
from llmterm.messages import (
    Continuation,
    EndReason,
    Finished,
    Message,
    Options,
    Reply,
    Request,
    Segment,
    Snapshot,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.turn import Turn, TurnState
from tests.reading import heard
from tests.scripted import ScriptedProvider
from tests.values import at_rest
from tests.wire import Exchange

if sys.platform != "win32":
    from tests.chatting import opened
    from tests.terminal import LLMTERM, Program, environment

REQUEST = Request(model="m", messages=(Message(role="user", text="q"),), options=Options(max_tokens=100))


class Answer:
    """A turn of a scripted provider, with what is left of its limit at each request."""

    def __init__(self, mode: Continuation = "prefill") -> None:
        self.provider = ScriptedProvider(mode)
        self.turn = Turn(self.provider, REQUEST)

    @property
    def left(self) -> list[int | None]:
        return [request.left() for request in self.provider.requests]

    async def hear(self, *events: TextDelta | ThinkingDelta | UsageReport | Finished, guidance: str = "") -> None:
        """Begin the answer, or go on with it, and let the events come."""
        self.provider.opened.clear()
        if self.turn.state is TurnState.READY:
            self.turn.start()
        else:
            self.turn.resume(guidance=guidance)
        await self.provider.opened.wait()
        self.provider.stream.put(*events)
        last = events[-1]
        async for event in heard(self.turn):
            if event == last or (isinstance(last, TextDelta) and self.turn.reply.text.endswith(last.text)):
                break

    async def pause(self, tokens: int, text: str = "text ") -> None:
        """Hear a text of so many tokens, and pause."""
        await self.hear(TextDelta(text), counted(tokens))
        await self.turn.pause()

    async def rest(self) -> None:
        async for _ in heard(self.turn):
            pass


def counted(tokens: int) -> UsageReport:
    return UsageReport(Usage(input_tokens=1, output_tokens=tokens))


ends = st.sampled_from([EndReason.PAUSE, EndReason.NETWORK, EndReason.MARKER, EndReason.LENGTH, EndReason.CRASH])


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), ends), max_size=8),
    st.sampled_from(["prefill", "instruct"]),
)
def test_limit_is_what_the_parts_since_the_last_end_by_it_leave(
    parts: Sequence[tuple[int, int, EndReason]], mode: Continuation
) -> None:
    """For any history of an answer. A request asks for one token at least, and for no more than the limit."""
    reply, spent = Reply(), 0
    for tokens, size, end in parts:
        reply = written(reply, "x" * size, tokens, end)
        spent = 0 if end is EndReason.LENGTH else spent + (tokens if size else 0)
    spent = spent if reply.text else 0

    request = resumed(at_rest(REQUEST, reply), mode)

    assert request.spent == spent
    assert request.left() == max(1, 100 - spent)
    assert request.exhausted == (spent >= 100)
    assert resumed(at_rest(replace(REQUEST, options=Options()), reply), mode).left() is None


def written(reply: Reply, text: str, tokens: int, end: EndReason = EndReason.PAUSE) -> Reply:
    """Return the reply with one more segment of so many tokens."""
    start = len(reply.body)
    segment = Segment(
        provider="p",
        model="m",
        mode="prefill",
        start=start,
        end=start + len(text),
        end_reason=end,
        usage=Usage(output_tokens=tokens),
    )
    return reply.add(TextDelta(text)).close(segment)


@given(st.integers(0, 40))
def test_what_was_cut_off_an_answer_does_not_count(kept: int) -> None:
    """Edited or cut back, it has about the tokens of what is left of it, and so much more may come."""
    reply = written(written(Reply(), "x" * 20, 40), "y" * 20, 20)

    edited = resumed(at_rest(REQUEST, reply.rewrite("x" * min(kept, 20) + "y" * max(0, kept - 20))), "prefill")
    cut = resumed(at_rest(REQUEST, reply.cut(40 - kept)), "prefill")

    assert edited.spent == cut.spent == (2 * kept if kept <= 20 else 20 + kept)


def test_what_the_user_wrote_does_not_count() -> None:
    reply = written(Reply(), "one two", 30)

    assert resumed(at_rest(REQUEST, reply.rewrite("one two" + " and more" * 50)), "prefill").spent == 30
    assert resumed(at_rest(REQUEST, reply.rewrite("Something else.")), "prefill").spent == 0


async def test_every_pause_leaves_less() -> None:
    """With guidance and at another provider, too; after a new process it is what it was."""
    answer, other = Answer(), ScriptedProvider("instruct")
    await answer.pause(30)
    await answer.hear(TextDelta("more "), counted(20), guidance="shorter")
    await answer.turn.pause()
    reply = answer.turn.reply

    answer.turn.resume(provider=other, model="o")
    await other.opened.wait()
    await answer.turn.cancel()
    read = Reply.of(reply.message("interrupted"))
    stored = Turn(answer.provider, Snapshot(request=REQUEST, reply=read, reason=EndReason.PAUSE))
    answer.provider.opened.clear()
    stored.resume()
    await answer.provider.opened.wait()
    await stored.cancel()

    assert [*answer.left[:2], other.requests[0].left(), *answer.left[2:]] == [100, 70, 50, 50]


async def test_answer_that_broke_off_goes_on_within_its_limit() -> None:
    """What came of it is estimated, and counts."""
    answer = Answer()
    await answer.hear(*(TextDelta(f"word{number} ") for number in range(12)))
    answer.provider.stream.fail(NetworkError("gone"))
    await answer.rest()
    await answer.pause(1)

    assert answer.turn.reply.segments[0].end_reason is EndReason.NETWORK
    assert answer.left == [100, 88]


async def test_refused_prefill_is_asked_for_again_with_the_same_limit() -> None:
    answer = Answer()
    await answer.pause(30)
    answer.provider.refuse = PrefillRefusedError("no")

    answer.turn.resume()
    await answer.rest()

    assert [request.continuation for request in answer.provider.requests] == [None, "prefill", "instruct"]
    assert answer.left == [100, 70, 70]


async def test_thinking_that_was_cut_takes_nothing_of_the_limit() -> None:
    """The answer begins again, and may think again as long; what it thought after that is part of the answer."""
    answer = Answer()
    await answer.hear(ThinkingDelta("hm"), counted(90))
    await answer.turn.pause()
    await answer.hear(ThinkingDelta("hm"), TextDelta("text "), counted(40))
    await answer.turn.pause()
    await answer.pause(1)

    assert answer.left == [100, 100, 60]


async def test_white_space_that_was_all_there_is_asked_for_anew() -> None:
    """And stands there once."""
    answer = Answer()
    await answer.pause(2, "\n\n")
    await answer.pause(10, "\n\nText ")
    await answer.pause(1)

    assert answer.turn.reply.text == "\n\nText text "
    assert answer.left == [100, 100, 90]


async def test_attempt_that_started_over_takes_nothing_of_the_limit() -> None:
    """Nothing of it is in the answer, which is tried again from where it was."""
    first = "Once there was a fox who lived by the river. "
    answer = Answer("instruct")
    await answer.pause(30, f"{first}It was the cleverest of all the animals there, and it slept ")
    await answer.hear(counted(40), TextDelta(f"{first}One day it met a crow. "))
    assert answer.turn.reason is EndReason.RESTART
    await answer.pause(1)

    assert answer.left == [100, 70, 70]


async def test_held_answer_that_is_cut_counts_as_far_as_it_was_shown() -> None:
    """Also one that had come to its limit unseen: that end was cut off with the rest."""
    answer = Answer()
    await answer.hear(TextDelta("seen "))
    answer.provider.stream.put(TextDelta("unseen too"), counted(90), Finished(EndReason.LENGTH))
    await answer.turn.pause(upto=len("seen "))
    assert answer.turn.reply.text == "seen "
    await answer.pause(1)

    assert answer.left == [100, 70]


async def test_guidance_at_the_limit_is_for_what_comes_after_it() -> None:
    """Nothing is asked for without anything left; the next resume has a whole limit, and what the user wished."""
    answer = Answer()
    await answer.pause(100)

    answer.turn.resume(guidance="in French")
    await answer.rest()

    assert (answer.turn.state, answer.turn.reason) == (TurnState.PAUSED, EndReason.LENGTH)
    assert len(answer.provider.requests) == 1
    await answer.pause(1)
    assert answer.left == [100, 100]
    assert "in French" in answer.provider.requests[1].messages[0].text
    assert sum(segment.usage.output_tokens for segment in answer.turn.reply.segments) == 101


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_limit_holds_over_pauses_and_processes(tmp_path: Path) -> None:
    """Paused, gone on with, left, gone on with by another program and another model, up to the limit and beyond."""

    async def script(exchange: Exchange) -> None:
        number = len(chat.server.exchanges)
        await exchange.start()
        for word in ("one", "two", "three"):
            await exchange.text(f"{word}-{number} ")
        if number < 4:
            await exchange.hung_up()
        await exchange.end("length")

    with opened(tmp_path, script, "--max-tokens", "10", columns=100) as chat:
        chat.ask("count")
        for number, key in ((1, " "), (2, "\x04")):
            chat.program.wait_for(f"three-{number}")
            chat.program.send(" ")
            chat.program.wait_for(f"paused after {3 * number} tokens - SPACE resume")
            chat.program.send(key)
        assert chat.program.exit_code == 0
        env = environment(tmp_path, OPENAI_BASE_URL=chat.server.base_url, OPENAI_API_KEY="sk-test")
        command = [*LLMTERM, "chat", "--continue", "--provider", "openai", "--model", "other"]
        with Program(command, env, columns=100) as again:
            again.wait_for("paused after 6 tokens")
            again.send(" ")
            again.wait_for("three-3")
            again.send(" ")
            again.wait_for("paused after 9 tokens - SPACE resume")
            again.send(" ")
            again.wait_for("paused at the token limit after 16 tokens - SPACE resume")
            again.send(" ")
            again.wait_for("paused at the token limit after 23 tokens - SPACE resume")
            again.send("\x04")
            assert again.exit_code == 0

        asked = [exchange.body["max_tokens"] for exchange in chat.server.exchanges]
        assert [exchange.body["model"] for exchange in chat.server.exchanges][1:3] == ["test", "other"]

    assert asked == [10, 7, 4, 1, 10]
