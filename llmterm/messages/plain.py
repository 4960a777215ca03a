"""Values as JSON has them, and back: a table of the types that their fields have.

What is read may come from another machine: every field is looked at, and none that is missing or unknown is passed
over. Bytes are base64; a part says its `type` beside its fields.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, get_args

from llmterm.messages.message import Message, Role, Status
from llmterm.messages.parts import Attachment, Part, TextPart, ThinkingPart, ToolCall, ToolResult
from llmterm.messages.request import Continuation, Cursor, Effort, Options, Request, Verbosity
from llmterm.messages.rope import Rope
from llmterm.messages.segment import EndReason, Mode, Segment, Timing, Usage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Reader: TypeAlias = Callable[[Any], Any]

_PARTS: Final[Mapping[str, type[Part]]] = {
    "text": TextPart,
    "thinking": ThinkingPart,
    "attachment": Attachment,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
}
_TYPES: Final[Mapping[type, str]] = {kind: name for name, kind in _PARTS.items()}


def plain(value: Any) -> Any:
    """Return `value`, one of ours or what is in one, as JSON has it."""
    match value:
        case Rope():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case str():
            return str(value)  # a word of an enumeration is only its text there
        case Mapping():
            return {name: plain(each) for name, each in value.items()}
        case Sequence():
            return [plain(each) for each in value]
        case _ if is_dataclass(value):
            kind = {"type": _TYPES[type(value)]} if type(value) in _TYPES else {}
            return {**kind, **{field.name: plain(getattr(value, field.name)) for field in fields(value)}}
        case _:
            return value


def read(kind: type[T], value: object, readers: Mapping[str, Reader] | None = None) -> T:
    """Return the value of `kind` that `plain` has made this of. Raises ValueError for what it has not made.

    `readers` are those of the fields' types; `READERS` know all that are here.
    """
    readers = READERS if readers is None else readers
    known = fields(kind)
    if not isinstance(value, dict) or value.keys() != {field.name for field in known}:
        raise ValueError(f"no {kind.__name__}: it has other fields")
    return kind(**{field.name: readers[str(field.type)](value[field.name]) for field in known})


def _exactly(*kinds: type) -> Reader:
    """Return what reads a value of one of these types, as it is."""

    def check(value: object) -> object:
        if type(value) not in kinds:
            raise ValueError(f"{value!r:.60} is of another type")
        return value

    return check


def _several(read_one: Reader) -> Reader:
    """Return what reads a list of values."""

    def read_all(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{value!r:.60} is no list")
        return tuple(map(read_one, value))

    return read_all


def _perhaps(read_one: Reader) -> Reader:
    """Return what reads a value that may be missing."""
    return lambda value: None if value is None else read_one(value)


def _one_of(words: Any) -> Reader:
    known = get_args(words)

    def check(value: object) -> object:
        if value not in known:
            raise ValueError(f"{value!r:.60} is none of {', '.join(known)}")
        return value

    return check


def since(kind: type[T], **new: Any) -> Reader:
    """Return what reads a value that had not these fields in an earlier version, as whose they are read."""
    return lambda value: read(kind, {**new, **value} if isinstance(value, dict) else value)


def _part(value: object) -> Part:
    match value:
        case {"type": str(name), **others} if name in _PARTS:
            return read(_PARTS[name], others)
        case _:
            raise ValueError(f"{value!r:.60} is no part of a message")


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(_exactly(str)(value), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


_usage = since(Usage, cached_tokens=0, cache_write_tokens=0, cost=None)
_segment = since(Segment, input_cost=None, saved=None)

# By the type that a field is annotated with.
READERS: Final[Mapping[str, Reader]] = {
    "str": _exactly(str),
    "int": _exactly(int),
    "bool": _exactly(bool),
    "bytes": _bytes,
    "int | None": _exactly(int, type(None)),
    "bool | None": _exactly(bool, type(None)),
    "str | None": _exactly(str, type(None)),
    "float | None": _exactly(float, int, type(None)),
    "tuple[str, ...]": _several(_exactly(str)),
    "Opaque": _exactly(dict),
    "Opaque | None": _exactly(dict, type(None)),
    "Role": _one_of(Role),
    "Status": _one_of(Status),
    "Mode": _one_of(Mode),
    "Continuation | None": _perhaps(_one_of(Continuation)),
    "Effort | None": _perhaps(_one_of(Effort)),
    "Verbosity | None": _perhaps(_one_of(Verbosity)),
    "EndReason": EndReason,
    "EndReason | None": _perhaps(EndReason),
    "Usage": _usage,
    "Usage | None": _perhaps(_usage),
    "Timing": partial(read, Timing),
    "Segment | None": _perhaps(_segment),
    "tuple[Segment, ...]": _several(_segment),
    "Sequence[Segment]": _several(_segment),
    "tuple[Part, ...]": _several(_part),
    "tuple[Message, ...]": _several(partial(read, Message)),
    "Options": since(Options, schema=None, effort=None, top_p=None, verbosity=None, service_tier=None, web_search=None),
    "Cursor | None": _perhaps(partial(read, Cursor)),
    "Request": since(Request, background=False, cursor=None, session=""),
    "Rope": lambda value: Rope.of(_exactly(str)(value)),
}
