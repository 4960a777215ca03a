"""The debug log: one JSON object a line, for `--debug`.

Each line has the moment (`at`, UTC), what happened (`event`) and figures. What people and models said is there only as
a number of characters, unless it was asked for; keys are never there. Without `--debug` nothing is written or opened.
With it the lines are made and written in a thread: no disk holds up what they tell of.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Sized
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from llmterm.lane import Lane

FILE_NAME = "debug.jsonl"
_LARGEST = 10_000_000  # bytes; a larger file makes way for a new one
# How long the end of the log waits for a disk, in seconds.
_PATIENCE = 2.0

_logger = logging.getLogger("llmterm")
# Without a handler of ours nothing is said, not even by logging's handler of last resort.
_logger.addHandler(logging.NullHandler())
_logger.propagate = False


class Said:
    """Text, or what has a length and can become text, that a person or a model has said."""

    def __init__(self, words: Sized) -> None:
        self.words = words


def event(name: str, **fields: object) -> None:
    """Write a line, if anybody asked for the log."""
    if _logger.isEnabledFor(logging.DEBUG):
        _logger.debug(name, extra={"fields": fields})


class _Quiet(logging.FileHandler):
    trouble = ""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing yet: a traceback would tear the screen, for a line of a log on a full disk."""
        error = sys.exc_info()[1]
        self.trouble = getattr(error, "strerror", None) or type(error).__name__


class _Aside(logging.Handler):
    """Leaves what is logged to another handler, in a thread."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler
        self._lane = Lane("llmterm-log")

    def emit(self, record: logging.LogRecord) -> None:
        self._lane.put(partial(self._handler.handle, record))

    def close(self) -> None:
        """Wait until all is written, unless the disk does not answer."""
        written = threading.Event()
        self._lane.put(written.set)
        written.wait(_PATIENCE)
        self._lane.close()
        super().close()


class _JsonLines(logging.Formatter):
    def __init__(self, *, text: bool, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._text = text
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "fields", {})
        shown = {name: self._shown(value) for name, value in fields.items()}
        return self._redact(json.dumps({"at": at, "event": record.getMessage(), **shown}, default=str))

    def _shown(self, value: object) -> object:
        if not isinstance(value, Said):
            return value
        return str(value.words) if self._text else f"[{len(value.words)} characters]"


def to_file(folder: Path, *, text: bool, redact: Callable[[str], str] = str) -> Callable[[], str]:
    """Write the log to a file in `folder` from now on, with what was said if `text`; return what ends that,
    and says why not all of it could be written.

    Every line goes through `redact`, which knows the keys.

    Raises OSError.
    """
    path = folder / FILE_NAME
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST:
        path.replace(path.with_suffix(".old.jsonl"))
    # Not to be waited for, as a pipe of that name would have it.
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0), 0o600))
    file = _Quiet(path, encoding="utf-8")
    file.setFormatter(_JsonLines(text=text, redact=redact))
    handler = _Aside(file)
    level = _logger.level
    _logger.addHandler(handler)
    _logger.setLevel(logging.DEBUG)

    def stop() -> str:
        _logger.removeHandler(handler)
        _logger.setLevel(level)
        handler.close()
        with suppress(OSError):  # what a full disk has not taken
            file.close()
        return file.trouble

    return stop
