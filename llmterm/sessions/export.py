"""A stored session in the shapes that leave the program: JSON and Markdown.

Pure. The shape of `export` is a contract with the outside: fields may be added, with a new version number only if one
changes its meaning. An open answer is the last message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, assert_never

from llmterm.messages import (
    Attachment,
    Message,
    Segment,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    cut_off,
    parts_of,
)
from llmterm.sessions.record import StoredSession
from llmterm.sessions.titles import one_line

VERSION = 1

# What follows backticks that open a fence has none itself (CommonMark 0.31, 4.5), or it is code in a line.
_FENCE = re.compile(r"\s*(`{3,}(?=[^`]*$)|~{3,})")


def export(session: StoredSession) -> dict[str, Any]:
    """Return the session as JSON values. `start` and `end` are offsets in code points into `text`.

    Attachments are described only; a message without any has no such field. `parts` are there where a message is
    more than some thinking, then its text, then what is attached: what they are, in their order. What is opaque stays.
    """
    return {
        "version": VERSION,
        "id": session.id,
        "title": session.title,
        "created_at": session.created_at.isoformat(timespec="seconds"),
        "messages": [_message(message) for message in _messages(session)],
    }


def markdown(session: StoredSession) -> str:
    """Return the session as a page to read."""
    return "\n\n".join(_paragraphs(session)) + "\n"


def _messages(session: StoredSession) -> tuple[Message, ...]:
    last = (session.answer.message,) if session.answer else ()
    return (*session.conversation.messages, *last)


def _message(message: Message) -> dict[str, Any]:
    values: dict[str, Any] = {
        "role": message.role,
        "text": message.text,
        "thinking": message.thinking,
        "status": message.status,
        "segments": [segment_values(segment) for segment in message.segments],
    }
    if message.attachments:
        values["attachments"] = [_attachment(each) for each in message.attachments]
    if _is_more(message):
        values["parts"] = list(_parts(message))
    return values


def _is_more(message: Message) -> bool:
    """Tell whether a message says more than its text, its thinking and its attachments do, one after the other."""
    usual = parts_of(message.body, message.thoughts, message.attachments)
    shown = [part for part in message.parts if not isinstance(part, ThinkingPart) or part.text]
    return list(map(type, shown)) != list(map(type, usual))


def _parts(message: Message) -> Iterator[dict[str, Any]]:
    """Yield what the parts of a message are, in their order: of text and thinking, which part of the whole."""
    said = thought = attached = 0
    for part in message.parts:
        match part:
            case TextPart(text):
                yield {"type": "text", "start": said, "end": said + len(text)}
                said += len(text)
            case ThinkingPart(text):
                yield {"type": "thinking", "start": thought, "end": thought + len(text)}
                thought += len(text)
            case Attachment():
                yield {"type": "attachment", "index": attached}
                attached += 1
            case ToolCall():
                yield {"type": "tool_call", "id": part.id, "name": part.name, "arguments": part.arguments}
            case ToolResult():
                yield {"type": "tool_result", "id": part.id, "text": part.text, "failed": part.failed}
            case _:
                assert_never(part)


def _attachment(attachment: Attachment) -> dict[str, Any]:
    return {"name": attachment.name, "media_type": attachment.media_type, "bytes": len(attachment.data)}


def segment_values(segment: Segment) -> dict[str, Any]:
    reported = segment.usage != Usage()
    return {
        "provider": segment.provider,
        "model": segment.model,
        "mode": segment.mode,
        "start": segment.start,
        "end": segment.end,
        "end_reason": segment.end_reason.value,
        "input_tokens": segment.usage.input_tokens if reported else None,
        "output_tokens": segment.usage.output_tokens if reported else None,
        "cached_tokens": segment.usage.cached_tokens if reported else None,
        "cache_write_tokens": segment.usage.cache_write_tokens if reported else None,
        "first_token_ms": segment.timing.first_token_ms,
        "duration_ms": segment.timing.duration_ms,
        "cost": segment.cost,
        "input_cost": segment.input_cost,
        "saved": segment.saved,
    }


def _paragraphs(session: StoredSession) -> Iterator[str]:
    yield f"# {session.title or 'Untitled session'}"
    yield f"*{session.id}, begun {_day(session.created_at)}, last changed {_day(session.updated_at)}*"
    if session.conversation.system:
        yield "## System"
        yield session.conversation.system
    for message in _messages(session):
        yield f"## {_speaker(message)}"
        if message.thinking:
            yield "\n".join(f"> {line}".rstrip() for line in closed(message.thinking).split("\n"))
        if message.text:
            yield closed(message.text)
        if mark := cut_off(message):
            yield f"*■ {mark}*"
        for each in message.attachments:
            yield f"*Attached: {one_line(each.name)} ({one_line(each.media_type)}, {len(each.data):,} bytes)*"
        for segment in message.segments:
            if segment.guidance:
                yield f"*Guidance at character {segment.start}: {segment.guidance}*"


def _speaker(message: Message) -> str:
    if message.role != "assistant":
        return {"user": "You", "system": "System"}[message.role]
    models = dict.fromkeys(f"{segment.model} ({segment.provider})" for segment in message.segments)
    return ", ".join(models) or "Assistant"


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def closed(text: str) -> str:
    """Return the text with the code fence closed that an interruption has left open."""
    fence = ""
    for line in text.split("\n"):
        if fence:
            mark = line.strip()
            fence = "" if mark.startswith(fence) and not mark.strip(fence[0]) else fence
        elif opening := _FENCE.match(line):
            fence = opening[1]
    return f"{text}\n{fence}" if fence else text
