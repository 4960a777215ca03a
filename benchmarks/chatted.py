"""Answers of the embedded model in the real chat: in a terminal, paused by key at any moment from Enter on.

One program answers all questions without a pause, each later one is paused; the texts are those that the program
exports. `busy` is beside a process that computes for ever: the prompt then takes so long that many pauses come before
the first token.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import Child
from benchmarks.programs import ANSWERED, LLMTERM, PROMPT, TERMINAL
from benchmarks.prompts import PROMPTS

TOKENS = 60
# Two questions in each session, the second of which finds the first answer computed.
SESSIONS = tuple(zip(PROMPTS[::3], PROMPTS[1::3], strict=True))
ROUNDS = 3
_STREAMS = rb"SPACE pause"
_NOT_BEGUN, _PAUSED, _AT_LIMIT = rb"paused after 0 tokens", rb"paused after", rb"paused at the token limit"
# A key that is held down repeats; a resume waits until it was let go.
_LET_GO = 0.4
# Of the time that the uninterrupted answer took.
_LATEST_PAUSE = 0.8


@dataclass(frozen=True, slots=True)
class Chatted:
    """`answers` were paused, `before` of them before the first token."""

    answers: int
    identical: int
    before: int


def chatted(dice: random.Random, *, busy: bool) -> Chatted:
    """Compare the answers of `ROUNDS` chats to those of one that is never paused."""
    with ExitStack() as stack:
        if busy:
            stack.enter_context(Child([sys.executable, "-c", "while True: pass"], dict(os.environ)))
        expected, times = _uninterrupted()
        found: list[tuple[bool, bool]] = []
        for _ in range(ROUNDS):
            early, texts = _paused([dice.uniform(0, _LATEST_PAUSE * each) for each in times])
            found += [(each, text == whole) for each, text, whole in zip(early, texts, expected, strict=False)]
    return Chatted(
        answers=len(found),
        identical=sum(identical for _, identical in found),
        before=sum(early for early, _ in found),
    )


def _uninterrupted() -> tuple[Sequence[str], Sequence[float]]:
    """Return the answers, and the seconds that each took."""
    times = []
    with _home() as env, _chat(env) as chat:
        for question in _questions(chat):
            began = chat.write(question)
            chat.wait_for(_STREAMS)
            _finish(chat)
            times.append((time.monotonic_ns() - began) / 1e9)
        return _texts(env), times


def _paused(seconds: Sequence[float]) -> tuple[Sequence[bool], Sequence[str]]:
    """Pause each answer so many seconds after Enter; return whether that was before its first token, and the answers.

    A chat whose answer was over before the key is left there.
    """
    early: list[bool] = []
    with _home() as env, _chat(env) as chat:
        for question, pause in zip(_questions(chat), seconds, strict=True):
            asked = chat.write(question)
            chat.wait_for(_STREAMS)
            chat.read_for(pause - (time.monotonic_ns() - asked) / 1e9)
            chat.write(b" ")
            end = chat.wait_for_first(_NOT_BEGUN, _PAUSED, _AT_LIMIT, ANSWERED)
            if end > 1:
                break
            early.append(end == 0)
            chat.read_for(_LET_GO)
            chat.forget()
            chat.write(b" ")
            chat.wait_for(_STREAMS)
            _finish(chat)
        return early, _texts(env)


def _questions(chat: Child) -> Iterator[bytes]:
    """Yield what to type for each question, in sessions of two."""
    for session in SESSIONS:
        for question in session:
            yield question.encode() + b"\r"
        chat.write(b"/new\r")
        chat.wait_for(rb"a new session")


def _finish(chat: Child) -> None:
    """Wait for the end of the answer, and take it as it is where the limit has ended it."""
    if chat.wait_for_first(_AT_LIMIT, ANSWERED) == 0:
        chat.read_for(_LET_GO)
        chat.forget()
        chat.write(b"\x1b")
        chat.wait_for(ANSWERED)


@contextmanager
def _home() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="llmterm-bench-") as home:
        config = Path(home) / "config.toml"
        config.write_text("[providers.local]\nthreads = 1\n", encoding="utf-8")
        yield {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "LLMTERM_DATA_DIR": str(Path(home) / "data"),
            "LLMTERM_CONFIG": str(config),
        }


@contextmanager
def _chat(env: dict[str, str]) -> Iterator[Child]:
    options = ("--provider", "local", "--temperature", "0", "--seed", "1", "--max-tokens", str(TOKENS))
    with Child([*LLMTERM, "chat", *options], env, terminal=TERMINAL) as chat:
        chat.wait_for(PROMPT)
        yield chat


def _texts(env: dict[str, str]) -> Sequence[str]:
    """Return the answers on the record, in the order of their questions."""
    listed = json.loads(_llmterm(env, "sessions", "list", "--json"))
    sessions = [json.loads(_llmterm(env, "sessions", "export", each["id"])) for each in listed]
    messages = [
        each for session in sorted(sessions, key=lambda each: each["created_at"]) for each in session["messages"]
    ]
    return [each["text"] for each in messages if each["role"] == "assistant"]


def _llmterm(env: dict[str, str], *arguments: str) -> str:
    return subprocess.run([*LLMTERM, *arguments], env=env, capture_output=True, text=True, check=True).stdout
