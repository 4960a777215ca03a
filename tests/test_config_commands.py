"""`llmterm config`, and what stands bare: the file made, shown and edited, as a user does."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from llmterm.assembly.listing import offered
from llmterm.config import Settings, parse
from llmterm.config.template import Chosen, text
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, WireServer

KEY = "sk-ant-0123456789"
GATEWAY = "of-a-gateway-0123456789"


def run(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = environment(home, **more)
    return subprocess.run(
        [*LLMTERM, *arguments], env=env, capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=60
    )


def file(home: Path) -> Path:
    return home / "config" / "llmterm" / "config.toml"


def written(home: Path, said: str) -> None:
    file(home).parent.mkdir(parents=True)
    file(home).write_text(said, "utf-8")


def editor(home: Path, line: str) -> str:
    """An $EDITOR that adds a line to the file."""
    script = home / "editor"
    script.write_text(f"#!/bin/sh\nprintf '%s\\n' '{line}' >> \"$1\"\n", "utf-8")
    script.chmod(0o755)
    return str(script)


def test_settings_are_shown_with_where_each_comes_from_and_no_key_is(tmp_path: Path) -> None:
    written(
        tmp_path,
        f'provider = "openai"\n\n[chat]\ntheme = "dark"\n\n[providers.openai]\napi_key = "{KEY}"\n'
        f'extra_headers = {{ X-Gateway = "{GATEWAY}" }}\n[providers.openai.extra_body]\nmetadata = {{ team = "a" }}\n',
    )
    more = {"ANTHROPIC_API_KEY": KEY[::-1], "OPENAI_BASE_URL": "https://me:pw1@example.org/v1?key=hidden99"}

    shown = run(tmp_path, "config", "show", "--model", "mine", "--json", **more)

    assert (shown.returncode, shown.stderr) == (0, "")
    found = {each["name"]: (each["value"], each["from"]) for each in json.loads(shown.stdout)}
    assert found["provider"] == ('"openai"', "config.toml:1")
    assert found["chat.theme"] == ('"dark"', "config.toml:4")
    assert found["chat.editing"] == ('"emacs"', "default")
    assert found["model"] == ('"mine"', "flag --model")
    assert found["providers.openai.key"] == ("set", "config.toml:7")
    assert found["providers.openai.extra_headers.X-Gateway"] == ("set", "config.toml:8")
    assert found["providers.openai.extra_body.metadata.team"] == ('"a"', "config.toml:10")
    assert found["providers.anthropic.key"] == ("set", "environment ANTHROPIC_API_KEY")
    assert found["providers.gemini.key"] == ("not set", "")
    assert found["providers.openai.base_url"][1] == "environment OPENAI_BASE_URL"
    assert not any(secret in shown.stdout for secret in (KEY, KEY[::-1], GATEWAY, "pw1", "hidden99"))

    assert run(tmp_path, "config", **more).stdout.startswith(f"# {file(tmp_path)}\nprovider ")


def test_questions_make_a_commented_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    with Program([*LLMTERM, "config", "init"], environment(tmp_path)) as program:
        program.wait_for(r"Who answers\?.*\[auto\]")
        program.send("antropic\r")
        program.wait_for('did you mean "anthropic"')
        program.send("anthropic\r")
        program.wait_for(r"key to come from")
        program.send("\r")
        program.wait_for(r"variable\? \[ANTHROPIC_API_KEY\]")
        program.send("MY_KEY\r")
        program.wait_for(r"Which model\? \[claude")
        program.send("\r")
        program.wait_for(r"Colours\?.*\[auto\]")
        program.send("light\r")
        program.wait_for(r"\[emacs\]")
        program.send("\r")
        program.wait_for(r"\[cut\]")
        program.send("\r")
        program.wait_for("needs its key: set MY_KEY")
        assert program.exit_code == 0

    said = file(tmp_path).read_text("utf-8")
    assert stat.S_IMODE(file(tmp_path).stat().st_mode) == 0o600
    assert tomllib.loads(said) == {
        "provider": "anthropic",
        "chat": {"theme": "light"},
        "providers": {"anthropic": {"key_env": "MY_KEY"}},
    }
    assert "# Who answers" in said


def test_models_of_a_server_are_listed_to_pick_one_by_its_number_or_its_name(tmp_path: Path) -> None:
    """Of one with a key in the environment, or at an address that was typed; one that is not there is no trouble."""

    async def models(exchange: Exchange) -> None:
        assert exchange.path == "/v1/models"
        await exchange.refuse(200, {"data": [{"id": f"model-{number}"} for number in range(1, 40)] + [{"id": "7"}]})

    def init(provider: str, *answers: tuple[str, str], **more: str) -> dict[str, object]:
        home = tmp_path / str(len(list(tmp_path.iterdir())))
        with Program([*LLMTERM, "config", "init"], environment(home, **more), rows=60) as program:
            for question, answer in ((r"Who answers\?", provider), *answers, *[(r"Colours\?.*", "")]):
                program.wait_for(question)
                program.send(f"{answer}\r")
            for question in (r"\[emacs\]", r"\[cut\]"):
                program.wait_for(question)
                program.send("\r")
            assert program.exit_code == 0
        found: dict[str, object] = tomllib.loads(file(home).read_text("utf-8"))["providers"][provider]
        return found

    with WireServer(models) as server:
        env = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
        listed = r"\n2  model-2\n(?s:.*)30  model-30\n +and 10 more, by name\nWhich model\? \(a number or a name\)"
        assert init("openai", (listed, "2"), **env) == {"model": "model-2"}
        address = (r"address\? \[http://localhost:8000/v1\]", server.base_url)
        enter = r"Which model\? \(a number or a name, Enter: the first there is\)"
        assert init("vllm", address, (enter, "7")) == {"base_url": server.base_url, "model": "7"}
        assert len(server.exchanges) == 2
    gone = (r"cannot reach(?s:.*)Which model\? \(Enter", "mine")
    assert init("vllm", (r"address\?", "http://127.0.0.1:9/v1"), gone) == {
        "base_url": "http://127.0.0.1:9/v1",
        "model": "mine",
    }


async def test_a_server_that_does_not_say_what_it_has_is_not_waited_for() -> None:
    with WireServer(Exchange.hung_up) as server:
        env = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
        found = await offered(Settings(), env, "openai", 0.1)

    assert (list(found.models), found.error) == ([], "openai has not said within 0.1 s which models it has")


def test_interrupted_questions_leave_nothing_behind(tmp_path: Path) -> None:
    with Program([*LLMTERM, "config", "init"], environment(tmp_path)) as program:
        program.wait_for(r"Who answers\?")
        program.send("local\r")
        program.wait_for(r"Which model")
        program.send("\x03")
        assert program.exit_code == 130
    assert not file(tmp_path).parent.exists()


def test_a_file_that_is_there_is_written_over_by_nobody_who_was_not_asked(tmp_path: Path) -> None:
    written(tmp_path, "# mine\n")

    done = run(tmp_path, "config", "init", "--yes")
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    with Program([*LLMTERM, "config", "init"], environment(tmp_path), columns=200) as program:
        program.wait_for("write a new one in its place")
        program.send("\r")
        program.wait_for("it stays as it is")
        assert program.exit_code == 0
    assert file(tmp_path).read_text("utf-8") == "# mine\n"


def test_where_nobody_can_be_asked_yes_takes_every_default(tmp_path: Path) -> None:
    done = run(tmp_path, "config", "init")
    assert (done.returncode, "--yes" in done.stderr, file(tmp_path).exists()) == (2, True, False)

    assert run(tmp_path, "config", "init", "--yes").returncode == 0
    assert tomllib.loads(file(tmp_path).read_text("utf-8")) == {"chat": {}}
    assert os.listdir(file(tmp_path).parent) == ["config.toml"]


def test_editing_makes_the_file_and_says_what_is_wrong_with_it_after(tmp_path: Path) -> None:
    done = run(tmp_path, "config", "edit", EDITOR=editor(tmp_path, 'editing = "vi"'))
    assert (done.returncode, "nothing is wrong" in done.stdout) == (0, True)

    done = run(tmp_path, "config", "edit", EDITOR=editor(tmp_path, 'theem = "dark"'))
    assert done.returncode == 2
    assert 'unknown key "theem" in [chat]: did you mean "theme"?' in done.stderr

    done = run(tmp_path, "config", "edit", EDITOR="false")
    assert (done.returncode, "exit code 1" in done.stderr) == (2, True)


def test_bare_sessions_lists_them(tmp_path: Path) -> None:
    done = run(tmp_path, "sessions", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("provider", ["", "anthropic", "groq", "ollama", "local"])
def test_a_made_file_is_read_as_it_was_chosen(tmp_path: Path, provider: str) -> None:
    model = 'a "name"\x7f\\ü\n' if provider else ""
    made = text(Chosen(provider=provider, model=model, theme="dark", editing="vi", pause_mode="hold"))
    settings = parse(made, tmp_path)
    assert (settings.provider, settings.chat.theme, settings.chat.editing) == (provider, "dark", "vi")
    if provider == "local":
        assert settings.providers.local.model == model
    elif provider:
        remote = settings.providers.remote(provider)
        assert remote is not None
        assert remote.model == model
