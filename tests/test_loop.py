"""The event loop waits for nothing: no disk, no name, no reader. Counted, not timed (`tests/watched.py`)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from llmterm.chat.commands.catalogue import catalogue
from llmterm.chat.decision import Gesture, Phase, Send
from llmterm.chat.live import Live
from llmterm.chat.mentions import paths
from llmterm.chat.options import Choices
from llmterm.chat.view import MarkdownView
from llmterm.errors import NetworkError
from llmterm.messages import Options, TextDelta
from llmterm.providers.registry import Entry, ProviderRegistry
from llmterm.render.ink import Ink
from llmterm.render.markdown import MarkdownRenderer
from llmterm.render.screen import Screen
from llmterm.render.theme import THEMES
from llmterm.sessions import SessionStore
from llmterm.threads import in_thread
from tests.chatting import opened
from tests.parts import KEYS, WINDOW, Parts
from tests.scripted import ScriptedProvider
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import Exchange, Gate, WireServer, say

WATCHED = [sys.executable, "-m", "tests.watched"]


def test_nothing_that_is_typed_has_the_loop_wait(tmp_path: Path) -> None:
    """Completing, asking, guiding, commands about sessions, taking out, editing, leaving: all that touches a disk."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "notes.txt").write_text("remember\n", "utf-8")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf ' edited' >> \"$1\"\n", "utf-8")
    editor.chmod(0o755)

    async def script(exchange: Exchange) -> None:
        if "messages" not in exchange.body:
            await exchange.refuse(404, {})  # the doctor asks which models there are
            return
        await exchange.start()
        await exchange.text("one ")
        if exchange.question.endswith("again"):
            await exchange.hung_up()
        else:
            await exchange.text("two.")
            await exchange.end()

    found = tmp_path / "waits"
    with opened(
        tmp_path,
        script,
        "--pause-mode",
        "hold",
        "--debug",
        program=[*WATCHED, str(found)],
        cwd=work,
        EDITOR=str(editor),
    ) as chat:
        at_prompt = r"(?m)^>[^\n]*\nopenai/[^\n]*\Z"
        chat.program.send("what is @no\t")
        chat.program.wait_for("@notes.txt")
        chat.program.send("\r")
        chat.program.wait_for(r"one two\.")
        for command in (
            "/attach no\t",
            "/save out.md",
            "/export all.json",
            "/copy",
            "/sessions",
            "/info",
            "/search one",
            "/doctor",
            "/title Mine",
            "/system be brief",
            "/retry",
            "/versions",
            "/versions previous",
            "/branch",
            "/undo",
        ):
            chat.program.wait_for(at_prompt)
            chat.program.send(f"\x15{command}\r")  # behind what is picked from
        chat.program.wait_for(at_prompt)
        chat.ask("again")
        chat.program.wait_for("SPACE pause")
        chat.program.wait_for(r"again\n(?s:.*)one")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("in the words of @notes.txt\r")
        chat.program.wait_for("two")
        chat.program.wait_for(at_prompt)
        chat.program.send("\x04")
        chat.program.wait_for_end()

    assert _waits(found) == []


def test_question_in_a_pipe_has_the_loop_wait_for_nothing(tmp_path: Path) -> None:
    """Neither for the file that it mentions nor for who reads the answer."""
    (tmp_path / "notes.txt").write_text("remember\n", "utf-8")
    found = tmp_path / "waits"
    with WireServer(say("fine.")) as server:
        done = subprocess.run(
            [*WATCHED, str(found), "chat", "--debug"],
            input=b"what is in @notes.txt?",
            env=environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test"),
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stdout) == (0, b"fine.\n")
    assert b"attached notes.txt" in done.stderr
    assert _waits(found) == []


def _waits(found: Path) -> list[str]:
    """Return what was waited for."""
    return found.read_text("utf-8").splitlines()


def test_ollama_that_does_not_answer_does_not_keep_the_prompt(tmp_path: Path) -> None:
    """It is looked for while the user types: one that answers before the first question has that."""
    answers = Gate()

    async def script(exchange: Exchange) -> None:
        if exchange.path == "/api/tags":
            await answers.wait()
            await exchange.refuse(200, {"models": [{"name": "slow"}]})
            return
        await exchange.start(content_type="application/x-ndjson")
        line = {"message": {"role": "assistant", "content": "Here I am."}, "done": True, "done_reason": "stop"}
        await exchange.raw(json.dumps(line).encode() + b"\n")
        await exchange.close()

    with WireServer(script) as server:
        env = environment(tmp_path, OLLAMA_HOST=f"127.0.0.1:{server.port}")
        with Program([*LLMTERM, "chat"], env) as program:
            program.wait_for(READY)
            assert "ollama" not in program.text
            answers.open()
            program.send("who are you?\r")
            program.wait_for(r"ollama/slow answers\n(?s:.*)Here I am\.")
            program.send("\x04")

            assert program.exit_code == 0


async def test_who_was_chosen_meanwhile_stays_chosen() -> None:
    """Whatever the search for a default comes to; and one that fails leaves who was there."""
    said: list[str] = []
    registry = ProviderRegistry({name: Entry(build=ScriptedProvider, model="m") for name in ("local", "ollama", "x")})

    async def found() -> tuple[str, str]:
        return "ollama", "m"

    async def fails() -> tuple[str, str]:
        raise NetworkError("it broke")

    for search, chosen, provider in ((found, "", "ollama"), (found, "x", "x"), (fails, "", "local")):
        choices = Choices(provider="local", model="m", options=Options(), search=search)
        if chosen:
            choices.choose(registry, chosen, "m")
        said += [await choices.decide(registry), await choices.decide(registry)]

        assert choices.provider == provider
    assert [*filter(None, said)] == ["ollama/m answers", "it broke; local/m answers"]


@pytest.mark.parametrize("stopped", [False, True])
async def test_an_answer_that_is_there_is_drawn_in_portions(tmp_path: Path, stopped: bool) -> None:
    """One that is opened or edited: no frame has all of it, keys are heard in between, and Esc shows the rest."""
    paragraphs = [f"Paragraph {number} of {'many ' * 40}" for number in range(1000)]
    frames: list[str] = []
    with closing(SessionStore(tmp_path)) as store:
        parts = Parts(store)
        view = MarkdownView(
            screen=Screen(write=frames.append, size=lambda: (80, 24), cell_len=len),
            size=lambda: (80, 24),
            renderer=lambda width: MarkdownRenderer(width=width, color=False, theme=THEMES["dark"]),
            foot=parts.composer.foot,
            ink=Ink,
        )
        parts.context.view = view
        live = Live(context=parts.context, commands=catalogue(KEYS), window=WINDOW, line=parts.line, clock=lambda: 0.0)
        parts.composer.begin(Phase.BUSY)
        if stopped:
            parts.composer.press(Send("x"))
            parts.composer.press(Gesture.STOP)

        view.begin()
        view.event(TextDelta("\n\n".join(paragraphs)))
        await live.draw()
        drawn = [sum(f"Paragraph {number} " in frame for number in range(1000)) for frame in frames]
        view.close()

        assert sum(f"Paragraph {number} " in "".join(frames) for number in range(1000)) == 1000
        assert parts.queue.waiting == ["x"] * stopped
        assert (max(drawn) > 500) == stopped


def test_a_program_ends_while_a_disk_does_not_answer() -> None:
    """Who is cancelled does not wait for the thread, and neither does the end of the loop."""
    answers = threading.Event()

    async def leave() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                await in_thread(answers.wait)

    asyncio.run(leave())

    assert not answers.is_set()
    answers.set()


async def test_what_a_thread_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


def test_completion_offers_the_first_of_many_files(tmp_path: Path) -> None:
    """In their order, whatever that of the disk is."""
    for number in reversed(range(300)):
        (tmp_path / f"file {number:03}").touch()
    found = paths("fi", tmp_path)

    assert [name for name, _ in found] == [f"file {number:03}" for number in range(100)]
