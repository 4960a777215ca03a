"""What the store hands out: sessions and open answers as plain values.

Unlike a `Message`, these have identity: the id of a session, the row of an answer. Times are aware, in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from llmterm.conversation import Conversation
from llmterm.messages import Cursor, EndReason, Message, Options, Reply, Request, Snapshot

# How many of its messages a session that is gone on with is opened with: while they are looked at the others are read.
LAST = 100

SessionState: TypeAlias = Literal["complete", "paused", "streaming", "cut"]


class SessionInfo(NamedTuple):
    """A session as a line of a list. `messages` counts an open answer, and no system prompt.

    `piped`: its open answer was asked for through a pipe, by someone who was told there how to go on with it.
    `begins` is the first line of its first question, as a title would be of it, where that was asked for.
    """

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    messages: int
    state: SessionState
    piped: bool = False
    begins: str = ""


class Hit(NamedTuple):
    """A session that was searched for. `snippet` is a line of what was said, empty where only the title matches."""

    id: str
    title: str
    updated_at: datetime
    snippet: str


class Version(NamedTuple):
    """A message as one of several that stand beside each other.

    `text` is how it begins, and `models` who wrote it, as "provider/model"; none for a question. `open`: it is an
    answer that is not over.
    """

    row: int
    text: str
    models: tuple[str, ...] = ()
    open: bool = False


class OpenAnswer(NamedTuple):
    """An answer that is not over: paused, or cut by the end of its process.

    `message` holds all that reached the disk. `reason` is CRASH where the answer was cut, and OTHER where it is only
    being looked at while another process streams it. `revision` tells it from what others have made of it since. At the
    `cursor` its provider may go on with it.
    """

    message_id: int
    provider: str
    model: str
    options: Options
    message: Message
    reason: EndReason
    revision: int = 0
    cursor: Cursor | None = None

    @property
    def reply(self) -> Reply:
        return Reply.of(self.message).at(self.cursor)

    def snapshot(self, request: Request) -> Snapshot:
        """Return what goes on with it; `request` is the question as it was first asked."""
        return Snapshot(request=request, reply=self.reply, reason=self.reason)


class Earlier(NamedTuple):
    """What a session has before those of its messages that were read: how many, what they cost, the row of the last."""

    last: int
    messages: int
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session. The open answer, if there is one, comes after the messages of `conversation`: all of them, or only the
    last where it was read so; what is `earlier` is not there then.

    `rows` are those of the messages. `head` is the row of the last one, the open answer too, and 0 where there is none:
    whoever knows it can have changes refused once somebody else has made one. `forks` are the rows of messages that
    stand beside each other, by the row they follow; also what stands after the head. The later ones were gone on with
    later.
    """

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    conversation: Conversation
    answer: OpenAnswer | None
    rows: tuple[int, ...] = ()
    head: int = 0
    forks: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    earlier: Earlier | None = None
