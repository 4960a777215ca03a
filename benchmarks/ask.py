"""How soon `llmterm ask` has asked: from its start to the first byte of its request.

Against the import of the library that sends it, which is the goal; and against a program that has nothing but that
library and sends the same, which is what the goal leaves out: httpx2 imports its connections when it first needs one.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from typing import Self

from benchmarks.child import Child
from benchmarks.measure import Row, alternate, compared
from benchmarks.programs import LLMTERM, TERMINAL, Programs, programs

ROUNDS = 20
GOAL = 1.2
_IMPORT = "import httpx2"
_BARE = """
import asyncio, httpx2, os
async def main():
    body = {"model": "test", "messages": [{"role": "user", "content": "Why?"}], "stream": True}
    async with httpx2.AsyncClient(trust_env=False) as client:
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        async with client.stream("POST", url, json=body) as answer:
            async for _ in answer.aiter_bytes():
                pass
asyncio.run(main())
"""
_ASK = (*LLMTERM, "ask", "-p", "openai", "-m", "test", "--no-save", "Why?")
_SAID = (
    {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
)
_BODY = "".join(f"data: {json.dumps(each)}\n\n" for each in _SAID) + "data: [DONE]\n\n"
_ANSWER = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(_BODY)}\r\n\r\n{_BODY}"


class Listener:
    """Answers requests one after the other; `heard` is when the first byte of the last one came (monotonic, ns)."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.heard = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection:
                asked = connection.recv(65536)
                self.heard = time.monotonic_ns()
                while asked and not asked.endswith(b"}"):
                    asked = connection.recv(65536)
                connection.sendall(_ANSWER.encode())


def run() -> list[Row]:
    with programs() as subjects, Listener() as listener:
        env = subjects.env(OPENAI_BASE_URL=f"http://127.0.0.1:{listener.port}/v1")
        imports, bare, piped, drawn = alternate(
            ROUNDS,
            lambda: _whole(subjects),
            lambda: _until_asked(listener, env, sys.executable, "-c", _BARE),
            lambda: _until_asked(listener, env, *_ASK),
            lambda: _until_asked(listener, env, *_ASK, terminal=TERMINAL),
        )
    return [
        compared("in a pipe, ms, against `import httpx2`", piped, imports, form="{:.0f}", goal=GOAL),
        compared("in a pipe, ms, against a bare request", piped, bare, form="{:.0f}"),
        compared("at a terminal, ms, against a bare request", drawn, bare, form="{:.0f}"),
    ]


def _whole(subjects: Programs) -> float:
    with Child((sys.executable, "-c", _IMPORT), subjects.env()) as child:
        return child.finish().wall * 1000


def _until_asked(
    listener: Listener, env: dict[str, str], *command: str, terminal: tuple[int, int] | None = None
) -> float:
    with Child(command, env, terminal=terminal) as child:
        if terminal is None:
            child.close_input()
        child.finish()
        return (listener.heard - child.started) / 1e6
