"""The public names and where they come from, for type checkers and editors. What happens is in `__init__.py`."""

from llmterm.assembly.library import connect, generate_sync, open_registry
from llmterm.assembly.model import Answer, Model
from llmterm.config import Settings
from llmterm.conversation import Conversation
from llmterm.errors import ConfigError, LlmtermError, ProviderError, TurnStateError, UsageError
from llmterm.events import Entry, Notice, Retraction, SegmentEnded, SegmentStarted, StateChanged, TurnEvent
from llmterm.keys import Key, KeySource, KeysUnavailableError, on_key
from llmterm.keys.hotkey import GlobalKeys
from llmterm.keys.scripted import ScriptedKeys
from llmterm.keys.terminal import TerminalKeys
from llmterm.messages import (
    Attachment,
    EndReason,
    Finished,
    Message,
    Options,
    Reply,
    Request,
    Segment,
    Snapshot,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers import EventStream, Provider
from llmterm.providers.attachments import Accepts
from llmterm.providers.registry import ProviderRegistry
from llmterm.render.sanitize import clean
from llmterm.streams import (
    StreamCancelledError,
    concat,
    dequeue,
    endless_stream,
    enqueue,
    gather_stream,
    merge,
    split,
    stream_content,
    throttle,
)
from llmterm.turn import Turn, TurnState

__version__: str

__all__ = [
    "Accepts",
    "Answer",
    "Attachment",
    "ConfigError",
    "Conversation",
    "EndReason",
    "Entry",
    "EventStream",
    "Finished",
    "GlobalKeys",
    "Key",
    "KeySource",
    "KeysUnavailableError",
    "LlmtermError",
    "Message",
    "Model",
    "Notice",
    "Options",
    "Progress",
    "Provider",
    "ProviderError",
    "ProviderRegistry",
    "Reply",
    "Request",
    "Retraction",
    "ScriptedKeys",
    "Segment",
    "SegmentEnded",
    "SegmentStarted",
    "Settings",
    "Snapshot",
    "StateChanged",
    "StreamCancelledError",
    "StreamEvent",
    "StreamLimits",
    "TerminalKeys",
    "TextDelta",
    "ThinkingDelta",
    "Turn",
    "TurnEvent",
    "TurnState",
    "TurnStateError",
    "Usage",
    "UsageError",
    "UsageReport",
    "__version__",
    "clean",
    "concat",
    "connect",
    "dequeue",
    "endless_stream",
    "enqueue",
    "gather_stream",
    "generate_sync",
    "merge",
    "on_key",
    "open_registry",
    "split",
    "stream_content",
    "throttle",
]
