"""The chat with the real embedded model, in a real terminal; and the model's own promises."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llmterm.conversation import Conversation
from llmterm.errors import ConfigError, LocalModelError
from llmterm.messages import Options, Request, StreamLimits, TextDelta
from llmterm.progress import Progress
from llmterm.providers.local import LocalProvider
from llmterm.providers.weights import available, find_model
from llmterm.turn import Turn, TurnState
from tests.conftest import need
from tests.reading import heard
from tests.terminal import LLMTERM, Program, environment

pytestmark = pytest.mark.local

LONG = "Write a long story about a fox, in many paragraphs."
DETERMINED = Options(temperature=0, max_tokens=40, seed=7)


@pytest.fixture(autouse=True)
def _model() -> None:
    if not available():
        need("embedded model (the extra `local` and the weights)")


@pytest.fixture
async def provider() -> AsyncIterator[LocalProvider]:
    provider = LocalProvider(threads=1)
    yield provider
    await provider.aclose()


def request(question: str, options: Options = DETERMINED) -> Request:
    return Conversation().ask(question).request(model="", options=options)


async def read(turn: Turn, chunks: int | None = None) -> str:
    """Read the answer, or its next chunks, and return the text."""
    text = ""
    async for event in heard(turn):
        if isinstance(event, TextDelta):
            text += event.text
            chunks = None if chunks is None else chunks - event.chunks
        if chunks is not None and chunks <= 0:
            break
    return text


def one_thread(home: Path) -> dict[str, str]:
    """The environment of a fresh machine, but that more threads would only wait for each other on a busy one."""
    config = home / "config.toml"
    config.write_text("[providers.local]\nthreads = 1\n")
    return environment(home, LLMTERM_CONFIG=str(config))


@pytest.mark.timeout(300)
def test_conversation_that_is_paused_and_gone_on_with(tmp_path: Path) -> None:
    """Start, ask, pause in the middle, wait, resume, pause again, resume, finish; then a second question."""
    env = one_thread(tmp_path)
    with Program([*LLMTERM, "chat", "--max-tokens", "60", "--seed", "1"], env) as program:
        program.wait_for(r"local/SmolLM2-135M-Instruct\S*(?s:.*)\n>")
        program.send(f"{LONG}\r")
        program.wait_for("loading SmolLM2")
        for _ in range(2):
            program.wait_for(r"tokens/s - SPACE pause")
            program.send(" ")
            program.wait_for(r"paused after [1-9]\d* tokens?")
            # Laid out anew, the answer is still at rest.
            program.resize(60, 24)
            program.wait_for(r"paused after [1-9]\d* tokens?")
            program.resize(80, 24)
            program.send(" ")
        # The token limit ends the answer with a pause of its own; Esc takes the answer as it is.
        program.wait_for("paused at the token limit", timeout=120)
        program.send("\x1b")
        program.wait_for(r"\n\n>(\n(?!.*SPACE pause).*)?$")
        program.send("What was my first question about?\r")
        program.wait_for(r"first question about\?\n(?s:.*)(\n\n>(\n(?!.*SPACE pause).*)?$|paused at)", timeout=120)
        program.send("\x1b")
        program.send("\x04")
        assert program.exit_code == 0

    listed = json.loads(_llmterm(env, "sessions", "list", "--json"))
    messages = json.loads(_llmterm(env, "sessions", "export", listed[0]["id"]))["messages"]
    assert [each["role"] for each in messages] == ["user", "assistant", "user", "assistant"]
    first, second = messages[1], messages[3]
    assert [each["end_reason"] for each in first["segments"]] == ["pause", "pause", "length"]
    assert [each["mode"] for each in first["segments"]] == ["fresh", "prefill", "prefill"]
    assert first["segments"][-1]["end"] == len(first["text"])
    # The second question was asked with the whole first answer before it.
    assert second["segments"][0]["input_tokens"] > first["segments"][-1]["input_tokens"]


def _llmterm(env: dict[str, str], *arguments: str) -> str:
    return subprocess.run([*LLMTERM, *arguments], env=env, capture_output=True, text=True, check=True).stdout


def test_piped_question_is_answered_without_key_or_server(tmp_path: Path) -> None:
    """The answer, and not a word of llama.cpp's own."""
    done = subprocess.run(
        [*LLMTERM, "chat", "--max-tokens", "8"],
        input="What is the capital of France?",
        env=one_thread(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0
    assert len(done.stdout.split()) >= 2
    assert done.stderr.count("\n") <= 1


async def test_paused_answer_is_the_uninterrupted_one(provider: LocalProvider) -> None:
    """Greedy, in one process: wherever it is paused and gone on with, the text is the same to the letter."""
    whole = Turn(provider, request(LONG))
    whole.start()
    expected = await read(whole)

    for cut_after in (1, 7, 20):
        turn = Turn(provider, request(LONG))
        turn.start()
        await read(turn, cut_after)
        await turn.pause()
        await read(turn)
        turn.resume()
        await read(turn)

        assert turn.reply.text[: len(expected)] == expected, cut_after
        assert [segment.mode for segment in turn.reply.segments] == ["fresh", "prefill"]


async def test_cancel_stops_the_computation(provider: LocalProvider) -> None:
    """After a stop the model is free at once: a short question does not wait for the rest of a long answer."""
    long = Turn(provider, request(LONG, Options(temperature=0, max_tokens=4000)))
    long.start()
    await read(long, 3)

    await long.cancel()
    short = Turn(provider, request("Hi", Options(temperature=0, max_tokens=2)))
    short.start()
    async with asyncio.timeout(60):
        await read(short)

    assert short.reply.text
    assert long.state is TurnState.CANCELLED


async def test_pause_while_loading_loses_nothing(provider: LocalProvider) -> None:
    """A key during the load acts right after it; the loaded model is there for the resume."""
    turn = Turn(provider, request("Hi"))
    assert provider.preparation("").startswith("loading ")
    turn.start()

    await turn.pause()
    turn.resume()
    await read(turn)

    assert turn.reply.text
    assert provider.preparation("") == ""


async def test_loopback_serves_where_there_are_no_unix_sockets() -> None:
    """The same answers, on a free port behind a random key."""
    provider = LocalProvider(threads=1, unix_sockets=False)
    turn = Turn(provider, request("Hi"))
    turn.start()

    await read(turn)

    assert turn.reply.text
    await provider.aclose()


async def test_file_that_llama_cannot_load_is_a_clear_error(tmp_path: Path) -> None:
    """A file that looks right and is not: our error, and the program lives."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 1000)
    provider = LocalProvider()
    request = Conversation().ask("x").request(model=str(broken), options=Options())

    with pytest.raises(LocalModelError, match=r"cannot load broken\.gguf"):
        await provider.open(request, StreamLimits(), Progress())

    await provider.aclose()


def test_file_that_is_no_model_is_refused_before_loading(tmp_path: Path) -> None:
    """By its first bytes, and a missing one by name."""
    text = tmp_path / "text.gguf"
    text.write_text("no model")

    with pytest.raises(ConfigError, match="not a GGUF file"):
        find_model(str(text))
    with pytest.raises(ConfigError, match="No such file"):
        find_model(str(tmp_path / "none.gguf"))
