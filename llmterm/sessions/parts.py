"""How the parts of a message stand in its row: their text in the columns, what is beside it as JSON in another.

That JSON is an object with the usual parts: what goes back with the message, as every version has written it. A list is
of any others: an entry for each part, in their order, with how much of the text is its own. Written with its characters
as they are: escaped, two lone surrogates would come back as one character.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, assert_never

from llmterm.messages import (
    Attachment,
    Message,
    Part,
    Rope,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    parts_of,
)

_NOTHING = "{}"


def column(message: Message) -> str:
    """Return what tells the parts of `message` from its text, its thinking and its attachments."""
    if not message.parts:
        return _NOTHING
    usual = parts_of(message.body, message.thoughts, message.attachments, message.provider_data)
    return written(message.provider_data if usual == message.parts else list(map(_entry, message.parts)))


def written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=dict)


def parts(column: str, text: Rope, thinking: Rope, attachments: tuple[Attachment, ...]) -> tuple[Part, ...]:
    """Return the parts that a row holds. Raises ValueError where its columns do not fit each other."""
    if column == _NOTHING:
        return parts_of(text, thinking, attachments)
    match json.loads(column):
        case dict(data):
            return parts_of(text, thinking, attachments, data)
        case [*entries] if entries:
            return tuple(_listed(entries, text, thinking, attachments))
        case _:
            raise ValueError("what goes back with a message is neither an object nor a list of parts")


def _entry(part: Part) -> list[Any]:
    match part:
        case TextPart(text):
            return ["text", len(text), part.provider_data]
        case ThinkingPart(text):
            return ["thinking", len(text), part.provider_data]
        case Attachment():
            return ["attachment", part.provider_data]
        case ToolCall():
            return ["tool call", part.id, part.name, part.arguments, part.provider_data]
        case ToolResult():
            return ["tool result", part.id, part.text, part.failed, part.provider_data]
        case _:
            assert_never(part)


def _listed(entries: list[Any], text: Rope, thinking: Rope, attachments: tuple[Attachment, ...]) -> Iterator[Part]:
    said = thought = 0
    attached = iter(attachments)
    for entry in entries:
        match entry:
            case ["text", int(size), dict(data)]:
                yield TextPart(Rope.of(text.slice(said, said + size)), data)
                said += size
            case ["thinking", int(size), dict(data)]:
                yield ThinkingPart(Rope.of(thinking.slice(thought, thought + size)), data)
                thought += size
            case ["attachment", dict(data)]:
                each = next(attached, None)
                if each is not None:
                    yield Attachment(name=each.name, media_type=each.media_type, data=each.data, provider_data=data)
            case ["tool call", str(name), str(called), str(arguments), dict(data)]:
                yield ToolCall(id=name, name=called, arguments=arguments, provider_data=data)
            case ["tool result", str(name), str(words), bool(failed), dict(data)]:
                yield ToolResult(id=name, text=words, failed=failed, provider_data=data)
            case _:
                raise ValueError(f"a part of a message that is none: {entry!r:.60}")
    if (said, thought) != (len(text), len(thinking)) or next(attached, None) is not None:
        raise ValueError("the parts of a message are not all that it says")
