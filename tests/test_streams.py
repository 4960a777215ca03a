"""Standard streams that are closed, full, shared or left early, and the signals that end a program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from llmterm.sessions import SessionStore
from tests.chatting import Conversation, opened, until_hung_up
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, Gate, Script, WireServer, finish, say

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs descriptors and signals as POSIX has them")

COMMANDS = [
    ["--help"],
    ["--version"],
    ["completion", "bash"],
    ["config", "path"],
    ["models"],
    ["sessions", "list"],
    ["sessions", "list", "--json"],
    ["sessions", "export", "{id}"],
    ["stats"],
    ["hi"],
]


def served(home: Path, server: WireServer) -> dict[str, str]:
    return environment(home, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test")


def shell(env: Mapping[str, str], redirection: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run llmterm as a shell does, with its standard streams redirected."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *LLMTERM, *arguments]
    return subprocess.run(command, env=env, input=b"", capture_output=True, timeout=60)


def thought(text: str) -> bytes:
    """Return what a chunk of thinking is on the wire."""
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'reasoning_content': text}}]})}\n\n".encode()


def thinks(*thoughts: str, text: Sequence[str] = ()) -> Script:
    """Return a script that thinks, says `text`, and ends."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for each in thoughts:
            await exchange.raw(thought(each))
        for each in text:
            await exchange.text(each)
        await exchange.raw(finish())
        await exchange.close()

    return script


def patiently() -> Iterator[None]:
    """Yield until it is no use to wait any longer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        yield
        time.sleep(0.02)
    pytest.fail("what was waited for did not come")


async def anything(exchange: Exchange) -> None:
    """List one model, and answer every question."""
    if exchange.path.endswith("/models"):
        await exchange.refuse(200, {"data": [{"id": "m"}]})
    else:
        await say("an answer")(exchange)


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """Return the id of a session that is larger than any buffer."""
    from llmterm.messages import Message

    store = SessionStore(tmp_path / "data")
    session = store.create(title="long")
    store.add(session, Message(role="user", text="x" * 200_000))
    store.close()
    return session


# Closed


@pytest.mark.parametrize(
    ("redirection", "out"), [("2>&-", b"fine\n"), ("<&-", b"fine\n"), (">&-", b""), ("<&- >&- 2>&-", b"")]
)
def test_question_is_answered_whatever_stream_is_closed(tmp_path: Path, redirection: str, out: bytes) -> None:
    """And kept: a closed stream is one that nobody reads."""
    with WireServer(thinks("hm", text=["fine"])) as server:
        done = shell(served(tmp_path, server), redirection, "why?")

    assert (done.returncode, done.stdout) == (0, out)
    assert done.stderr in (b"hm\n", b"")
    store = SessionStore(tmp_path / "data")
    try:
        session = store.load(store.latest() or "", peek=True)
    finally:
        store.close()
    assert [each.text for each in session.conversation.messages] == ["why?", "fine"]


def test_error_with_standard_error_closed_keeps_its_code(tmp_path: Path) -> None:
    done = shell(environment(tmp_path), "2>&-", "-p", "nonsense", "why?")

    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_standard_input_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A file that is only written to, and its like."""
    done = shell(environment(tmp_path), f"0>'{tmp_path}/out'", "-p", "local", "why?")

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"llmterm: standard input cannot be read: ")


# Left early, and full


def all_into(descriptor: int, home: Path, session: str) -> list[tuple[list[str], int, bytes]]:
    """Run all commands at once with that standard output; return each with its code and what it says."""
    with WireServer(anything) as server:
        running = [
            subprocess.Popen(
                [*LLMTERM, *(word.format(id=session) for word in command)],
                env=served(home, server),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.PIPE,
            )
            for command in COMMANDS
        ]
        os.close(descriptor)
        said = [each.communicate(timeout=60)[1] for each in running]
    return [(command, each.returncode, said) for command, each, said in zip(COMMANDS, running, said, strict=True)]


def test_reader_that_has_gone_is_no_error_of_any_command(tmp_path: Path, kept: str) -> None:
    """`llmterm sessions list | true` ends quietly, with 0."""
    reader, writer = os.pipe()
    os.close(reader)

    for command, code, said in all_into(writer, tmp_path, kept):
        assert (command, code, said) == (command, 0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_is_full_is_said_in_one_line(tmp_path: Path, kept: str) -> None:
    """Exit code 2, by every command: where its output goes is the user's word."""
    for command, code, said in all_into(os.open("/dev/full", os.O_WRONLY), tmp_path, kept):
        assert (command, code, said.count(b"\n")) == (command, 2, 1)
        assert re.match(rb"llmterm: the (output|answer) cannot be written: No space left on device", said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_standard_error_that_is_full_is_no_reason_not_to_answer(tmp_path: Path) -> None:
    with WireServer(thinks("hm", text=["fine"])) as server:
        done = shell(served(tmp_path, server), "2>/dev/full", "why?")

    assert (done.returncode, done.stdout) == (0, b"fine\n")


# An answer and what is said beside it


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (say(), b"llmterm: the answer is empty (ask again, or another model)\n"),
        (say(" ", "\n"), b"llmterm: the answer is empty (ask again, or another model)\n"),
        (
            thinks("hm", "mm"),
            b"hmmm\nllmterm: the answer is empty: the model thought, and said nothing (ask again, or another model)\n",
        ),
    ],
)
def test_answer_without_words_is_a_failure(tmp_path: Path, script: Script, words: bytes) -> None:
    """Said on standard error, with exit code 3: a program that reads the answer has to know."""
    with WireServer(script) as server:
        done = shell(served(tmp_path, server), "", "why?")

    assert (done.returncode, done.stdout.strip(), done.stderr) == (3, b"", words)


def test_token_limit_while_thinking_is_a_failure_even_if_asked_for(tmp_path: Path) -> None:
    with WireServer(say(reason="length")) as server:
        done = shell(served(tmp_path, server), "", "why?", "--max-tokens", "5")

    assert (done.returncode, done.stdout) == (3, b"")
    assert b"the token limit was reached" in done.stderr


def test_thinking_and_answer_have_lines_of_their_own(tmp_path: Path) -> None:
    """On a terminal that shows both as they come, and what follows them too."""
    with WireServer(thinks("I wonder", text=["half"])) as server:
        env = served(tmp_path, server)
        with Program(["sh", "-c", '"$@" why </dev/null; echo "code $?"', "sh", *LLMTERM], env) as program:
            program.wait_for_end()

            assert program.lines[:3] == ["I wonder", "half", "code 0"]


# A reader that does not read


def received(home: Path) -> str:
    """Return what is on the record of the newest session's answer."""
    with closing(SessionStore(home / "data")) as store:
        newest = store.latest()
        session = store.load(newest, peek=True) if newest else None
    if session is None:
        return ""
    if session.answer is not None:
        return session.answer.message.text
    return "".join(each.text for each in session.conversation.messages if each.role == "assistant")


@pytest.mark.parametrize(("number", "unread"), [(signal.SIGINT, "stdout"), (signal.SIGTERM, "stderr")])
def test_reader_that_does_not_read_holds_up_neither_signal_nor_journal(
    tmp_path: Path, number: signal.Signals, unread: str
) -> None:
    """The answer is more than a pipe holds: all of it is on the record while nobody has read any."""
    text = ["x" * 1000 + "\n"] * 200

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        if unread == "stderr":
            for each in text:
                await exchange.raw(thought(each))
        for each in text:
            await exchange.text(each)
        await exchange.hung_up()

    with (
        WireServer(script) as server,
        subprocess.Popen(
            [*LLMTERM, "why?"],
            env=served(tmp_path, server),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if unread == "stdout" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if unread == "stderr" else subprocess.DEVNULL,
        ) as run,
    ):
        try:
            for _ in patiently():
                if received(tmp_path) == "".join(text):
                    break
            run.send_signal(number)

            assert run.wait(60) == 128 + number
        finally:
            run.kill()
    assert received(tmp_path) == "".join(text)


def test_reader_that_reads_late_gets_all_in_order(tmp_path: Path) -> None:
    """Also what is written beside the text, where both go the same way."""
    text = [f"{number:06}" * 200 + "\n" for number in range(1000)]
    with WireServer(thinks("hm", text=text)) as server:
        command = [*LLMTERM, "why?"]
        with subprocess.Popen(
            command,
            env=served(tmp_path, server),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as run:
            for _ in patiently():
                if len(received(tmp_path)) > 500_000:
                    break
            said, _ = run.communicate(timeout=60)

    assert (said.decode(), run.returncode) == ("hm\n" + "".join(text), 0)


# Signals


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGQUIT, 131)]
)
def test_signal_has_the_code_of_a_shell_in_every_state_of_a_pipe(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """While the question is read, while an answer streams, and in a command that answers nothing."""
    asked = Gate()
    listed = Gate()

    async def script(exchange: Exchange) -> None:
        if exchange.path.endswith("/models"):
            listed.open()
        else:
            await exchange.start()
            await exchange.text("some")
            asked.open()
        await exchange.hung_up()

    with WireServer(script) as server:
        env = served(tmp_path, server)

        with (
            run_on(env, "why?", close=True) as streaming,
            run_on(env, "models", "-p", "openai") as listing,
            run_on(env) as reading,
        ):
            server.run(asked.wait())
            server.run(listed.wait())
            assert streaming.stdout is not None
            assert streaming.stdout.read(4) == b"some"
            for each in (streaming, listing, reading):
                each.send_signal(number)
            said = [each.communicate(timeout=60) for each in (streaming, listing, reading)]

    assert [each.returncode for each in (streaming, listing)] == [code, code]
    assert reading.returncode in (code, -number)  # it may not have got so far
    assert [out for out, _ in said] == [b"\n", b"", b""]
    assert not any(b"Traceback" in err for _, err in said[:2])


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_terminal_that_is_closed_has_the_code_of_a_hang_up_in_every_state_of_a_chat(
    tmp_path: Path, plain: list[str]
) -> None:
    """At the prompt, in a menu, while an answer streams, and at a pause; what came of the answer is kept."""

    def prompt(_chat: Conversation) -> None:
        pass

    def menu(chat: Conversation) -> None:
        chat.program.send("/\t")
        chat.program.wait_for("/model")

    def streaming(chat: Conversation) -> None:
        chat.ask("go")
        chat.program.wait_for("half")

    def paused(chat: Conversation) -> None:
        streaming(chat)
        chat.program.send(" ")
        chat.program.wait_for("paused after")

    for state in (prompt, menu, streaming, paused):
        with opened(tmp_path / state.__name__, until_hung_up("half"), *plain) as chat:
            state(chat)

            assert (state, chat.program.hang_up()) == (state, 129)
            if state in (streaming, paused):
                assert [each["text"] for each in chat.messages()] == ["go", "half"]


def test_hang_up_that_is_ignored_ends_nothing(tmp_path: Path) -> None:
    """As `nohup` has it."""
    began = Gate()
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("some")
        began.open()
        await gate.wait()
        await exchange.end()

    with WireServer(script) as server:
        child = subprocess.Popen(
            ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *LLMTERM, "why?"],
            env=served(tmp_path, server),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        server.run(began.wait())
        child.send_signal(signal.SIGHUP)
        server.run(_open(gate))

        assert child.communicate(timeout=60)[0] == b"some\n"
        assert child.returncode == 0


def run_on(env: Mapping[str, str], *arguments: str, close: bool = False) -> subprocess.Popen[bytes]:
    """Begin to run llmterm, with nothing on its standard input, or with that still open."""
    stdin = subprocess.DEVNULL if close else subprocess.PIPE
    return subprocess.Popen(
        [*LLMTERM, *arguments], env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def _open(gate: Gate) -> None:
    gate.open()
