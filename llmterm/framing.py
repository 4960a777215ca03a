"""Server-sent events and newline-delimited JSON: bytes in, frames out.

Pure, independent of how the bytes are cut, and forgiving where real servers are sloppy: CRLF or LF, comments, fields
in any order, a last event without its blank line, a field named `error`, a bare JSON error after the events, JSON and
nothing else where a stream was asked for, in one line or many. Unlike `str.splitlines`, only CR and LF end a line
(https://html.spec.whatwg.org/multipage/server-sent-events.html). A line or event larger than the limit raises
LimitError instead of filling the memory.
"""

from __future__ import annotations

import json
import re
from typing import Literal, NamedTuple, Protocol, TypeAlias

from llmterm.errors import LimitError

Framing: TypeAlias = Literal["sse", "ndjson"]

_BOM = b"\xef\xbb\xbf"
_DONE = "[DONE]"
_BETWEEN = re.compile(r"(?:[\s,]|data:)*")
_JSON = json.JSONDecoder()
# How a line begins that is a part of JSON over several lines, and none of an object by itself.
_INNER = (b" ", b"\t", b'"', b"}", b"]")
_FIELDS = (b":", b"event:", b"id:", b"retry:")


class Frame(NamedTuple):
    """One event: its name ("" where the server gave none) and its data, mostly JSON.

    `id` is the last that the server gave up to here: from there a stream that broke off can be taken up again.
    """

    event: str
    data: str
    id: str = ""


class Decoder(Protocol):
    def feed(self, data: bytes) -> list[Frame]: ...
    def close(self) -> list[Frame]:
        """Return what was still open when the body ended."""
        ...


def decoder(framing: Framing, max_event_bytes: int) -> Decoder:
    return SseDecoder(max_event_bytes) if framing == "sse" else NdjsonDecoder(max_event_bytes)


class _Lines:
    """Cuts bytes into lines at CR, LF and CRLF; linear also for a line that arrives in many pieces."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._first = True

    def feed(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, *lines = data.split(b"\n")
        if not lines:
            self._keep(head)
            return []
        if self._parts:
            self._parts.append(head)
            head = b"".join(self._parts)
            self._parts, self._size = [], 0
        tail = lines.pop()
        lines.insert(0, head)
        self._keep(tail)
        if self._first:
            self._first = False
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def close(self) -> list[bytes]:
        rest = b"".join(self._parts)
        self._parts = []
        return [rest.removeprefix(_BOM) if self._first else rest] if rest else []

    def _keep(self, part: bytes) -> None:
        if part:
            self._parts.append(part)
            self._size += len(part)
            _check(self._size, self._limit)


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise LimitError(f"an event larger than {limit} bytes", hint="the server does not speak this protocol")


class SseDecoder:
    """Server-sent events."""

    def __init__(self, max_event_bytes: int) -> None:
        self._lines = _Lines(max_event_bytes)
        self._limit = max_event_bytes
        self._event = ""
        self._id = ""
        self._data: list[str] = []
        self._stray: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        for line in self._lines.feed(data):
            self._line(line, frames)
        return frames

    def close(self) -> list[Frame]:
        frames: list[Frame] = []
        for line in self._lines.close():
            self._line(line, frames)
        self._dispatch(frames)
        self._flush(frames)
        return frames

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if not line:
            if self._data or self._event:
                self._dispatch(frames)
            return
        if line.startswith(b"data:"):
            self._count(line)
            if self._stray:
                self._flush(frames)
            self._data.append(_value(line, 5))
        elif line.startswith(b"event:"):
            self._event = _value(line, 6)
        elif line.startswith(b"error:"):
            self._dispatch(frames)
            frames.append(Frame("error", _value(line, 6)))
        elif line.startswith(b"id:"):
            if b"\0" not in line:
                self._id = _value(line, 3)
        elif not line.startswith((b":", b"retry:")):
            self._count(line)
            lines = self._data if self._data and line.startswith(_INNER) else self._stray
            lines.append(line.decode("utf-8", "replace"))

    def _count(self, line: bytes) -> None:
        self._size += len(line)
        _check(self._size, self._limit)

    def _dispatch(self, frames: list[Frame]) -> None:
        if self._data:
            frames.append(Frame(self._event, "\n".join(self._data), self._id))
        self._event, self._data, self._size = "", [], 0

    def _flush(self, frames: list[Frame]) -> None:
        """Give out what was in no event. What is no JSON, such as a web page, is for the wire to find no sense in."""
        stray, self._stray = "\n".join(self._stray), []
        frames.extend(_values(stray))


def _values(text: str) -> list[Frame]:
    """Return a frame for each of the JSON objects that a text is, also those of a list, and one for what is none."""
    frames: list[Frame] = []
    position = 0
    while (position := _end_of_gap(text, position)) < len(text):
        if text.startswith(_DONE, position):
            frames.append(Frame("", _DONE))
            position += len(_DONE)
            continue
        try:
            value, end = _JSON.raw_decode(text, position)
            frames += [_bare(each, json.dumps(each)) for each in value] if _objects(value) else []
        except (ValueError, RecursionError):
            return [*frames, Frame("", text[position:])]
        if not _objects(value):
            frames.append(_bare(value, text[position:end]))
        position = end
    return frames


def _end_of_gap(text: str, position: int) -> int:
    gap = _BETWEEN.match(text, position)
    return gap.end() if gap else position


def _objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _bare(value: object, text: str) -> Frame:
    return Frame("error" if isinstance(value, dict) and value.get("error") else "", text)


def _value(line: bytes, start: int) -> str:
    if line[start : start + 1] == b" ":
        start += 1
    return line[start:].decode("utf-8", "replace")


class NdjsonDecoder:
    """Newline-delimited JSON: each line that is not empty is a frame.

    Server-sent events have their data in lines, too, and JSON in many lines is taken for one value: it begins with a
    line that opens it without closing it, and ends with the body, or where a line is an object by itself.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._lines = _Lines(max_event_bytes)
        self._limit = max_event_bytes
        self._open: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        for line in self._lines.feed(data):
            self._line(line.rstrip(), frames)
        return frames

    def close(self) -> list[Frame]:
        frames: list[Frame] = []
        for line in self._lines.close():
            self._line(line.rstrip(), frames)
        self._flush(frames)
        return frames

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if line.startswith(b"data:"):
            line = line[5:].lstrip()
        if not line or line.startswith(_FIELDS):
            return
        text = line.decode("utf-8", "replace")
        opens = line.startswith((b"{", b"["))
        if text == _DONE:
            self._flush(frames)
            frames.append(Frame("", text))
        elif opens and len(line) > 2 and line.endswith((b"}", b"]")):
            # What was open before was none: each of its lines stands for itself.
            frames += [Frame("", each) for each in self._open]
            frames += [Frame("", text)] if line.startswith(b"{") else _values(text)
            self._open, self._size = [], 0
        elif opens or self._open:
            self._size += len(line)
            _check(self._size, self._limit)
            self._open.append(text)
        else:
            frames.append(Frame("", text))

    def _flush(self, frames: list[Frame]) -> None:
        lines, self._open, self._size = self._open, [], 0
        frames.extend(_values("\n".join(lines)))
