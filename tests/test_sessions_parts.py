"""How the parts of a message stand in a row: as every version has written the usual ones, and in a list the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.messages import Attachment, Message, Part, Rope, TextPart, ThinkingPart, ToolCall
from llmterm.sessions.parts import column, parts
from tests.values import PART

IMAGE = Attachment(name="a.png", media_type="image/png", data=b"a")


@given(st.lists(PART, max_size=5))
def test_parts_come_back_from_their_columns(said: list[Part]) -> None:
    """From those that hold the text, and the one that tells how it was said."""
    message = Message(role="assistant", parts=said)
    plain = tuple(
        Attachment(name=each.name, media_type=each.media_type, data=each.data) for each in message.attachments
    )

    assert parts(column(message), message.body, message.thoughts, plain) == message.parts


@pytest.mark.parametrize(
    ("written", "thinking", "attachments", "expected"),
    [
        ("{}", "", (), (TextPart(Rope.of("so")),)),
        ("{}", "hm", (IMAGE,), (ThinkingPart(Rope.of("hm")), TextPart(Rope.of("so")), IMAGE)),
        ('{"gemini": [1]}', "", (), (ThinkingPart(Rope.of(""), {"gemini": [1]}), TextPart(Rope.of("so")))),
        (
            '{"anthropic": [{"a": "b"}]}',
            "hm",
            (),
            (ThinkingPart(Rope.of("hm"), {"anthropic": [{"a": "b"}]}), TextPart(Rope.of("so"))),
        ),
    ],
    ids=["plain", "thought and attached", "signed only", "signed"],
)
def test_rows_of_every_version_before_are_read(
    written: str, thinking: str, attachments: tuple[Attachment, ...], expected: tuple[Part, ...]
) -> None:
    """What they knew of a message is beside its thinking; they are written in the same way still."""
    read = parts(written, Rope.of("so"), Rope.of(thinking), attachments)

    assert read == expected
    assert column(Message(role="assistant", parts=read)) == written


@pytest.mark.parametrize(
    "written",
    [
        "[]",
        "5",
        '"x"',
        "null",
        '[["text", 1, {}]]',  # the text is longer
        '[["text", 2, {}], ["thinking", 1, {}]]',
        '[["text", 2, []]]',
        '[["text", "2", {}]]',
        '[["text", 2, {}], ["tool call", 1, "look", "{}", {}]]',
        '[["text", 2, {}], ["sound", {}]]',
    ],
)
def test_columns_that_do_not_fit_are_an_error(written: str) -> None:
    """A damaged row is not taken for another message."""
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it says, the store tells it as an error of its own
        parts(written, Rope.of("so"), Rope(), ())


def test_attachments_that_the_list_does_not_know_are_an_error() -> None:
    call = ToolCall(id="1", name="look", arguments="{}")
    written = column(Message(role="assistant", parts=[TextPart(Rope.of("so")), call]))

    with pytest.raises(ValueError, match="not all"):
        parts(written, Rope.of("so"), Rope(), (IMAGE,))
