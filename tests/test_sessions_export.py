"""What leaves the program: the JSON others rely on, the page people read, the snapshot to go on from."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from llmterm.conversation import Conversation
from llmterm.messages import (
    Attachment,
    EndReason,
    Message,
    Options,
    Rope,
    Segment,
    TextPart,
    ThinkingPart,
    Timing,
    ToolCall,
    ToolResult,
    Usage,
)
from llmterm.sessions import OpenAnswer, StoredSession, export, markdown
from tests.values import MESSAGE

QUESTION = Message(role="user", text="Qué hora es? 🕐")
FIRST = Segment(
    provider="openai",
    model="gpt",
    mode="fresh",
    start=0,
    end=5,
    end_reason=EndReason.PAUSE,
    usage=Usage(input_tokens=12, output_tokens=3, cached_tokens=4, cache_write_tokens=5),
    timing=Timing(first_token_ms=80, duration_ms=900),
    cost=0.5,
    input_cost=0.25,
    saved=0.125,
)
SECOND = Segment(
    provider="local",
    model="smol",
    mode="prefill",
    start=5,
    end=9,
    end_reason=EndReason.CRASH,
    guidance="be brief",
)
PARTIAL = Message(
    role="assistant", text="🕐 es la una", thinking="a clock", status="interrupted", segments=(FIRST, SECOND)
)
ANSWER = OpenAnswer(
    message_id=2,
    provider="local",
    model="smol",
    options=Options(seed=7),
    message=PARTIAL,
    reason=EndReason.CRASH,
)
SESSION = StoredSession(
    id="0123abcd",
    title="Qué hora es? 🕐",
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    updated_at=datetime(2026, 1, 2, 4, 0, tzinfo=UTC),
    conversation=Conversation(system="be exact", messages=(QUESTION,)),
    answer=ANSWER,
)


def headings(page: str) -> list[str]:
    """Return the headings as a parser of Markdown sees them."""
    tokens = pairwise(MarkdownIt().parse(page))
    return [content.content for token, content in tokens if token.type == "heading_open"]


def test_the_export_has_the_promised_shape() -> None:
    """Version 1, every key of it, an open answer last; figures that were never reported are null."""
    exported = export(SESSION)

    assert json.loads(json.dumps(exported)) == {
        "version": 1,
        "id": "0123abcd",
        "title": "Qué hora es? 🕐",
        "created_at": "2026-01-02T03:04:05+00:00",
        "messages": [
            {"role": "user", "text": "Qué hora es? 🕐", "thinking": "", "status": "complete", "segments": []},
            {
                "role": "assistant",
                "text": "🕐 es la una",
                "thinking": "a clock",
                "status": "interrupted",
                "segments": [
                    {
                        "provider": "openai",
                        "model": "gpt",
                        "mode": "fresh",
                        "start": 0,
                        "end": 5,
                        "end_reason": "pause",
                        "input_tokens": 12,
                        "output_tokens": 3,
                        "cached_tokens": 4,
                        "cache_write_tokens": 5,
                        "first_token_ms": 80,
                        "duration_ms": 900,
                        "cost": 0.5,
                        "input_cost": 0.25,
                        "saved": 0.125,
                    },
                    {
                        "provider": "local",
                        "model": "smol",
                        "mode": "prefill",
                        "start": 5,
                        "end": 9,
                        "end_reason": "crash",
                        "input_tokens": None,
                        "output_tokens": None,
                        "cached_tokens": None,
                        "cache_write_tokens": None,
                        "first_token_ms": None,
                        "duration_ms": 0,
                        "cost": None,
                        "input_cost": None,
                        "saved": None,
                    },
                ],
            },
        ],
    }


def test_attachments_are_described_and_not_exported() -> None:
    """Name, type and size of each, in both forms; a name of several lines does not break the page."""
    image = Attachment(name="a\n# b.png", media_type="image/png", data=b"x" * 1234)
    asked = Message(role="user", text=QUESTION.text, attachments=(image,))
    session = replace(SESSION, answer=None, conversation=Conversation(messages=(QUESTION, asked)))

    plain, attached = export(session)["messages"]
    page = markdown(session)

    assert "attachments" not in plain
    assert attached["attachments"] == [{"name": "a\n# b.png", "media_type": "image/png", "bytes": 1234}]
    assert page.endswith("Qué hora es? 🕐\n\n*Attached: a # b.png (image/png, 1,234 bytes)*\n")


def test_a_session_without_open_answer_exports_its_messages_only() -> None:
    """Nothing is made up where nothing is open."""
    exported = export(replace(SESSION, answer=None))

    assert [message["role"] for message in exported["messages"]] == ["user"]


def test_the_page_says_who_said_what() -> None:
    """Title, system prompt, question, both models, the thinking, the guidance, and that it was interrupted."""
    page = markdown(SESSION)

    assert page.split("\n\n") == [
        "# Qué hora es? 🕐",
        "*0123abcd, begun 2026-01-02 03:04 UTC, last changed 2026-01-02 04:00 UTC*",
        "## System",
        "be exact",
        "## You",
        "Qué hora es? 🕐",
        "## gpt (openai), smol (local)",
        "> a clock",
        "🕐 es la una",
        "*■ broken off with the program*",
        "*Guidance at character 5: be brief*\n",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(1)",
        "~~~~\n```\n~~~",
        "text\n\n````md\n```\ninner\n```\n",
        "```a``` is code in a line",
        "```\nclosed\n```",
        "no code",
    ],
)
def test_an_open_fence_does_not_swallow_the_rest_of_the_page(text: str) -> None:
    """An answer cut inside a code block ends there; the next heading is a heading."""
    cut = Message(role="assistant", text=text, status="interrupted")
    session = replace(SESSION, answer=None, conversation=Conversation(messages=(QUESTION, cut, QUESTION)))

    page = markdown(session)

    assert headings(page) == ["Qué hora es? 🕐", "You", "Assistant", "You"]


@given(st.lists(st.sampled_from(["```", "~~~", "````", "~~~~ x", "``` `", "word", ""]), max_size=8).map("\n".join))
def test_any_mix_of_fences_is_closed(text: str) -> None:
    """Whatever fences an answer opens, the page's own parser finds none open at its end."""
    cut = Message(role="assistant", text=text, status="interrupted")
    session = replace(SESSION, answer=None, conversation=Conversation(messages=(cut, QUESTION)))

    page = markdown(session)

    assert headings(page) == ["Qué hora es? 🕐", "Assistant", "You"]


def as_version_1(message: dict[str, Any]) -> Message:
    """Return what a program reads of an exported message that knows version 1 and nothing later."""
    assert message.keys() >= {"role", "text", "thinking", "status", "segments"}
    return Message(role=message["role"], text=message["text"], thinking=message["thinking"], status=message["status"])


@given(st.lists(MESSAGE, max_size=3))
def test_any_message_is_exported_as_version_1_reads_it(messages: list[Message]) -> None:
    """Text, thinking and offsets mean what they always meant; `parts` only say how they follow each other."""
    session = replace(SESSION, answer=None, conversation=Conversation(messages=tuple(messages)))

    exported = json.loads(json.dumps(export(session)))

    assert exported["version"] == 1
    for message, written in zip(messages, exported["messages"], strict=True):
        read = as_version_1(written)
        assert (read.role, read.text, read.thinking) == (message.role, message.text, message.thinking)
        assert len(written.get("attachments", [])) == len(message.attachments)
        assert [each["start"] for each in written["segments"]] == [each.start for each in message.segments]
        for kind, whole in (("text", message.text), ("thinking", message.thinking)):
            parts = [part for part in written.get("parts", []) if part["type"] == kind]
            assert "".join(whole[part["start"] : part["end"]] for part in parts) == (
                whole if "parts" in written else ""
            )


def test_parts_are_exported_where_they_say_more() -> None:
    """The order of thoughts, words and calls; what goes back to a provider stays here."""
    message = Message(
        role="assistant",
        parts=[
            ThinkingPart(Rope.of("hm"), {"anthropic": [{"signature": "s"}]}),
            TextPart(Rope.of("I look. ")),
            ToolCall(id="1", name="look", arguments="{}"),
            ToolResult(id="1", text="blue"),
            TextPart(Rope.of("Blue.")),
        ],
    )
    session = replace(SESSION, answer=None, conversation=Conversation(messages=(QUESTION, PARTIAL, message)))

    usual, answered, more = export(session)["messages"]

    assert "parts" not in usual
    assert "parts" not in answered
    assert more["text"] == "I look. Blue."
    assert more["parts"] == [
        {"type": "thinking", "start": 0, "end": 2},
        {"type": "text", "start": 0, "end": 8},
        {"type": "tool_call", "id": "1", "name": "look", "arguments": "{}"},
        {"type": "tool_result", "id": "1", "text": "blue", "failed": False},
        {"type": "text", "start": 8, "end": 13},
    ]
