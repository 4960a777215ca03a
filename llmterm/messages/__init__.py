"""The values that everything else speaks in: messages, segments, stream events, requests, replies, snapshots.

All are frozen. Equal content means equal value; identity (a row, an id) belongs to the store. Text is measured
in characters (code points), time in milliseconds where a name ends in `_ms` and in seconds elsewhere.
"""

from llmterm.messages.cutoff import cut_off
from llmterm.messages.limits import StreamLimits
from llmterm.messages.message import Message, Role, Status, are_long
from llmterm.messages.parts import (
    Attachment,
    Opaque,
    Part,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    blocks,
    parts_of,
)
from llmterm.messages.reply import Reply
from llmterm.messages.request import Continuation, Cursor, Effort, Options, Request, Verbosity
from llmterm.messages.rope import Rope
from llmterm.messages.segment import SAME_GENERATION, EndReason, Mode, Segment, Timing, Usage
from llmterm.messages.snapshot import Snapshot
from llmterm.messages.stream import (
    Carried,
    Cited,
    CursorMoved,
    Finished,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    UsageReport,
)

__all__ = [
    "SAME_GENERATION",
    "Attachment",
    "Carried",
    "Cited",
    "Continuation",
    "Cursor",
    "CursorMoved",
    "Effort",
    "EndReason",
    "Finished",
    "Message",
    "Mode",
    "Opaque",
    "Options",
    "Part",
    "Reply",
    "Request",
    "Role",
    "Rope",
    "Segment",
    "Snapshot",
    "Status",
    "StreamEvent",
    "StreamLimits",
    "TextDelta",
    "TextPart",
    "ThinkingDelta",
    "ThinkingPart",
    "Timing",
    "ToolCall",
    "ToolResult",
    "Usage",
    "UsageReport",
    "Verbosity",
    "are_long",
    "blocks",
    "cut_off",
    "parts_of",
]
