"""A batch of 10,000 questions, killed at random twenty times and gone on with, while one request in twenty fails.

Whether each has its answer in the end, once, and whether memory grows with what was asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.measure import Row, alone

QUESTIONS, KILLS, AT_ONCE = 10_000, 20, 50
FAULTS = 0.05
# Questions that are asked before it is killed, at the most, and those of the last run that memory is measured after.
_MOST, _WARM = 400, 1_000
_GROWTH_GOAL = 8.0  # MB
_PATIENCE = 900.0


class Server:
    """Answers with what was asked, word for word; counts what it was asked, and what it let fail."""

    def __init__(self, dice: random.Random) -> None:
        self.asked = 0
        self.failed: Counter[str] = Counter()
        self.port = 0
        self._dice = dice
        self._loop = asyncio.new_event_loop()

    @contextmanager
    def listening(self) -> Iterator[None]:
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024), self._loop
        ).result()
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(server.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                question = json.loads(await reader.readexactly(size))["messages"][-1]["content"]
                self.asked += 1
                if not await self._answer(writer, question):
                    break
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, question: str) -> bool:
        """Answer, or fail; return whether the connection is still there."""
        fault = self._dice.choice(("429", "500", "cut")) if self._dice.random() < FAULTS else ""
        self.failed[fault] += bool(fault)
        if fault in ("429", "500"):
            body = b'{"error": {"message": "not now"}}'
            writer.write(b"HTTP/1.1 %s X\r\nretry-after: 0\r\ncontent-length: %d\r\n\r\n" % (fault.encode(), len(body)))
            writer.write(body)
            await writer.drain()
            return True
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(_chunk({"choices": [{"delta": {"content": "answer to "}}]}))
        await writer.drain()
        if fault:
            writer.transport.abort()
            return False
        writer.write(_chunk({"choices": [{"delta": {"content": question}, "finish_reason": "stop"}]}))
        writer.write(_chunk({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}))
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()
        return True


def run() -> list[Row]:
    dice = random.Random(20261128)
    server = Server(dice)
    with tempfile.TemporaryDirectory() as folder, server.listening():
        home = Path(folder)
        with (home / "questions.jsonl").open("w") as lines:
            lines.writelines(
                json.dumps({"id": f"q{each}", "prompt": f"question {each}"}) + "\n" for each in range(QUESTIONS)
            )
        for _ in range(KILLS):
            program = _started(home, server)
            wait(program, server, server.asked + dice.randint(1, _MOST))
            program.kill()
            program.wait()
        before = server.asked
        began = time.monotonic()
        program = _started(home, server)
        wait(program, server, before + _WARM)
        warm = resident(program.pid)
        last = warm
        while program.poll() is None:
            last = resident(program.pid) or last
            time.sleep(0.05)
        seconds = time.monotonic() - began
        found = Counter(answers(home / "answers.jsonl"))
    wanted = {(f"q{each}", f"answer to question {each}") for each in range(QUESTIONS)}
    twice = sum(count - 1 for count in found.values())
    return [
        alone("questions without their answer", len(wanted - found.keys()), form="{:.0f}", goal=0),
        alone("answers twice, or to nothing", twice + len(found.keys() - wanted), form="{:.0f}", goal=0),
        alone("exit code", program.returncode, form="{:.0f}", goal=0),
        alone("requests that were let fail", server.failed.total(), form="{:.0f}"),
        alone("requests beside one for each question", server.asked - QUESTIONS, form="{:.0f}"),
        alone("questions a second in the last run", (server.asked - before) / seconds, form="{:.0f}"),
        alone("growth of memory after its first thousand, MB", (last - warm) / 1e6, form="{:.1f}", goal=_GROWTH_GOAL),
    ]


def _started(home: Path, server: Server) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "llmterm", "batch", "questions.jsonl", "-o", "answers.jsonl", "--resume"]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{server.port}/v1",
        "OPENAI_API_KEY": "sk-benchmark",
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    return subprocess.Popen(
        [*words, "-m", "openai/test", "--concurrency", str(AT_ONCE)], cwd=home, env=env, stdin=subprocess.DEVNULL
    )


def wait(program: subprocess.Popen[bytes], server: Server, asked: int) -> None:
    """Wait until the server was asked so often."""
    end = time.monotonic() + _PATIENCE
    while server.asked < asked:
        assert program.poll() is None, "it has ended"
        assert time.monotonic() < end, "it does not go on"
        time.sleep(0.002)


def answers(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as lines:
        for line in lines:
            value = json.loads(line)
            yield value["id"], value["text"]


def resident(pid: int) -> int:
    """Return the bytes of a process that are in memory, 0 where it is gone."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _chunk(value: object) -> bytes:
    data = b"data: " + json.dumps(value).encode() + b"\n\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
