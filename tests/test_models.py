"""`llmterm models` and `llmterm stats`, as a user runs them."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.starter import run_text
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, Script, WireServer, say

WEIGHTS = b"GGUF" + bytes(range(256)) * 16_000


def run(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_text([*LLMTERM, *arguments], environment(home, **env))


def listing(*names: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, {"data": [{"id": name} for name in names]})

    return script


def test_models_of_all_are_listed_and_who_fails_is_named(tmp_path: Path) -> None:
    """Each model with its provider on standard output; a dead provider is a line on standard error, and no more."""
    with WireServer(listing("gpt-a", "gpt-b\x1b[31m")) as server:
        done = run(
            tmp_path,
            "models",
            OPENAI_API_KEY="sk-test",
            OPENAI_BASE_URL=server.base_url,
            ANTHROPIC_API_KEY="sk-ant",
            ANTHROPIC_BASE_URL="http://127.0.0.1:9",
        )

    lines = done.stdout.splitlines()
    assert lines[0] == "openai/gpt-a"
    assert lines[1].startswith("openai/gpt-b")
    assert "\x1b" not in done.stdout
    assert "anthropic: cannot reach http://127.0.0.1:9/v1/models" in done.stderr
    assert done.returncode == 0


def test_prices_are_those_of_the_table_and_of_the_file(tmp_path: Path) -> None:
    """Nobody is asked; what is unknown is said, and the file wins. As JSON they are for programs."""
    (tmp_path / "config.toml").write_text(
        '[providers.openai.prices."gpt-6*"]\ninput = 3\noutput = 4.5\n[providers.mine]\nkind = "openai"\n'
        'base_url = "https://models.example/v1"\nmodel = "m"\n',
        "utf-8",
    )
    env = {"LLMTERM_CONFIG": str(tmp_path / "config.toml"), "COLUMNS": "120"}

    shown = run(tmp_path, "models", "--prices", **env)
    told = run(tmp_path, "models", "--prices", "--json", "-p", "openai", **env)
    wrong = run(tmp_path, "models", "--prices", "-p", "nobody", **env)

    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "openai/gpt-6* 3 4.5 yours" in lines
    assert "anthropic/claude-sonnet-5-5 2 10 0.1 2.5" in lines
    assert "xai/grok-4.7 2 6 0.5 199,999: 4 / 12" in lines
    assert {"cohere/command-a-plus-05-2026 unknown", "deepseek/deepseek-flash unknown", "mine/m unknown"} < set(lines)
    assert "28 November 2026" in shown.stdout
    (openai,) = json.loads(told.stdout)
    assert (openai["model"], openai["price"]["output"], openai["source"]) == ("gpt-6*", 4.5, "configuration")
    assert (shown.returncode, told.returncode, wrong.returncode) == (0, 0, 2)


def test_models_as_json_are_for_programs(tmp_path: Path) -> None:
    """One object for each provider, with its models or its error."""
    with WireServer(listing("gpt-a")) as server:
        done = run(
            tmp_path, "models", "-p", "openai", "--json", OPENAI_API_KEY="sk-test", OPENAI_BASE_URL=server.base_url
        )

    assert json.loads(done.stdout) == [{"provider": "openai", "models": ["gpt-a"], "error": ""}]


def test_models_of_nobody_are_a_failure(tmp_path: Path) -> None:
    """Where everybody that was asked fails, so does the command."""
    done = run(tmp_path, "models", "-p", "anthropic")

    assert (done.returncode, done.stdout) == (3, "")
    assert "set ANTHROPIC_API_KEY; get one at " in done.stderr


def weights(asked: list[str]) -> Script:
    """Serve the file, the first time only half of it and then nothing more."""

    async def script(exchange: Exchange) -> None:
        asked.append(exchange.headers.get("range", ""))
        start = int(asked[-1].removeprefix("bytes=").removesuffix("-") or "0")
        size = len(WEIGHTS)
        if start:
            span = f"bytes {start}-{size - 1}/{size}"
            await exchange.head(206, content_length=str(size - start), content_range=span, etag='"1"')
        else:
            await exchange.head(200, content_length=str(size), etag='"1"', accept_ranges="bytes")
        if len(asked) == 1:
            await exchange.send(WEIGHTS[: size // 2])
            await exchange.hung_up()
        else:
            await exchange.send(WEIGHTS[start:])

    return script


def test_file_is_pulled_and_an_interrupted_pull_goes_on(tmp_path: Path) -> None:
    """Ctrl-C keeps what has come; the same command fetches the rest, and the model can be named."""
    asked: list[str] = []
    with WireServer(weights(asked)) as server:
        command = ["models", "pull", f"http://127.0.0.1:{server.port}/tiny.gguf"]
        first = subprocess.Popen(
            [*LLMTERM, *command], env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        part = tmp_path / "data" / "models" / "tiny.gguf.part"
        server.wait(lambda: len(asked) == 1)
        while not part.exists() or not part.stat().st_size:
            assert first.poll() is None, first.communicate()
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=60)
        kept = part.stat().st_size
        second = run(tmp_path, *command)

    assert (first.returncode, "the same command goes on" in said) == (130, True), said
    assert asked == ["", f"bytes={kept}-"]
    assert kept > 0
    assert (tmp_path / "data" / "models" / "tiny.gguf").read_bytes() == WEIGHTS
    assert second.returncode == 0
    assert f"sha256 {hashlib.sha256(WEIGHTS).hexdigest()}" in second.stdout
    assert "local/tiny" in run(tmp_path, "models", "-p", "local").stdout


def test_ollama_pulls(tmp_path: Path) -> None:
    """The server's own lines are followed to their end, and its errors are ours."""

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type="application/x-ndjson")
        lines = [{"status": "pulling manifest"}, {"status": "pulling 1", "digest": "1", "total": 10, "completed": 10}]
        known = exchange.body["model"] == "llama"
        lines.append({"status": "success"} if known else {"error": "pull model manifest: file does not exist"})
        for line in lines:
            await exchange.raw(json.dumps(line).encode() + b"\n")
        await exchange.close()

    with WireServer(script) as server:
        host = f"127.0.0.1:{server.port}"
        good = run(tmp_path, "models", "pull", "llama", OLLAMA_HOST=host)
        bad = run(tmp_path, "models", "pull", "lama", OLLAMA_HOST=host)

    assert (good.returncode, "llmterm --provider ollama --model llama" in good.stdout) == (0, True)
    assert (bad.returncode, bad.stdout) == (3, "")
    assert "file does not exist" in bad.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["pull", "gpt", "-p", "openai"], 2, "has its models where it is"),
        (["pull", "http://127.0.0.1:9/x.txt"], 2, "GGUF"),
        (["pull", "http://127.0.0.1:9/x.gguf"], 3, "cannot reach"),
        (["-p", "opnai"], 2, "openai"),
    ],
)
def test_bad_input_is_a_clear_line(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    """What is wrong, on standard error, and nothing on standard output."""
    done = run(tmp_path, "models", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_stats_tell_what_was_used(tmp_path: Path) -> None:
    """Figures by model, with the cost where there is a price; as JSON for programs."""
    config = tmp_path / "config.toml"
    config.write_text('[providers.openai.prices."gpt-*"]\ninput = 1_000_000.0\noutput = 1_000_000.0\n', "utf-8")
    with WireServer(say("one ", "two.")) as server:
        env = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url, "LLMTERM_CONFIG": str(config)}
        asked = subprocess.run(
            [*LLMTERM, "chat", "-m", "gpt-x"], input=b"hi", env=environment(tmp_path, **env), timeout=60, check=True
        )
        assert asked.returncode == 0

    (row,) = json.loads(run(tmp_path, "stats", "--json").stdout)
    table = run(tmp_path, "stats").stdout

    assert {name: row[name] for name in ("provider", "model", "answers", "input_tokens", "output_tokens", "cost")} == {
        "provider": "openai",
        "model": "gpt-x",
        "answers": 1,
        "input_tokens": 5,
        "output_tokens": 7,
        "cost": 12.0,
    }
    assert "openai/gpt-x" in table
    assert "12.00" in table
    assert "no model has answered" in run(tmp_path / "empty", "stats").stdout


@pytest.mark.parametrize(("names", "answers"), [(["llama"], "ollama"), ([], "local")])
def test_running_ollama_answers_if_it_has_a_model(tmp_path: Path, names: list[str], answers: str) -> None:
    """Without any key a server on this machine is found by itself; an empty one is passed over."""

    async def script(exchange: Exchange) -> None:
        if exchange.path == "/api/tags":
            await exchange.refuse(200, {"models": [{"name": name} for name in names]})
            return
        await exchange.start(content_type="application/x-ndjson")
        line = {"message": {"role": "assistant", "content": "hi"}, "done": True, "done_reason": "stop"}
        await exchange.raw(json.dumps(line).encode() + b"\n")
        await exchange.close()

    config = tmp_path / "config.toml"
    config.write_text("[providers.local]\nthreads = 1\n", "utf-8")
    with WireServer(script) as server:
        done = subprocess.run(
            [*LLMTERM, "chat", "--max-tokens", "2"],
            input=b"hi",
            env=environment(tmp_path, OLLAMA_HOST=f"127.0.0.1:{server.port}", LLMTERM_CONFIG=str(config)),
            capture_output=True,
            timeout=60,
            check=False,
        )

    (row,) = json.loads(run(tmp_path, "stats", "--json").stdout)
    assert (done.returncode, row["provider"]) == (0, answers)
