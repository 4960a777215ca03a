"""`llmterm ask` on pipes, with a scripted server behind it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from llmterm.sessions import SessionStore, export
from tests import starter
from tests.terminal import LLMTERM, environment
from tests.wire import Script, WireServer


def served(home: Path, server: WireServer, **more: str) -> dict[str, str]:
    """Return the environment of a user for whom `server` is OpenAI."""
    return environment(home, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test", **more)


def asked(
    home: Path,
    script: Script,
    *arguments: str,
    piped: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `llmterm ask` to its end; `script` is the model."""
    with WireServer(script) as server:
        command = [*LLMTERM, "ask", *arguments]
        return starter.run(command, served(home, server, **(env or {})), input=piped, cwd=cwd)


def stored(home: Path) -> list[dict[str, Any]]:
    """The messages of the newest session, as exported; none where there is no session."""
    with closing(SessionStore(home / "data")) as store:
        newest = store.latest()
        session = store.load(newest, peek=True) if newest else None
    messages: list[dict[str, Any]] = [] if session is None else export(session)["messages"]
    return messages


def answer_of(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """Return the one JSON object on standard output."""
    value: dict[str, Any] = json.loads(done.stdout)
    return value
