"""What a provider's cache has is a beginning: requests that follow each other begin alike, as far as can be.

What a server makes a prompt of is compared, turn by turn, in every wire: the system prompt, and what was said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.assembly.roster import registry
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.conversation import Conversation, resumed
from llmterm.marker import DEFAULT_MARKER, marker_for
from llmterm.messages import Attachment, Continuation, EndReason, Message, Mode, Reply, Request, Segment, TextDelta
from llmterm.providers import anthropic, cohere, gemini, ollama, openai, responses
from llmterm.providers.http import HttpProvider
from llmterm.providers.promptcache import told
from llmterm.providers.wire import Wire
from tests.values import at_rest
from tests.ways import WAYS, Way, items, sent

KEY = hashlib.sha256(b"secret01").hexdigest()[:32]
IMAGE = Attachment(name="cat.png", media_type="image/png", data=b"\x89PNG")
WORDS = st.text(alphabet="ab \n`|-", min_size=1).filter(str.strip)
QUESTION = st.builds(
    Message, role=st.just("user"), text=WORDS, attachments=st.lists(st.just(IMAGE), max_size=2).map(tuple)
)
ANSWER = st.builds(Message, role=st.just("assistant"), text=WORDS)
HISTORY = st.lists(st.tuples(QUESTION, ANSWER), max_size=3).map(lambda pairs: [each for pair in pairs for each in pair])
LITERAL: st.SearchStrategy[Continuation] = st.sampled_from(["prefill", "prefix", "continue_final_message"])


def prompt(way: Way, request: Request) -> str:
    """Return what a model is asked by a request, without the mark at the end of what was said last."""
    turns = sent(way, request)
    return "".join(f"\x02{role}\x03{''.join(map(said, parts))}" for role, parts in turns)


def said(part: object) -> str:
    match part:
        case str(text) | {"text": str(text)}:
            return text
        case _:
            return json.dumps(part, default=repr)


def asked(way: Way, conversation: Conversation) -> Request:
    note = marker_for(DEFAULT_MARKER, conversation.messages[-1].text)[1]
    return conversation.request(model=way.model, note=note)


def paused(model: str, texts: Sequence[str], mode: Mode, guidance: Sequence[str] = ()) -> Reply:
    """Return an answer in parts, each but the first gone on with in that mode, under this guidance."""
    reply = Reply()
    for number, text in enumerate(texts):
        start = len(reply.body)
        reply = reply.add(TextDelta(text)).close(
            Segment(
                provider="p",
                model=model,
                mode=mode if number else "fresh",
                start=start,
                end=start + len(text),
                end_reason=EndReason.PAUSE,
                guidance=guidance[number - 1] if 0 < number <= len(guidance) else "",
            )
        )
    return reply


@settings(max_examples=40)
@given(HISTORY, QUESTION, ANSWER, QUESTION, st.booleans())
def test_next_question_follows_all_that_was_asked_before(
    before: list[Message], question: Message, answer: Message, following: Message, mentions: bool
) -> None:
    """Also where it mentions the marker, or what was attached cannot be sent."""
    if mentions:
        following = Message(role="user", text=f"what is {DEFAULT_MARKER}?")
    first = Conversation(system="s", messages=(*before, question))

    for way in WAYS:
        one, other = (asked(way, each) for each in (first, first.add(answer, following)))

        assert prompt(way, other).startswith(prompt(way, one) + "\x02")


@settings(max_examples=40)
@given(HISTORY, QUESTION, st.lists(WORDS, min_size=2, max_size=4), st.lists(WORDS | st.just(""), max_size=4))
def test_answer_that_goes_on_by_instruction_follows_all_of_the_request_before(
    before: list[Message], question: Message, texts: list[str], guidance: list[str]
) -> None:
    """At each pause, under guidance or without: the first follows the question."""
    for way in WAYS:
        conversation = Conversation(system="s", messages=(*before, question))
        request = asked(way, conversation)
        requests = [request]
        for number in range(1, len(texts) + 1):
            reply = paused(way.model, texts[:number], "instruct", guidance)
            wish = guidance[number - 1] if number <= len(guidance) else ""
            requests.append(resumed(at_rest(request, reply), "instruct", wish))

        prompts = [prompt(way, each) for each in requests]
        assert all(other.startswith(one + "\x02") for one, other in pairwise(prompts)), (
            way,
            prompts,
        )


@settings(max_examples=40)
@given(HISTORY, QUESTION, WORDS, WORDS, LITERAL)
def test_literal_continuation_follows_all_of_the_answer_so_far(
    before: list[Message], question: Message, text: str, more: str, mode: Continuation
) -> None:
    """But for the white space that it must not end in."""
    for way in literal_ways():
        request = asked(way, Conversation(messages=(*before, question)))
        once = resumed(at_rest(request, paused(way.model, [text], "prefill")), mode)
        again = resumed(at_rest(request, paused(way.model, [text, more], "prefill")), mode)

        assert prompt(way, once).startswith(prompt(way, request) + "\x02")
        assert prompt(way, again).startswith(prompt(way, once))


@settings(max_examples=40)
@given(HISTORY, QUESTION, WORDS, WORDS, WORDS, LITERAL)
def test_guidance_of_a_literal_continuation_stands_behind_the_question(
    before: list[Message], question: Message, text: str, one: str, other: str, mode: Continuation
) -> None:
    """There is no other place for it that the model would see: what was asked is as it was, and what is attached."""
    for way in literal_ways():
        request = asked(way, Conversation(messages=(*before, question)))
        guided = resumed(at_rest(request, paused(way.model, [text], "prefill")), mode, one)
        again = resumed(at_rest(request, paused(way.model, [text, text], "prefill", [one])), mode, other)

        unanswered = prompt(way, guided).rpartition("\x02assistant")[0]
        assert prompt(way, guided).startswith(prompt(way, request))
        assert prompt(way, again).startswith(unanswered)


def literal_ways() -> list[Way]:
    # Cohere has no words for an answer that is to be continued, nor have the Responses.
    return [way for way in WAYS if way.provider != "cohere" and way.read is not items]


@given(HISTORY, QUESTION, WORDS, QUESTION)
def test_question_behind_one_without_an_answer_is_added_to_it(
    before: list[Message], question: Message, text: str, following: Message
) -> None:
    """Its answer was stopped before the first word."""
    stopped = Message(role="assistant", status="interrupted")
    bare = Message(role="user", text=text)
    for way in WAYS:
        first = Conversation(messages=(*before, question))
        one, other = (asked(way, each) for each in (first, first.add(stopped, bare)))

        assert prompt(way, other).startswith(prompt(way, one))


def test_another_models_instructions_are_not_repeated() -> None:
    """Its cache is another one: the answer so far is one part for whoever did not ask for it in several."""
    request = Conversation().ask("q").request(model="m")
    reply = paused("other", ["one ", "two ", "three "], "instruct")

    *_, answer, _ = resumed(at_rest(request, reply), "instruct").messages

    assert answer.text == "one two three "


def test_part_without_a_word_is_no_message() -> None:
    """White space belongs to what it follows."""
    request = Conversation().ask("q").request(model="m")
    reply = paused("m", ["one", "\n\n", "two", " \n"], "instruct")

    roles = [(each.role, each.text) for each in resumed(at_rest(request, reply), "instruct").messages]

    assert [text for role, text in roles if role == "assistant"] == ["one", "\n\ntwo \n"]


# What caches are told

OF_A_SESSION = replace(Conversation().ask("q").request(model="m"), session="secret01")
ALONE = replace(OF_A_SESSION, session="")


@pytest.mark.parametrize(
    ("provider", "wire", "body", "headers"),
    [
        ("openai", openai.wire(official=True), {"prompt_cache_key": KEY}, {}),
        ("openai", responses.wire(official=True), {"prompt_cache_key": KEY}, {}),
        ("mistral", openai.wire(), {"prompt_cache_key": KEY}, {}),
        ("xai", responses.wire(), {"prompt_cache_key": KEY}, {}),
        ("xai", openai.wire(), {}, {"x-grok-conv-id": KEY}),
        ("anthropic", anthropic.wire(), {"cache_control": {"type": "ephemeral"}}, {}),
        ("deepseek", openai.wire(), {}, {}),
        ("groq", openai.wire(), {}, {}),
        ("gemini", gemini.wire(), {}, {}),
        ("cohere", cohere.wire(), {}, {}),
        ("ollama", ollama.wire(), {}, {}),
    ],
)
def test_cache_is_told_of_the_session(provider: str, wire: Wire, body: dict[str, Any], headers: dict[str, str]) -> None:
    """By a key that says nothing of it, and only of a session: what stands alone is kept for nobody."""
    spoken = told(provider, wire)

    for each in (spoken, *([spoken.plain] if spoken.plain else [])):
        bare = wire.payload(ALONE) if each is spoken or wire.plain is None else wire.plain.payload(ALONE)
        assert each.payload(OF_A_SESSION) == {**bare, **body}
        assert each.headers_of(OF_A_SESSION) == headers
        assert (each.payload(ALONE), each.headers_of(ALONE)) == (bare, {})


@pytest.mark.parametrize(
    ("provider", "remote", "is_told"),
    [
        ("openai", RemoteSettings(), True),
        ("openai", RemoteSettings(api="responses"), True),
        ("openai", RemoteSettings(base_url="https://gateway.example/v1"), False),
        ("anthropic", RemoteSettings(kind="anthropic"), True),
        ("anthropic", RemoteSettings(kind="anthropic", base_url="https://gateway.example"), False),
        ("mine", RemoteSettings(kind="anthropic", base_url="https://gateway.example"), False),
    ],
)
async def test_only_a_providers_own_address_is_told(provider: str, remote: RemoteSettings, is_told: bool) -> None:
    """What resembles it may know no such field, and answer 400 to all that is asked."""
    keys = {"OPENAI_API_KEY": "sk", "ANTHROPIC_API_KEY": "sk"}
    async with registry(Settings(providers=ProvidersSettings(remotes={provider: remote})), keys) as providers:
        asking = providers.get(provider)
        assert isinstance(asking, HttpProvider)
        _, sent_alone = await asking.alone(ALONE)
        _, sent_of_it = await asking.alone(OF_A_SESSION)

    assert (sent_alone != sent_of_it) is is_told
