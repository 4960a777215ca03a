"""Requests: what is asked again when an answer is gone on with, and that nothing of it stays."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.conversation import QUOTE_LENGTH, Conversation, mode_of, resumed
from llmterm.messages import Continuation, EndReason, Message, Options, Reply, Segment, TextDelta
from llmterm.seam import WhitespaceSeam
from tests.values import at_rest

CONVERSATION = Conversation(system="s").ask("q")
REQUEST = CONVERSATION.request(model="m", options=Options())
modes: st.SearchStrategy[Continuation] = st.sampled_from(["prefill", "instruct"])


def reply_of(text: str, *guidance: str) -> Reply:
    segments = [
        Segment(provider="p", model="m", mode="fresh", start=0, end=0, end_reason=EndReason.PAUSE, guidance=each)
        for each in guidance
    ]
    return Reply().add(TextDelta(text)).close(*segments)


def test_request_is_the_conversation_with_its_system_prompt_first() -> None:
    """A note belongs to the one request that it is given with."""
    noted = CONVERSATION.request(model="m", options=Options(), note="n")

    assert [(message.role, message.text) for message in REQUEST.messages] == [("system", "s"), ("user", "q")]
    assert noted.messages[0].text == "s\n\nn"
    assert CONVERSATION.request(model="m", options=Options()) == REQUEST


def test_record_of_an_answer_is_not_sent() -> None:
    """Who wrote which part, and what was thought, is nothing that a provider sees."""
    answer = reply_of("a", "guided").message("complete")

    request = CONVERSATION.add(answer).request(model="m", options=Options())

    assert request.messages[-1] == Message(role="assistant", text="a")


def test_prefill_ends_with_the_answer_without_its_white_space() -> None:
    """Several providers refuse a prefill that ends in white space."""
    request = resumed(at_rest(REQUEST, reply_of("one two \n")), "prefill")

    assert request.messages == (*REQUEST.messages, Message(role="assistant", text="one two"))


def test_instruct_quotes_the_last_words() -> None:
    """The answer is a turn of its own, exactly; the order to go on comes after it, once."""
    text = "word " * 200 + "the very last words"

    request = resumed(at_rest(REQUEST, reply_of(text)), "instruct")

    *before, answer, order = request.messages
    assert tuple(before) == REQUEST.messages
    assert (answer.role, answer.text) == ("assistant", text)
    assert order.role == "user"
    assert "the very last words»" in order.text
    quoted = order.text.partition("«")[2].partition("»")[0]
    assert len(quoted) <= QUOTE_LENGTH
    assert quoted.startswith("word ")


@given(st.text(alphabet=" \n\t"), modes)
def test_answer_without_text_is_asked_for_again(text: str, mode: Continuation) -> None:
    """There is nothing to go on from before the first character."""
    assert resumed(at_rest(REQUEST, reply_of(text)), mode) == REQUEST
    assert mode_of(reply_of(text), mode) == "fresh"


@pytest.mark.parametrize("mode", ["prefill", "instruct"])
def test_guidance_of_all_pauses_is_in_force(mode: Continuation) -> None:
    """What the user said at an earlier pause of the same answer still counts."""
    request = resumed(at_rest(REQUEST, reply_of("one", "shorter")), mode, "in French")

    sent = "\n".join(message.text for message in request.messages if message.role == "user")
    assert "shorter" in sent
    assert "in French" in sent
    assert request.messages[-1].role == ("assistant" if mode == "prefill" else "user")


@given(st.text(), st.lists(st.text(), max_size=3), modes)
def test_continuation_leaves_its_request_as_it_was(text: str, guidance: list[str], mode: Continuation) -> None:
    """Instructions exist only in the request that needs them, whose size is that of one replay."""
    request = resumed(at_rest(REQUEST, reply_of(text, *guidance)), mode)

    assert CONVERSATION.request(model="m", options=Options()) == REQUEST
    assert len(request.messages) <= len(REQUEST.messages) + 2
    assert sum(message.text.count(text) for message in request.messages if message.role == "assistant") <= 1


@given(st.text(), st.integers(0, 100), st.lists(st.integers(0, 100), max_size=5))
def test_exact_continuation_joins_without_a_seam(text: str, cut: int, cuts: list[int]) -> None:
    """For any text, any pause point and any chunking: what a literal continuation gives is the text."""
    at = cut % (len(text) + 1)
    before = text[:at]
    sent = before.rstrip()
    rest = text[len(sent) :]
    seam = WhitespaceSeam(before[len(sent) :])
    points = [0, *sorted(each % (len(rest) + 1) for each in cuts), len(rest)]

    joined = before + "".join(seam.feed(rest[start:end]) for start, end in pairwise(points))

    assert joined == text
