"""Files in a pipe: those that a question mentions, and what comes on standard input."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from llmterm.assembly.question import Wanted, question
from llmterm.errors import UsageError
from llmterm.messages import Attachment, Message
from tests import starter
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, WireServer, say

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
NOTES = "File notes.txt:\n```txt\nremember\n```"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text("remember\n", "utf-8")
    (tmp_path / "cat.png").write_bytes(PNG)
    (tmp_path / "data.bin").write_bytes(b"\0\1\2")
    (tmp_path / ".env").write_text("KEY=secret\n", "utf-8")
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "data", "text", "said"),
    [
        ("see @notes.txt", b"", f"see @notes.txt\n\n{NOTES}", ["attached notes.txt (9 bytes)"]),
        ("", b"see @notes.txt\n", f"see @notes.txt\n\n{NOTES}", ["attached notes.txt (9 bytes)"]),
        ("see @notes.txt", b"more", f"see @notes.txt\n\n{NOTES}\n\nmore", ["attached notes.txt (9 bytes)"]),
        ("explain", b"+ @notes.txt", "explain\n\n+ @notes.txt", []),
        ("me@notes.txt @all", b"", "me@notes.txt @all", []),
        ("@gone.txt", b"", "@gone.txt", ["there is no file gone.txt: it is sent as it stands"]),
        ("@sub", b"", "@sub", ["sub is a folder, and was not attached: @sub/ attaches its text files"]),
        ("@.env", b"", "@.env", [".env is hidden, and was not attached: -f sends it along"]),
        ("", b"\xef\xbb\xbfwhy?", "why?", []),
        ("", "\ufeffwhy, Jürgen?".encode("utf-16-le"), "why, Jürgen?", []),
        ("", "\ufeffwhy?".encode("utf-32-be"), "why?", []),
        (
            "",
            b"caf\xe9?",
            "caf�?",
            ["standard input: 1 character is not in UTF-8, and � stands there instead"],
        ),
    ],
)
def test_question_is_made_of_words_input_and_files(
    folder: Path, words: str, data: bytes, text: str, said: list[str]
) -> None:
    assert question(Wanted(words=words, data=data), folder) == (Message(role="user", text=text), said)


def test_images_are_attached_wherever_they_come_from(folder: Path) -> None:
    asked, said = question(Wanted(words="compare with @cat.png", data=PNG), folder)

    assert asked.text == "compare with @cat.png"
    assert asked.attachments == (
        Attachment(name="stdin.png", media_type="image/png", data=PNG),
        Attachment(name="cat.png", media_type="image/png", data=PNG),
    )
    assert said == ["attached cat.png (24 bytes)"]


@pytest.mark.parametrize(
    ("words", "data", "error"),
    [
        ("", PNG, "there is no question to what is on standard input"),
        ("", b"\xef\xbb\xbf \n", "there is no question on standard input"),
        ("why?", b"\0\1", "what is on standard input can be sent to no model"),
        ("why?", "why?".encode("utf-16-le"), "what is on standard input can be sent to no model"),
        ("see @data.bin", b"", "data.bin cannot be attached"),
    ],
)
def test_what_cannot_be_asked_is_an_error(folder: Path, words: str, data: bytes, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        question(Wanted(words=words, data=data), folder)

    assert caught.value.message == error
    assert caught.value.hint


def run(folder: Path, data: bytes, *arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    return starter.run([*LLMTERM, *arguments], env, input=data, cwd=folder)


def test_image_goes_where_it_is_taken_and_nothing_is_asked_where_not(folder: Path) -> None:
    """By its first bytes; refused before a question or a session is there, with exit code 2."""
    heard: list[object] = []

    async def script(exchange: Exchange) -> None:
        heard.append(exchange.body["messages"][-1]["content"])
        await say("a cat")(exchange)

    with WireServer(script) as server:
        env = environment(folder, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test")
        blind = [
            run(folder, PNG, "-m", "gpt-3.5-turbo", "what is it?", env=env),
            run(folder, b"what is on @cat.png?", "-m", "gpt-3.5-turbo", env=env),
            run(folder, b"\0\1", "-m", "gpt-4o", "what is it?", env=env),
        ]
        assert [each.returncode for each in blind] == [2, 2, 2]
        assert blind[0].stderr.startswith(b"llmterm: openai/gpt-3.5-turbo takes no images: stdin.png (")
        assert blind[1].stderr.startswith(b"llmterm: openai/gpt-3.5-turbo takes no images: cat.png (")
        assert blind[2].stderr.startswith(b"llmterm: what is on standard input can be sent to no model (")
        assert all((each.stdout, each.stderr.count(b"\n")) == (b"", 1) for each in blind)
        assert heard == []
        assert b"no session" in run(folder, b"", "--continue", "hi", env=env).stderr

        done = run(folder, PNG, "-m", "gpt-4o", "what is it?", env=env)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"a cat\n", b"")
    [content] = heard
    assert isinstance(content, list)
    assert base64.b64encode(PNG).decode() in str(content)


def test_endless_input_is_not_read_for_ever(folder: Path) -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        done = subprocess.run(
            [*LLMTERM, "-p", "local", "why?"],
            stdin=endless.stdout,
            env=environment(folder),
            capture_output=True,
            timeout=60,
            check=False,
        )
        endless.kill()

    assert (done.returncode, done.stdout) == (2, b"")
    assert (
        done.stderr == b"llmterm: there is too much on standard input (at most 52,428,800 bytes can be asked about)\n"
    )
