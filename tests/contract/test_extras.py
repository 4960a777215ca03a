"""What the configuration adds to requests: last of all, without the key or what is said ever being touched by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmterm import config
from llmterm.config import ModelSettings
from llmterm.config.credential import Credential
from llmterm.errors import ConfigError, RequestRefusedError
from llmterm.messages import Options
from tests.contract.caller import KEY, KEY_MARK, Caller, answering, fails, settings_of
from tests.contract.dialects import Dialect, whole
from tests.wire import Exchange

OTHER = f"{KEY_MARK}-of-a-gateway"


async def test_what_is_added_comes_on_top_and_more_of_it_for_some_models(remote: Dialect) -> None:
    """Deep: what stands beside it in a table stays."""
    settings = settings_of(
        remote,
        extra_body={"metadata": {"team": "a", "user": "b"}, "seen": [1]},
        extra_headers={"X-Team": Credential("a"), "anthropic-version": Credential("2030-01-01")},
        per_model={
            f"{remote.model[:4]}*": ModelSettings(
                extra_body={"metadata": {"team": "c"}}, extra_headers={"X-More": Credential(OTHER)}
            ),
            "nobody": ModelSettings(extra_body={"metadata": {"team": "d"}}),
        },
    )
    frames = answering(remote, *whole(remote, "ok"))
    bodies, headers = [], []
    for each in (settings_of(remote), settings):
        async with Caller(remote, frames, settings=each) as caller:
            await caller.ask(options=Options(max_tokens=7))
            bodies.append(caller.server.exchanges[0].body)
            headers.append(caller.server.exchanges[0].headers)

    assert bodies[1] == {**bodies[0], "metadata": {"team": "c", "user": "b"}, "seen": [1]}
    assert (headers[1]["x-team"], headers[1]["x-more"], headers[1]["anthropic-version"]) == ("a", OTHER, "2030-01-01")
    assert remote.key(headers[1]) == remote.key(headers[0])


async def test_list_of_models_is_asked_for_with_the_headers_of_all(remote: Dialect) -> None:
    """A gateway wants them with every request."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, remote.listing(remote.model))

    more = {"*": ModelSettings(extra_headers={"X-More": Credential("b")})}
    settings = settings_of(remote, extra_headers={"X-Team": Credential("a")}, per_model=more)
    async with Caller(remote, script, settings=settings) as caller:
        await caller.provider.models()

        assert caller.server.exchanges[0].headers["x-team"] == "a"


async def test_headers_are_kept_secret_as_keys_are(remote: Dialect) -> None:
    """A server may repeat one."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(400, remote.refusal(400, f"no {exchange.headers['x-gateway']}"))

    settings = settings_of(remote, extra_headers={"X-Gateway": Credential(OTHER)})
    async with Caller(remote, script, settings=settings) as caller:
        with fails(RequestRefusedError):
            await caller.ask()


@pytest.mark.parametrize(
    "said",
    [
        {"extra_body": {name: "x"}}
        for name in ("model", "messages", "contents", "input", "system", "instructions", "systemInstruction", "stream")
    ]
    + [
        {"extra_headers": {name: "x"}}
        for name in ("Authorization", "x-api-key", "X-Goog-Api-Key", "api-key", "Cookie", "content-length")
    ],
)
def test_neither_the_key_nor_what_is_said_can_be_set(said: Mapping[str, Mapping[str, Any]]) -> None:
    """The file and the line are named, in either table, and the value is not."""
    [(table, [name])] = [(table, list(values)) for table, values in said.items()]
    for header in ("[providers.openai]", '[providers.openai.per_model."gpt-*"]'):
        text = f'{header}\n{table} = {{ fine = "y", "{name}" = "{KEY}" }}\n'

        with fails(ConfigError, rf"config\.toml:2: .*{name}.* in \[.*{table}\] is llmterm's own to say"):
            config.parse(text, Path("config.toml"))
