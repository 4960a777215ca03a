"""The debug log: figures, never what was said unless asked for, and a file that is its owner's alone."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from llmterm import log
from llmterm.messages import Rope


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / log.FILE_NAME).read_text("utf-8").splitlines()]


def write(folder: Path, *, text: bool) -> dict[str, Any]:
    """Log one event and return its line."""
    stop = log.to_file(folder, text=text)
    log.event("end", reason="stop", answer=log.Said(Rope(("one ", "two"))), retries=1)
    stop()
    return lines(folder)[-1]


def test_what_was_said_is_a_number_of_characters(tmp_path: Path) -> None:
    """The log of a private conversation can be shown to others."""
    line = write(tmp_path, text=False)

    assert line.pop("at").endswith("+00:00")
    assert line == {"event": "end", "reason": "stop", "answer": "[7 characters]", "retries": 1}


def test_what_was_said_is_there_when_asked_for(tmp_path: Path) -> None:
    """Whoever hunts for a bug in the text itself can have it."""
    assert write(tmp_path, text=True)["answer"] == "one two"


def test_nothing_is_written_before_and_after(tmp_path: Path) -> None:
    """The log is what happened between switching it on and off."""
    log.event("before")
    stop = log.to_file(tmp_path, text=False)
    stop()
    log.event("after")

    assert lines(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions are another matter there")
def test_file_is_private(tmp_path: Path) -> None:
    """Even without what was said it tells who talks to whom, and when."""
    write(tmp_path / "data", text=False)

    assert stat.S_IMODE((tmp_path / "data" / log.FILE_NAME).stat().st_mode) == 0o600


def test_large_file_makes_way(tmp_path: Path) -> None:
    """The log does not grow for ever."""
    (tmp_path / log.FILE_NAME).write_bytes(b" " * 10_000_001)

    write(tmp_path, text=False)

    assert len(lines(tmp_path)) == 1
