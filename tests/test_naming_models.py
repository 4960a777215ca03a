"""Names of models as they are listed, "provider/model", wherever a model can be named."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from llmterm.assembly.launch import launch, require_key
from llmterm.assembly.roster import registry
from llmterm.config import BUILT_IN, ProvidersSettings, RemoteSettings, Settings
from llmterm.errors import ConfigError
from tests.chatting import opened
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, WireServer, say

KEYS = {
    f"{name}_API_KEY": "k" for name in ("OPENAI", "ANTHROPIC", "GROQ", "OPENROUTER", "TOGETHER", "MISTRAL", "FIREWORKS")
}
OWN = ProvidersSettings(
    remotes={
        "mine": RemoteSettings(base_url="http://127.0.0.1:9/v1", models=("openai/gpt-5", "plain")),
        "other": RemoteSettings(base_url="http://127.0.0.1:9/v1"),
    }
)


@pytest.mark.parametrize(
    ("current", "given", "meant"),
    [
        ("openai", "gpt-5", ("openai", "gpt-5")),
        ("openai", "openai/gpt-5", ("openai", "gpt-5")),
        ("openai", "anthropic/claude", ("anthropic", "claude")),
        ("openai", "openrouter/openai/gpt-5", ("openrouter", "openai/gpt-5")),
        ("openai", "meta-llama/llama-4", ("openai", "meta-llama/llama-4")),
        ("openai", "openai/", ("openai", "openai/")),
        ("openai", "mine/plain", ("mine", "plain")),
        ("local", "ollama/llama3.2:1b", ("ollama", "llama3.2:1b")),
        ("openrouter", "openai/gpt-5", ("openrouter", "openai/gpt-5")),
        ("openrouter", "openrouter/auto", ("openrouter", "openrouter/auto")),
        ("openrouter", "openrouter/openai/gpt-5", ("openrouter", "openai/gpt-5")),
        ("together", "meta-llama/llama-4", ("together", "meta-llama/llama-4")),
        ("together", "openai/gpt-oss-20b", ("together", "openai/gpt-oss-20b")),
        ("groq", "openai/gpt-oss-120b", ("groq", "openai/gpt-oss-120b")),
        ("groq", "groq/llama-3.3", ("groq", "llama-3.3")),
        ("groq", "groq/compound", ("groq", "groq/compound")),
        ("mine", "openai/gpt-5", ("mine", "openai/gpt-5")),
        ("mine", "mine/openai/gpt-5", ("mine", "openai/gpt-5")),
        ("other", "openai/gpt-5", ("openai", "gpt-5")),
        ("other", "nonsense/gpt-5", ("other", "nonsense/gpt-5")),
    ],
)
def test_name_is_of_the_provider_in_front_unless_the_present_one_has_such_names(
    current: str, given: str, meant: tuple[str, str]
) -> None:
    assert registry(Settings(providers=OWN), {}).locate(given, current) == meant


@pytest.mark.parametrize(
    ("settings", "provider", "model", "meant"),
    [
        (Settings(), None, "openai/m", ("openai", "m")),
        (Settings(), None, "anthropic/m", ("anthropic", "m")),
        (Settings(), "openai", "openai/m", ("openai", "m")),
        (Settings(), "openai", "anthropic/m", ("openai", "anthropic/m")),
        (Settings(), "openrouter", "openai/m", ("openrouter", "openai/m")),
        (Settings(), "openrouter/auto", None, ("openrouter", "openrouter/auto")),
        (Settings(), "openai/openai/m", None, ("openai", "openai/m")),
        (Settings(), "openai/x", "m", ("openai", "m")),
        (Settings(model="openai/m"), None, None, ("openai", "m")),
        (Settings(model="anthropic/m"), None, None, ("anthropic", "m")),
        (Settings(model="anthropic/m"), "openai", None, ("openai", BUILT_IN["openai"].model)),
        (Settings(provider="openai", model="openai/m"), None, None, ("openai", "m")),
        (Settings(provider="openrouter", model="openai/m"), None, None, ("openrouter", "openai/m")),
        (Settings(provider="openrouter"), None, "anthropic/m", ("openrouter", "anthropic/m")),
        (Settings(provider="other", model="openai/m", providers=OWN), None, None, ("other", "openai/m")),
        (Settings(provider="other", providers=OWN), None, "openai/m", ("openai", "m")),
        (Settings(), None, "openai/m.gguf", ("local", "openai/m.gguf")),
    ],
)
def test_command_line_and_file_name_models_as_they_are_listed(
    settings: Settings, provider: str | None, model: str | None, meant: tuple[str, str]
) -> None:
    """With a provider named beside it, a model is one of that provider's own."""
    found = launch(settings, KEYS, provider=provider, model=model)

    assert (found.provider, found.model) == meant


@pytest.mark.parametrize(
    ("settings", "environ", "refused"),
    [
        (Settings(provider="openai"), {}, True),
        (Settings(model="openai/m", provider="openai"), {"OPENAI_API_KEY": " "}, True),
        (Settings(provider="openai"), {"OPENAI_API_KEY": "k"}, False),
        (Settings(provider="openai"), {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, False),
        (Settings(provider="ollama", model="m"), {}, False),
        (Settings(provider="openai", fallback=("local",)), {}, False),
    ],
)
def test_provider_without_its_key_is_refused_at_once(
    settings: Settings, environ: Mapping[str, str], refused: bool
) -> None:
    """Unless somebody is to step in for it."""
    start = launch(settings, environ)

    if not refused:
        require_key(start)
        return
    with pytest.raises(ConfigError) as caught:
        require_key(start)
    assert str(caught.value) == "no key for openai (set OPENAI_API_KEY; get one at platform.openai.com/api-keys)"


def test_chat_does_not_open_without_a_key(tmp_path: Path) -> None:
    done = subprocess.run(
        [*LLMTERM, "-p", "anthropic", "-m", "m"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"llmterm: no key for anthropic (set ANTHROPIC_API_KEY; get one at ")


def test_listed_name_is_understood_wherever_a_model_is_named(tmp_path: Path) -> None:
    """What `llmterm models` prints, as -m in a pipe, and as /model and /on in a chat."""
    asked: list[str] = []

    async def script(exchange: Exchange) -> None:
        if exchange.path.endswith("/models"):
            await exchange.refuse(200, {"data": [{"id": "m"}]})
            return
        asked.append(exchange.body["model"])
        await say(["one ", "two ", "three"][len(asked) - 1], reason="length" if len(asked) == 2 else "stop")(exchange)

    with WireServer(script) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
        listed = subprocess.run([*LLMTERM, "models", "-p", "openai"], env=env, capture_output=True, check=True).stdout
        name = listed.decode().strip()
        subprocess.run([*LLMTERM, "-m", name, "why?"], env=env, stdin=subprocess.DEVNULL, check=True)
    with opened(tmp_path, script) as chat:
        chat.program.send(f"/model {name}\r")
        chat.program.wait_for(r"(?m)^openai/m$")
        chat.ask("go")
        chat.program.wait_for(r"paused [^\n]+")
        chat.program.send(f"/on {name}\r")
        chat.program.wait_for("three")

    assert (name, asked) == ("openai/m", ["m", "m", "m"])
