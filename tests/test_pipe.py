"""A question on standard input: the answer on standard output and nothing else, with the right exit code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from llmterm.cli.ask import no_console
from tests import starter
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, Script, WireServer, say


def run(
    home: Path,
    question: str | None,
    *arguments: str,
    script: Script | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run llmterm with `question` on its standard input, and `script` as the model."""
    with WireServer(script or say("ok")) as server:
        openai = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-test"} if script else {}
        environ = environment(home, **openai, **(env or {}))
        return starter.run([*LLMTERM, *arguments], environ, input=(question or "").encode())


@pytest.mark.parametrize("arguments", [[], ["chat"]])
def test_answer_is_all_there_is_on_standard_output(tmp_path: Path, arguments: list[str]) -> None:
    """Byte for byte, whatever is in it."""
    text = ["Grüße\x1b[31m ", "世界\r\n", "\x00end\n"]

    done = run(tmp_path, "hi", *arguments, script=say(*text))

    assert (done.stdout, done.stderr, done.returncode) == ("".join(text).encode(), b"", 0)


def test_an_unbuffered_output_is_an_output(tmp_path: Path) -> None:
    """As many containers have it; and without a trailing line, or a reader, it is the same as any other."""
    done = run(tmp_path, "hi", script=say("fine."), env={"PYTHONUNBUFFERED": "1"})

    assert (done.stdout, done.stderr, done.returncode) == (b"fine.\n", b"", 0)


@pytest.mark.parametrize(
    ("text", "written"), [("ok", b"ok\n"), ("ok\n", b"ok\n"), ("ok\n\n", b"ok\n\n"), ("ok\r\n", b"ok\r\n")]
)
def test_answer_ends_with_its_line(tmp_path: Path, text: str, written: bytes) -> None:
    """A line end is added where the model wrote none, and never a second one."""
    assert run(tmp_path, "hi", script=say(text)).stdout == written


@pytest.mark.parametrize(
    ("arguments", "piped", "asked"),
    [
        (["chat", "sum", "it", "up"], "", "sum it up"),
        (["chat", "sum it up"], "a text\n", "sum it up\n\na text"),
        (["sum it up"], "a text\n", "sum it up\n\na text"),
    ],
)
def test_question_on_the_command_line_goes_before_what_is_piped(
    tmp_path: Path, arguments: list[str], piped: str, asked: str
) -> None:
    """`cat text | llmterm "sum it up"`, and without a pipe the question alone."""
    heard: list[str] = []

    async def script(exchange: Exchange) -> None:
        heard.append(exchange.question)
        await say("ok")(exchange)

    done = run(tmp_path, piped, *arguments, script=script)

    assert (done.stdout, done.returncode, heard) == (b"ok\n", 0, [asked])


@pytest.mark.parametrize("body", ["{}", "{}data: [DONE]\n\n", "data: {}\n\ndata: [DONE]\n\n"])
def test_server_that_does_not_stream_is_asked_once_and_its_answer_written(tmp_path: Path, body: str) -> None:
    """Whatever it is told about streaming."""
    answer = {"choices": [{"message": {"role": "assistant", "content": "Whole answer."}, "finish_reason": "stop"}]}
    asked: list[str] = []

    async def script(exchange: Exchange) -> None:
        asked.append(exchange.question)
        await exchange.start(content_type="application/json")
        await exchange.raw(body.replace("{}", json.dumps(answer, indent=2 * (len(body) == 2) or None)).encode())
        await exchange.close()

    done = run(tmp_path, "hi", script=script)

    assert (done.stdout.rstrip(b"\n"), done.returncode, asked) == (b"Whole answer.", 0, ["hi"])


def test_thinking_that_an_answer_begins_with_is_not_part_of_it(tmp_path: Path) -> None:
    """A self-hosted server without a parser for it, whatever the chunks."""
    done = run(tmp_path, "hi", script=say("\n<th", "ink>Let me ", "see.</thi", "nk>", "\n\n", "It is `<think>`."))

    assert (done.stdout.rstrip(b"\n"), done.returncode) == (b"It is `<think>`.", 0)
    assert done.stderr.strip() == b"Let me see."


@pytest.mark.parametrize(
    ("reason", "words"),
    [("tool_calls", "wants to use a tool"), ("insufficient_system_resource", "insufficient_system_resource")],
)
def test_answer_that_ends_as_none_does_is_cut_short_and_says_why(tmp_path: Path, reason: str, words: str) -> None:
    """What came of it is on standard output."""
    done = run(tmp_path, "hi", script=say("Let me look.", reason=reason))

    assert (done.stdout.rstrip(b"\n"), done.returncode) == (b"Let me look.", 3)
    assert words in done.stderr.decode()


def cut_after(text: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text(text)
        exchange.drop()

    return script


@pytest.mark.parametrize(
    ("script", "reason"),
    [(cut_after("half"), "broke"), (say("half", reason="length"), "token limit")],
)
def test_answer_that_is_cut_short_leaves_what_came(tmp_path: Path, script: Script, reason: str) -> None:
    """The part on standard output, the reason and how to go on in one line on standard error, exit code 3."""
    done = run(tmp_path, "hi", script=script)

    assert (done.stdout, done.returncode) == (b"half\n", 3)
    assert reason in done.stderr.decode()
    assert "llmterm chat --session" in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_token_limit_that_was_asked_for_is_no_failure(tmp_path: Path) -> None:
    """With --max-tokens the notice stays, the exit code is 0."""
    done = run(tmp_path, "hi", "--max-tokens", "3", script=say("half", reason="length"))

    assert (done.stdout, done.returncode) == (b"half\n", 0)
    assert b"token limit" in done.stderr


def test_conversation_goes_on_through_a_pipe(tmp_path: Path) -> None:
    """`--continue` sends what was said before, and stores into the same session."""

    async def script(exchange: Exchange) -> None:
        await say(f"{len(exchange.body['messages'])} messages")(exchange)

    first = run(tmp_path, "one", "--no-marker", script=script)
    second = run(tmp_path, "two", "--no-marker", "--continue", script=script)

    assert (first.stdout, second.stdout) == (b"1 messages\n", b"3 messages\n")
    listed = json.loads(run(tmp_path, None, "sessions", "list", "--json").stdout)
    assert [row["messages"] for row in listed] == [4]


async def refuse(exchange: Exchange) -> None:
    await exchange.refuse(401, {"error": {"message": "bad key sk-test"}})


@pytest.mark.parametrize(
    ("arguments", "env", "code", "message"),
    [
        (["--provider", "nonsense"], {}, 2, "nonsense"),
        (["--provider", "openai"], {}, 2, "OPENAI_API_KEY"),
        (["--provider", "openai"], {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, 3, "is the server running"),
        (["--provider", "openai"], {"OPENAI_BASE_URL": "nonsense"}, 2, "OPENAI_BASE_URL"),
        (["--model", "/no/such.gguf"], {}, 2, "cannot read"),
        (["--model", __file__ + ".gguf"], {}, 2, "cannot read"),
        (["--temperature", "9"], {}, 2, "temperature"),
        (["--effort", "much"], {}, 2, "--effort is off or minimal or low"),
        (["--keys", "nonsense"], {}, 2, "terminal or global"),
        (["--marker", "!!"], {}, 2, "marker"),
        (["--session", "nope"], {}, 4, "nope"),
        (["--continue"], {}, 4, "no session"),
        (["--no-such-option"], {}, 2, "No such option"),
        (["sessions", "show", "nope"], {}, 4, "nope"),
        (["sessions", "export", "x", "--format", "pdf"], {}, 2, "json or markdown"),
        ([], {"LLMTERM_CONFIG": "/no/such/file.toml"}, 2, "no such file"),
    ],
)
def test_bad_input_is_a_clear_line_and_the_right_code(
    tmp_path: Path, arguments: list[str], env: dict[str, str], code: int, message: str
) -> None:
    """Never a traceback, nothing on standard output."""
    done = run(tmp_path, "hi", *arguments, env=env)

    assert (done.returncode, done.stdout) == (code, b"")
    assert message in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_refused_key_is_not_repeated(tmp_path: Path) -> None:
    """Exit code 3, and the key is nowhere: not on the screen, not in the database."""
    done = run(tmp_path, "hi", script=refuse)

    assert (done.returncode, done.stdout) == (3, b"")
    assert b"bad key ***" in done.stderr
    for file in (tmp_path / "data").iterdir():
        assert b"sk-test" not in file.read_bytes()


@pytest.mark.parametrize("question", ["", "  \n"])
def test_no_question_is_a_usage_error(tmp_path: Path, question: str) -> None:
    """An empty standard input says what is wanted."""
    done = run(tmp_path, question, script=say("ok"))

    assert (done.returncode, done.stdout) == (2, b"")
    assert b"echo question | llmterm chat" in done.stderr


def test_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    """`llmterm chat | head -c 1` ends quietly, and what was received is kept."""
    with WireServer(say(*["some text "] * 20_000)) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
        writer = subprocess.Popen(
            [*LLMTERM, "chat"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdin.write(b"go")
        writer.stdin.close()
        assert writer.stdout.read(4) == b"some"
        writer.stdout.close()

        assert (writer.stderr.read(), writer.wait(60)) == (b"", 0)
        writer.stderr.close()


def test_configuration_error_names_file_and_line(tmp_path: Path) -> None:
    """And the nearest valid key."""
    file = tmp_path / "c.toml"
    file.write_text('\n[providers.local]\nmodle = "x"\n')

    done = run(tmp_path, "hi", env={"LLMTERM_CONFIG": str(file)})

    assert done.returncode == 2
    assert f'{file}:3: unknown key "modle"' in done.stderr.decode()
    assert 'did you mean "model"' in done.stderr.decode()


def test_session_commands(tmp_path: Path) -> None:
    """list, show, export, delete and path, by the beginning of an id."""
    run(tmp_path, "what is it?", script=say("It is **this**."))
    (row,) = json.loads(run(tmp_path, None, "sessions", "list", "--json").stdout)
    prefix = row["id"][:4]

    listed = run(tmp_path, None, "sessions", "list").stdout.decode()
    shown = run(tmp_path, None, "sessions", "show", prefix).stdout.decode()
    exported = json.loads(run(tmp_path, None, "sessions", "export", prefix).stdout)
    path = run(tmp_path, None, "sessions", "path").stdout.decode().strip()
    deleted = run(tmp_path, None, "sessions", "delete", prefix)

    assert set(row) == {"id", "title", "created_at", "updated_at", "messages", "state"}
    assert (row["title"], row["messages"], row["state"]) == ("what is it?", 2, "complete")
    assert "what is it?" in listed
    assert "It is **this**." in shown
    assert set(exported) == {"version", "id", "title", "created_at", "messages"}
    assert exported["messages"][1]["segments"][0]["provider"] == "openai"
    assert path == str(tmp_path / "data" / "sessions.db")
    assert deleted.returncode == 0
    assert json.loads(run(tmp_path, None, "sessions", "list", "--json").stdout) == []


def test_version_and_help(tmp_path: Path) -> None:
    """Both without reading anything else."""
    assert run(tmp_path, None, "--version").stdout.startswith(b"llmterm ")
    helped = run(tmp_path, None, "chat", "--help").stdout.decode()
    for option in ("--provider", "--model", "--system", "--session", "--continue", "--keys", "--plain", "--no-marker"):
        assert option in helped


def test_start_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """No HTTP client, validation, renderer or model library on the way to the command line."""
    code = (
        "import sys, llmterm.cli; "
        "heavy = {'httpx2', 'pydantic', 'rich', 'markdown_it', 'xllamacpp', 'google', 'pynput', 'prompt_toolkit'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [LLMTERM[0], "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("program", "platform", "to_terminal", "pipe"),
    [
        ("mintty", "win32", False, True),
        ("mintty", "win32", True, False),
        ("mintty", "linux", False, False),
        ("vscode", "win32", False, False),
    ],
)
def test_mintty_without_winpty_is_told_apart(program: str, platform: str, to_terminal: bool, pipe: bool) -> None:
    """There a terminal looks like a pipe on both sides, and a chat would wait for a question for ever, silently."""
    assert no_console({"TERM_PROGRAM": program}, platform, output_is_terminal=to_terminal) is pipe


PRICED = '[providers.openai.prices."*"]\ninput = 1.0\noutput = 5.0\n'


def test_absurd_token_counts_with_a_price_end_like_any_others(tmp_path: Path) -> None:
    """The answer is there and stored, and the figures can be shown."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("kept")
        await exchange.raw(
            b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}],'
            b' "usage": {"prompt_tokens": %b, "completion_tokens": %b}}\n\n' % (b"9" * 400, b"9" * 5000)
        )
        await exchange.raw(b"data: [DONE]\n\n")
        await exchange.close()

    (tmp_path / "config.toml").write_text(PRICED, "utf-8")
    priced = {"LLMTERM_CONFIG": str(tmp_path / "config.toml")}

    done = run(tmp_path, "hi", script=script, env=priced)

    assert (done.stdout.strip(), done.stderr, done.returncode) == (b"kept", b"", 0)
    (figures,) = json.loads(run(tmp_path, None, "stats", "--json", env=priced).stdout)
    assert figures["output_tokens"] > 0


@pytest.mark.parametrize(
    "hint",
    [
        {"retry_after": "Mon, 01 Jan 99999999999 00:00:00 GMT"},
        {"delay": "1.2.3s"},
    ],
    ids=lambda hint: "".join(hint),
)
def test_malformed_hint_to_wait_is_a_refusal_like_any_other(tmp_path: Path, hint: dict[str, str]) -> None:
    delay = hint.pop("delay", "")

    async def script(exchange: Exchange) -> None:
        body = {"error": {"message": "slow down", "details": [{"retryDelay": delay}]}}
        await exchange.refuse(429, body, **hint)

    (tmp_path / "config.toml").write_text("[retry]\nattempts = 1\n", "utf-8")

    done = run(tmp_path, "hi", script=script, env={"LLMTERM_CONFIG": str(tmp_path / "config.toml")})

    assert done.returncode == 3
    assert b"slow down" in done.stderr
    assert b"Traceback" not in done.stderr
