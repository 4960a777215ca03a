"""What a worker on another machine is told, and what it finds there: no secret is sent, and no machine needs two."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

import pytest

from llmterm import config
from llmterm.assembly.launch import Launch
from llmterm.assembly.roster import registry
from llmterm.assembly.worker import Post, desk, launched, post, with_keys
from llmterm.batch.engine import Answered, Asked
from llmterm.config import Settings
from llmterm.conversation import Conversation
from llmterm.errors import ConfigError
from llmterm.messages import Options
from llmterm.schema import Schema
from tests.wire import WireServer, say

FILE = """
[providers.openai]
api_key = "sk-of-the-file"
requests_per_minute = 7
[providers.acme]
kind = "openai"
base_url = "https://acme.example/v1?api-version=3"
[providers.bent]
kind = "openai"
base_url = "https://someone:hush@bent.example/v1"
"""


def settings(folder: Path, text: str = FILE) -> Settings:
    path = folder / "config.toml"
    path.write_text(text)
    return config.load(environ={"LLMTERM_CONFIG": str(path)})


def told(given: Settings, environ: Mapping[str, str], provider: str = "openai") -> Post:
    launch = Launch(settings=given, environ=environ, provider=provider, model="test")
    sent: Post = pickle.loads(pickle.dumps(post(launch, 5, Schema.of("age int"))))
    return sent


def test_no_key_or_password_is_sent(tmp_path: Path) -> None:
    """Of the environment, of the file, or of an address."""
    given = settings(tmp_path)
    environ = {"OPENAI_API_KEY": "sk-of-the-environment", "OPENAI_BASE_URL": "https://gate.example/v1"}

    sent = pickle.dumps(post(Launch(settings=given, environ=environ, provider="openai", model="m"), 5, None))

    assert b"sk-of-the" not in sent
    assert b"hush" not in sent
    assert b"gate.example" in sent


def test_addresses_are_those_of_who_asks(tmp_path: Path) -> None:
    """What they come to here, wherever that was said; the usual ones need not be said."""
    given = told(settings(tmp_path), {"OPENAI_BASE_URL": "https://gate.example/v1"}).settings.providers

    assert {name: given.remotes[name].base_url for name in ("openai", "anthropic", "acme", "bent")} == {
        "openai": "https://gate.example/v1",
        "anthropic": "",
        "acme": "https://acme.example/v1?api-version=3",
        "bent": "https://bent.example/v1",
    }
    assert given.remotes["openai"].requests_per_minute == 7


def test_keys_are_those_of_the_machine(tmp_path: Path) -> None:
    """Its file's, as well as its environment's."""
    sent = told(settings(tmp_path), {}).settings
    path = tmp_path / "there.toml"
    path.write_text('[providers.openai]\napi_key = "sk-of-there"\nbase_url = "https://elsewhere.example"\n')

    found = with_keys(sent, {"LLMTERM_CONFIG": str(path)}).providers.remotes["openai"]

    assert found.api_key is not None
    assert (found.api_key.reveal(), found.base_url) == ("sk-of-there", "")


def test_machine_without_a_key_says_how_to_get_at_one(tmp_path: Path) -> None:
    sent = told(settings(tmp_path, ""), {"OPENAI_API_KEY": "sk-of-here"})
    launch = launched(sent, {"LLMTERM_CONFIG": str(tmp_path / "config.toml")})
    providers = registry(launch.settings, launch.environ)

    with pytest.raises(ConfigError, match="no key for openai"):
        desk(sent, launch, providers)


def test_what_only_this_machine_has_is_refused(tmp_path: Path) -> None:
    """An address that is a secret, and the cache of answers."""
    with pytest.raises(ConfigError, match="the address of bent has a password or a key in it"):
        told(settings(tmp_path), {}, "bent")
    with pytest.raises(ConfigError, match="the cache of answers is this machine's"):
        told(config.override(Settings(), cache=True), {})


async def test_worker_asks_where_it_was_told_with_the_key_it_has(tmp_path: Path) -> None:
    """Whatever address the environment of its machine names."""
    with WireServer(say('{"age": 3}')) as server:
        sent = told(Settings(), {"OPENAI_BASE_URL": server.base_url})
        environ = {
            "HOME": str(tmp_path),
            "LLMTERM_DATA_DIR": str(tmp_path),
            "OPENAI_API_KEY": "sk-of-there",
            "OPENAI_BASE_URL": "http://127.0.0.1:9",
        }
        launch = launched(sent, environ)
        async with aclosing(registry(launch.settings, launch.environ)) as providers:
            question = Asked(id="q", conversation=Conversation().ask("old?"), options=Options())
            outcomes = await desk(sent, launch, providers).exchange([question])

    [outcome] = outcomes
    assert isinstance(outcome, Answered)
    assert outcome.record["data"] == {"age": 3}
    assert server.exchanges[0].headers["authorization"] == "Bearer sk-of-there"
