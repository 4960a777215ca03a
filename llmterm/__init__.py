"""llmterm: a chat with language models that can be paused in the middle of an answer.

As a library it is what `__all__` names, and no more: everything else may change. Their types are in `__init__.pyi`.
Each name is looked up, and its module imported, when it is first used: every module of the program imports this one,
so it may neither cost anything nor depend on those above it.
"""

__version__ = "0.1.0"

# In which module of the package each public name lives.
_HOMES = {
    "Accepts": "providers.attachments",
    "Answer": "assembly.model",
    "Attachment": "messages",
    "ConfigError": "errors",
    "Conversation": "conversation",
    "EndReason": "messages",
    "Entry": "events",
    "EventStream": "providers",
    "Finished": "messages",
    "GlobalKeys": "keys.hotkey",
    "Key": "keys",
    "KeySource": "keys",
    "KeysUnavailableError": "keys",
    "LlmtermError": "errors",
    "Message": "messages",
    "Model": "assembly.model",
    "Notice": "events",
    "Options": "messages",
    "Progress": "progress",
    "Provider": "providers",
    "ProviderError": "errors",
    "ProviderRegistry": "providers.registry",
    "Reply": "messages",
    "Request": "messages",
    "Retraction": "events",
    "ScriptedKeys": "keys.scripted",
    "Segment": "messages",
    "SegmentEnded": "events",
    "SegmentStarted": "events",
    "Settings": "config",
    "Snapshot": "messages",
    "StateChanged": "events",
    "StreamCancelledError": "streams",
    "StreamEvent": "messages",
    "StreamLimits": "messages",
    "TerminalKeys": "keys.terminal",
    "TextDelta": "messages",
    "ThinkingDelta": "messages",
    "Turn": "turn",
    "TurnEvent": "events",
    "TurnState": "turn",
    "TurnStateError": "errors",
    "Usage": "messages",
    "UsageError": "errors",
    "UsageReport": "messages",
    "clean": "render.sanitize",
    "concat": "streams",
    "connect": "assembly.library",
    "dequeue": "streams",
    "endless_stream": "streams",
    "enqueue": "streams",
    "gather_stream": "streams",
    "generate_sync": "assembly.library",
    "merge": "streams",
    "on_key": "keys",
    "open_registry": "assembly.library",
    "split": "streams",
    "stream_content": "streams",
    "throttle": "streams",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
