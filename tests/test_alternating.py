"""What is sent is well-formed, whatever was said, stopped, refused or left empty, in every wire and way to go on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.conversation import Conversation, resumed
from llmterm.messages import Attachment, Continuation, EndReason, Message, Reply, Segment
from tests.values import at_rest
from tests.ways import WAYS, Turn, items, sent

IMAGE = Attachment(name="cat.png", media_type="image/png", data=b"\x89PNG")
SIGNED: Mapping[str, Any] = {
    "anthropic": [{"type": "thinking", "thinking": "hm", "signature": "sig"}],
    "gemini": [{"thoughtSignature": "c2ln\n"}],
    "responses": [{"id": "rs", "encrypted_content": "cipher", "model": "o3"}],
}

blanks = st.sampled_from(["", " ", "\n", " \t\r\n", "\u2003", "\x0b"])
words = st.text(alphabet="ab \n", min_size=1).filter(str.strip)
texts = st.one_of(blanks, words)
attached = st.lists(st.just(IMAGE), max_size=2).map(tuple)
said = st.one_of(
    st.builds(Message, role=st.just("user"), text=texts, attachments=attached),
    st.builds(
        Message,
        role=st.just("assistant"),
        text=texts,
        thinking=texts,
        status=st.sampled_from(["complete", "interrupted"]),
        provider_data=st.sampled_from([{}, SIGNED]),
    ),
)
questions = st.one_of(
    st.builds(Message, role=st.just("user"), text=words, attachments=attached),
    st.just(Message(role="user", text=" ", attachments=(IMAGE,))),
)
modes: st.SearchStrategy[Continuation] = st.sampled_from(["prefill", "prefix", "continue_final_message", "instruct"])


def paused(text: str, thinking: str, guidance: str) -> Reply:
    segment = Segment(
        provider="p", model="m", mode="fresh", start=0, end=len(text), end_reason=EndReason.PAUSE, guidance=guidance
    )
    return Reply.of(Message(role="assistant", text=text, thinking=thinking, segments=(segment,)))


def well_formed(turns: list[Turn], *, ends_in: str) -> None:
    roles = [role for role, _ in turns if role != "system"]
    assert roles[0] == "user"
    assert roles[-1] == ends_in
    assert all(one != other for one, other in pairwise(roles)), roles
    assert [role for role, _ in turns].count("system") <= 1
    for _, parts in turns:
        assert parts
        for part in parts:
            assert text_of(part).strip(), turns


def text_of(part: object) -> str:
    """Return the text of a part; of anything else something that is no white space."""
    match part:
        case str(text) | {"text": str(text)}:
            return text
        case _:
            return "another thing"


@settings(max_examples=60)
@given(st.lists(said, max_size=6), questions, blanks | words)
def test_question_is_asked_in_turns_that_alternate(before: list[Message], last: Message, system: str) -> None:
    """The user begins, nobody speaks twice, nothing is empty: for any history, in every wire."""
    conversation = Conversation(system=system, messages=(*before, last))

    for way in WAYS:
        well_formed(sent(way, conversation.request(model=way.model)), ends_in="user")

    assert conversation.messages == (*before, last)


@settings(max_examples=60)
@given(st.lists(said, max_size=4), questions, texts, texts, blanks | words, blanks | words, modes)
def test_answer_is_gone_on_with_in_turns_that_alternate(
    before: list[Message],
    last: Message,
    text: str,
    thinking: str,
    earlier: str,
    guidance: str,
    mode: Continuation,
) -> None:
    """Whatever of it there is, also nothing, and whatever the user says to it at this pause or said at one before."""
    conversation, reply = Conversation(messages=(*before, last)), paused(text, thinking, earlier)
    for way in WAYS:
        # Cohere has no words for an answer that is to be continued, nor have the Responses.
        asked: Continuation = "instruct" if way.provider == "cohere" or way.read is items else mode

        request = resumed(at_rest(conversation.request(model=way.model), reply), asked, guidance)

        literal = bool(text.strip()) and asked != "instruct"
        well_formed(sent(way, request), ends_in="assistant" if literal else "user")


@given(st.lists(said, max_size=6), questions)
def test_every_word_of_the_user_is_sent_in_its_order(before: list[Message], last: Message) -> None:
    """Questions that follow each other are one, a blank line between them, with all that was attached."""
    asked = [message for message in (*before, last) if message.role == "user"]

    request = Conversation(messages=(*before, last)).request(model="m")

    users = [message for message in request.messages if message.role == "user"]
    assert "\n\n".join(each.text for each in users if each.text) == "\n\n".join(
        each.text for each in asked if each.text.strip()
    )
    assert [each for message in users for each in message.attachments] == [
        each for message in asked for each in message.attachments
    ]


def test_what_a_provider_signed_goes_back_with_just_that_answer() -> None:
    """A message that was put together of two is not what was signed; one that stands alone is, as it came."""
    one = Message(role="assistant", text="one", provider_data=SIGNED)
    empty = Message(role="user", text=" ")
    two = Message(role="assistant", text="two", provider_data=SIGNED)
    conversation = Conversation().ask("a").add(one, empty, two).ask("b").add(one).ask("c")

    _, merged, _, alone, _ = conversation.request(model="m").messages

    assert (merged.text, merged.provider_data) == ("one\n\ntwo", {})
    assert alone == one


def test_what_is_well_formed_is_sent_as_it_is() -> None:
    """White space within a message is its author's."""
    conversation = Conversation(system=" s\n").ask("\n a \n").add(Message(role="assistant", text=" b\n")).ask("c\n")

    assert [each.text for each in conversation.request(model="m").messages] == [" s\n", "\n a \n", " b\n", "c\n"]
