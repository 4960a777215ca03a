"""A stored session as a value that travels to another program of ours: all of it but the bytes of what is attached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from llmterm.conversation import Conversation
from llmterm.messages import Attachment, EndReason, Message
from llmterm.messages.plain import READERS, plain, read
from llmterm.sessions.record import OpenAnswer, StoredSession


def portable(stored: StoredSession) -> dict[str, Any]:
    """Return the session as JSON has it."""
    answer = stored.answer
    return {
        "id": stored.id,
        "title": stored.title,
        "system": stored.conversation.system,
        "created_at": stored.created_at.isoformat(),
        "updated_at": stored.updated_at.isoformat(),
        "messages": [plain(_light(each)) for each in stored.conversation.messages],
        "rows": list(stored.rows),
        "head": stored.head,
        "forks": [[after, list(rows)] for after, rows in stored.forks.items()],
        "answer": None
        if answer is None
        else {
            "row": answer.message_id,
            "provider": answer.provider,
            "model": answer.model,
            "options": plain(answer.options),
            "message": plain(_light(answer.message)),
            "reason": plain(answer.reason),
        },
    }


def carried(value: Any) -> StoredSession:
    """Return the session that `portable` has made this of. Raises ValueError for what it has not made."""
    try:
        messages = READERS["tuple[Message, ...]"](value["messages"])
        return StoredSession(
            id=_text(value["id"]),
            title=_text(value["title"]),
            created_at=datetime.fromisoformat(value["created_at"]),
            updated_at=datetime.fromisoformat(value["updated_at"]),
            conversation=Conversation(system=_text(value["system"]), messages=messages),
            answer=None if value["answer"] is None else _answer(value["answer"]),
            rows=tuple(map(_number, value["rows"])),
            head=_number(value["head"]),
            forks={_number(after): tuple(map(_number, rows)) for after, rows in value["forks"]},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no session: {error!r}") from None


def _answer(value: Mapping[str, Any]) -> OpenAnswer:
    return OpenAnswer(
        message_id=_number(value["row"]),
        provider=_text(value["provider"]),
        model=_text(value["model"]),
        options=READERS["Options"](value["options"]),
        message=read(Message, value["message"]),
        reason=EndReason(value["reason"]),
    )


def _light(message: Message) -> Message:
    """Return a message without the bytes of what is attached: whoever looks at it is told what they are."""
    if not message.attachments:
        return message
    return replace(
        message,
        parts=tuple(replace(part, data=b"") if isinstance(part, Attachment) else part for part in message.parts),
    )


def _text(value: object) -> str:
    return str(READERS["str"](value))


def _number(value: object) -> int:
    return int(READERS["int"](value))
