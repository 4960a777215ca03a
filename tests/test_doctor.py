"""`llmterm doctor`: what it finds, what it says to do, and what it never shows."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.assembly.doctor import Check, examine, exit_code, lines
from llmterm.assembly.doctor.inquiry import Answers, ask, understood
from llmterm.config import BUILT_IN, Settings
from llmterm.messages import Message
from llmterm.sessions import SessionStore
from tests.starter import run_text
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, Script, WireServer
from tests.x11 import require, x_server

HEADER = "of-a-gateway-0123456789"
KEY = "sk-this-is-a-secret-0123456789"


def doctor(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_text([*LLMTERM, "doctor", *arguments], environment(home, **env))


def findings(home: Path, *arguments: str, **env: str) -> dict[str, dict[str, str]]:
    """Return the checks of the JSON report by name."""
    return {check["name"]: check for check in json.loads(doctor(home, "--json", *arguments, **env).stdout)["checks"]}


def bare(home: Path, **more: str) -> dict[str, str]:
    """Return the settings of a machine without the embedded model, as far as a user can say that."""
    folder = home / "config" / "llmterm"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text('provider = "openai"\n[providers.local]\nmodel = "/no/such.gguf"\n', "utf-8")
    return more


def listing(*names: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, {"data": [{"id": name} for name in names]})

    return script


def refusal(status: int) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.refuse(status, {"error": {"message": f"no {KEY}"}})

    return script


# The report


def test_new_user_reads_that_a_chat_can_work(tmp_path: Path) -> None:
    """Each state in words, nothing to do, exit code 0, and nothing is left behind."""
    done = doctor(tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "✓ ok       configuration" in done.stdout
    assert "· note     keys" in done.stdout
    assert done.stdout.endswith("\n\nA chat can work.\n")
    assert "\x1b" not in done.stdout
    assert not (tmp_path / "data").exists()


def test_json_is_stable(tmp_path: Path) -> None:
    """A version, whether a chat can work, and the checks with four texts each."""
    report = json.loads(doctor(tmp_path, "--json").stdout)

    assert set(report) == {"version", "ok", "checks"}
    assert (report["version"], report["ok"]) == (1, True)
    assert all(set(check) == {"name", "state", "value", "hint"} for check in report["checks"])
    assert {check["state"] for check in report["checks"]} <= {"ok", "note", "warning", "problem"}
    names = [check["name"] for check in report["checks"]]
    assert len(set(names)) == len(names)
    assert {"llmterm", "terminal", "configuration", "data folder", "sessions", "embedded model", "answers"} <= set(
        names
    )


def test_provider_answers_with_its_latency(tmp_path: Path) -> None:
    """One request to the list of models; the key is named by where it is."""
    with WireServer(listing("gpt-a", "gpt-b")) as server:
        found = findings(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url)

    assert [exchange.path for exchange in server.exchanges] == ["/v1/models"]
    assert found["provider openai"]["state"] == "ok"
    assert " ms, 2 models" in found["provider openai"]["value"]
    assert found["key openai"]["value"] == "in OPENAI_API_KEY"
    assert found["answers"]["value"].startswith("openai/")


@pytest.mark.parametrize(
    ("model", "listed", "code"),
    [
        ("gpt-a", ["gpt-a", "gpt-b"], 0),
        ("gpt-c", ["gpt-a", "gpt-b"], 3),
        ("gpt-c", [], 0),
        ("claude-5", ["claude-5-20261101"], 0),
        ("claude-5-latest", ["claude-5-20261101"], 0),
        ("claude-5", ["claude-5-mini"], 3),
        ("auto:nitro", ["auto"], 0),
    ],
)
def test_model_that_its_server_does_not_list_is_a_problem(
    tmp_path: Path, model: str, listed: list[str], code: int
) -> None:
    """Where it lists any; a name without its date, or with a variant, is known by the rest."""
    file = tmp_path / "c.toml"
    file.write_text(f'provider = "openai"\nmodel = "{model}"\n', "utf-8")

    with WireServer(listing(*listed)) as server:
        done = doctor(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url, LLMTERM_CONFIG=str(file))

    assert done.returncode == code
    wanted = f"openai/{model} is not among the models that openai lists" if code else f"openai/{model}, where nothing"
    assert wanted in done.stdout or not listed


def test_models_that_are_not_there_or_not_for_long_are_warnings(tmp_path: Path) -> None:
    """Those that providers begin with, by themselves or as the file has it, and those that step in."""
    file = tmp_path / "c.toml"
    file.write_text(
        'provider = "openai"\nmodel = "gpt-9"\nfallback = ["openai/gpt-8", "anthropic/claude-2.1", "local"]\n', "utf-8"
    )
    more = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "LLMTERM_CONFIG": str(file)}

    with WireServer(listing("gpt-9", "claude-x")) as server:
        urls = {"OPENAI_BASE_URL": server.base_url, "ANTHROPIC_BASE_URL": server.address}
        done = doctor(tmp_path, **urls, **more)

    assert done.returncode == 0
    found = re.findall(r"warning +model (\w+) +(.*)", done.stdout)
    assert found == [
        ("anthropic", f"{BUILT_IN['anthropic'].model} is not among the models that anthropic lists"),
        ("openai", "gpt-8 is not among the models that openai lists"),
        ("anthropic", "claude-2.1 was retired on 2025-07-21"),
    ]
    assert 'model = "claude-sonnet-5-5" in [providers.anthropic] follows it' in done.stdout
    assert "did you mean gpt-9?" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--all",)])
def test_keys_are_never_shown(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Not even when a provider repeats one while it refuses it, nor what the file has in a header."""
    folder = tmp_path / "config" / "llmterm"
    folder.mkdir(parents=True)
    with (folder / "config.toml").open("w", encoding="utf-8") as file:
        file.write(f'[providers.openai]\nextra_headers = {{ X-A = "{HEADER}", X-B = "b" }}\n')
        file.write('[providers.openai.per_model."gpt-*"]\nextra_body = { metadata = { team = "a" }, user = "b" }\n')
    with WireServer(refusal(401)) as server:
        done = doctor(
            tmp_path, *arguments, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url, GROQ_API_KEY="", XAI_API_KEY=" "
        )

    assert KEY not in done.stdout + done.stderr
    assert HEADER not in done.stdout + done.stderr
    assert "the headers X-A, X-B; for gpt-*: metadata, user in the body" in done.stdout
    assert "in OPENAI_API_KEY was refused" in done.stdout
    assert "llmterm -p local works meanwhile" in done.stdout
    assert done.returncode == 0


def test_proxy_is_shown_without_its_password(tmp_path: Path) -> None:
    """And is no matter for a server on this machine, not even where it is none."""
    with WireServer(listing("gpt-a")) as server:
        reach = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url}
        good = findings(tmp_path, HTTPS_PROXY=f"http://user:{KEY}@proxy.example:3128", **reach)
        bad = findings(tmp_path, ALL_PROXY=f"socks4://user:{KEY}@proxy.example", **reach)

    assert good["proxy"]["state"] == "ok"
    assert good["proxy"]["value"].startswith("http://proxy.example:3128 (HTTPS_PROXY)")
    assert bad["proxy"]["state"] == "warning"
    assert "ALL_PROXY" in bad["proxy"]["value"]
    assert "NO_PROXY" in bad["proxy"]["hint"]
    assert good["provider openai"]["state"] == bad["provider openai"]["state"] == "ok"
    assert KEY not in json.dumps([good, bad])


def test_nobody_who_answers_is_exit_code_3(tmp_path: Path) -> None:
    """With what is wrong, and what to do about it under the findings."""
    done = doctor(tmp_path, **bare(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://127.0.0.1:9/v1", NO_COLOR="1"))

    assert done.returncode == 3
    assert "✗ problem  provider openai" in done.stdout
    assert "A chat cannot work yet." in done.stdout
    assert "What to do:\n1. provider openai: is the server running?\n" in done.stdout


def test_key_that_is_missing_is_what_to_do(tmp_path: Path) -> None:
    """Where the provider is the configured one."""
    done = doctor(tmp_path, **bare(tmp_path))

    assert done.returncode == 3
    assert "no key for openai" in done.stdout
    assert "answers: set OPENAI_API_KEY; get one at" in done.stdout


@pytest.mark.parametrize("status", [404, 429])
def test_server_without_a_list_of_models_may_answer_all_the_same(tmp_path: Path, status: int) -> None:
    """It is there: a warning, not a problem."""
    with WireServer(refusal(status)) as server:
        found = findings(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url)

    assert found["provider openai"]["state"] == "warning"
    assert found["provider openai"]["value"].startswith("reached, but: ")
    assert found["answers"]["state"] == "ok"


def test_providers_are_asked_at_the_same_time(tmp_path: Path) -> None:
    """Neither is answered before the other has been asked."""
    asked = 0
    both = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            both.set()
        await both.wait()
        await exchange.refuse(200, {"data": [{"id": "m", "type": "model"}]})

    with WireServer(script) as server:
        found = findings(
            tmp_path,
            OPENAI_API_KEY=KEY,
            OPENAI_BASE_URL=server.base_url,
            ANTHROPIC_API_KEY=KEY,
            ANTHROPIC_BASE_URL=server.address,
        )

    assert [found[f"provider {name}"]["state"] for name in ("openai", "anthropic")] == ["ok", "ok"]


def test_all_lists_those_that_are_not_set_up(tmp_path: Path) -> None:
    """As notes, with how to set them up; nobody is asked without a key that needs one."""
    found = findings(tmp_path, "--all")

    assert found["provider anthropic"]["state"] == "note"
    assert found["provider anthropic"]["value"] == "no key for anthropic"
    assert found["provider anthropic"]["hint"].startswith("set ANTHROPIC_API_KEY")
    assert found["provider vllm"]["state"] in ("note", "ok")
    assert "provider anthropic" not in findings(tmp_path)


def test_broken_configuration_does_not_stop_the_doctor(tmp_path: Path) -> None:
    """The first complaint in one line, exit code 2, and all the other checks."""
    file = tmp_path / "c.toml"
    file.write_text('nonsense = 1\nmore = "x"\n', "utf-8")

    done = doctor(tmp_path, LLMTERM_CONFIG=str(file))

    assert done.returncode == 2
    assert f'✗ problem  configuration        {file}:1: unknown key "nonsense" (and 1 more)' in done.stdout
    assert f"1. configuration: mend {file}, or move it away" in done.stdout
    assert "embedded model" in done.stdout


def test_key_in_a_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    """With the command that mends it."""
    file = tmp_path / "c.toml"
    file.write_text(f'[providers.openai]\napi_key = "{KEY}"\nbase_url = "http://127.0.0.1:9/v1"\n', "utf-8")
    file.chmod(0o644)

    done = doctor(tmp_path, LLMTERM_CONFIG=str(file))

    assert KEY not in done.stdout
    assert f"configuration: chmod 600 {file}" in done.stdout
    assert "key openai           in the configuration file" in done.stdout


def test_address_that_is_none_is_a_finding(tmp_path: Path) -> None:
    """Said once, with the name of the variable."""
    done = doctor(tmp_path, OPENAI_BASE_URL="nonsense")

    assert done.returncode == 2
    assert "OPENAI_BASE_URL must begin with http:// or https://" in done.stdout


def test_sessions_are_counted(tmp_path: Path) -> None:
    """And what they take."""
    store = SessionStore(tmp_path / "data")
    store.add(store.create(), Message(role="user", text="hi"))
    store.close()

    found = findings(tmp_path)

    assert found["sessions"]["value"].startswith("1 session, ")
    assert found["data folder"]["value"] == f"{tmp_path / 'data'}: can be written (mode 700)"


def test_damaged_store_is_exit_code_4(tmp_path: Path) -> None:
    """It is said what it is, and it is left alone."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sessions.db").write_bytes(b"not a database" * 100)

    done = doctor(tmp_path)

    assert done.returncode == 4
    assert "not a session store" in done.stdout
    assert (tmp_path / "data" / "sessions.db").read_bytes() == b"not a database" * 100


def test_folder_that_cannot_be_is_exit_code_4(tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / "data").touch()

    done = doctor(tmp_path)

    assert done.returncode == 4
    assert "is not a folder" in done.stdout


async def test_chat_can_have_the_report_without_its_keyboard_being_read(tmp_path: Path) -> None:
    """With settings of its own, and from inside a running loop."""
    checks = await examine(Settings(), environment(tmp_path), ask_terminal=False)

    assert next(check for check in checks if check.name == "synchronized output").value.startswith("unknown")
    assert lines(checks)[-1]


@pytest.mark.parametrize(("keys", "state"), [("terminal", "note"), ("global", "warning")])
def test_hot_key_without_a_display_has_its_reason(tmp_path: Path, keys: str, state: str) -> None:
    """It is only a fault where it is wanted."""
    file = tmp_path / "c.toml"
    file.write_text(f'[chat]\nkeys = "{keys}"\n', "utf-8")

    found = findings(tmp_path, LLMTERM_CONFIG=str(file))["global keys"]

    assert found["state"] == state
    assert found["value"].startswith("no: the global hot key needs ")


@pytest.mark.x11
@pytest.mark.parametrize(("keys", "value"), [("terminal", "can be had"), ("global", "is heard")])
def test_hot_key_with_a_display_is_there(tmp_path: Path, keys: str, value: str) -> None:
    """It is tried where it is wanted."""
    require("Xvfb", libraries=("pynput",))
    file = tmp_path / "c.toml"
    file.write_text(f'[chat]\nkeys = "{keys}"\n', "utf-8")

    with x_server() as display:
        found = findings(tmp_path, LLMTERM_CONFIG=str(file), DISPLAY=display.name)["global keys"]

    assert (found["state"], value in found["value"]) == ("ok", True)


# What is made of findings


@given(
    st.lists(
        st.builds(
            Check,
            name=st.sampled_from(["answers", "x"]),
            state=st.sampled_from(["ok", "note", "warning", "problem"]),
            value=st.text(),
            hint=st.text(),
        )
    )
)
def test_any_finding_is_one_line_that_can_do_nothing(checks: list[Check]) -> None:
    """Whatever a server or a file said."""
    said = lines(checks)

    assert all("\x1b" not in line and "\n" not in line and "\r" not in line for line in said)
    assert [line[2:9].strip() for line in said[: len(checks)]] == [check.state for check in checks]


def test_states_have_their_words_in_colour_too() -> None:
    """Colour comes on top of the word."""
    check = Check(name="x", state="problem", value="y", hint="z")

    assert lines([check], color=True)[0] == "\x1b[31m✗ problem\x1b[0m  x  y"
    assert lines([check])[0] == "✗ problem  x  y"


def test_problems_come_first_and_the_same_advice_once() -> None:
    """A note gives none: nothing is wrong with it."""
    checks = [
        Check(name="a", state="note", value="", hint="leave it"),
        Check(name="b", state="warning", value="", hint="look"),
        Check(name="c", state="problem", value="", hint="mend"),
        Check(name="d", state="problem", value="", hint="mend"),
    ]

    assert lines(checks)[-2:] == ["1. c: mend", "2. b: look"]


@pytest.mark.parametrize(
    ("names", "code"), [([], 0), (["x"], 0), (["sessions", "answers"], 4), (["answers"], 3), (["set up"], 2)]
)
def test_exit_code_is_that_of_a_chat(names: list[str], code: int) -> None:
    """Of the first thing that it cannot do without; other problems do not count."""
    assert exit_code([Check(name=name, state="problem", value="") for name in names]) == code
    assert exit_code([Check(name=name, state="warning", value="") for name in names]) == 0


# Asking the terminal

YES = b"\x1b[?2026;2$y\x1b[?1004;1$y\x1b]11;rgb:ffff/ffff/e0e0\x1b\\\x1b[?62;22;52c"


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (b"", Answers()),
        (b"\x1b[?1;2c", Answers(answered=True)),
        (b"\x1b[?2026;0$y\x1b[?1004;4$y\x1b[?1;2c", Answers(answered=True, synchronized=False, focus=False)),
        (b"\x1b[?2026;3$yx\x1b[?1;2c", Answers(answered=True, synchronized=True)),
        (b"\x1b]11;rgb:0/0/0\x07", Answers(background=(0.0, 0.0, 0.0))),
    ],
)
def test_answers_are_understood(data: bytes, answers: Answers) -> None:
    """Not recognized and never are no; silence is unknown."""
    assert understood(data) == answers


@given(st.binary() | st.text(alphabet="\x1b[]?0123456789;$yc11rgb:/").map(str.encode))
def test_any_answer_is_understood_somehow(data: bytes) -> None:
    """A terminal may say anything."""
    assert isinstance(understood(data), Answers)


async def answering(master: int, *replies: bytes) -> None:
    """Play a terminal: read the questions, and answer in these pieces."""
    asked = asyncio.Event()
    heard = bytearray()
    loop = asyncio.get_running_loop()

    def read() -> None:
        heard.extend(os.read(master, 1024))
        if heard.endswith(b"\x1b[c"):
            asked.set()

    loop.add_reader(master, read)
    await asked.wait()
    loop.remove_reader(master)
    for reply in replies:
        os.write(master, reply)


def _put(descriptor: int, text: str) -> None:
    os.write(descriptor, text.encode())


@pytest.mark.parametrize("replies", [[YES], [YES[:5], YES[5:30], YES[30:]], [bytes([byte]) for byte in YES]])
async def test_terminal_is_asked_and_left_as_it_was(replies: list[bytes]) -> None:
    """However its answer is cut; its mode is the same afterwards, and nothing is left to read."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    try:
        terminal = asyncio.create_task(answering(master, *replies))
        answers = await ask(slave, lambda text: _put(slave, text), seconds=30)
        await terminal

        assert (answers.synchronized, answers.focus) == (True, True)
        assert answers.background == pytest.approx((1.0, 1.0, 224 / 255))
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


async def test_terminal_that_says_nothing_is_left_as_it_was() -> None:
    """After a moment it is unknown what it can."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    try:
        assert await ask(slave, lambda text: None, seconds=0.01) == Answers()
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


async def test_interrupted_question_leaves_the_terminal_as_it_was() -> None:
    """Ctrl-C while it waits."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    asked = asyncio.Event()
    try:
        task = asyncio.create_task(ask(slave, lambda text: asked.set(), seconds=30))
        await asked.wait()
        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


async def test_what_is_no_terminal_is_not_asked() -> None:
    """Nothing is written to a pipe."""
    reader, writer = os.pipe()
    try:
        assert await ask(reader, lambda text: pytest.fail("written"), seconds=30) == Answers()
    finally:
        os.close(reader)
        os.close(writer)


def in_terminal(home: Path, **env: str) -> Program:
    return Program([*LLMTERM, "doctor"], environment(home, **env), columns=200, rows=40)


def test_report_in_a_terminal_has_its_answers(tmp_path: Path) -> None:
    """What it can do, its size and its colours; its settings are as they were."""
    with in_terminal(tmp_path, COLORTERM="truecolor", TERM_PROGRAM="Some") as program:
        program.wait_for(lambda: b"\x1b[c" in program.written)
        program.send(YES.decode("ascii"))

        assert program.exit_code == 0
        said = [" ".join(line.split()) for line in program.lines]
        assert "✓ ok synchronized output yes" in said
        assert "✓ ok focus reports yes" in said
        assert "✓ ok theme light, by the background that the terminal says it has" in said
        assert "✓ ok size 200 x 40" in said
        assert "✓ ok colours 16 million" in said
        assert "✓ ok terminal xterm-256color, Some" in said
        assert b"?2026" not in program.written.rpartition(b"\x1b[c")[2]
        assert (program.stty(), program.modes_left) == (program.stty_before, set())


def test_dumb_terminal_gets_no_sequence(tmp_path: Path) -> None:
    """It is not asked, and not coloured."""
    with in_terminal(tmp_path, TERM="dumb") as program:
        program.wait_for_end()

        assert b"\x1b" not in program.written
        assert "! warning  terminal             dumb: a chat is plain" in program.text
