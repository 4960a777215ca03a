"""A server that repeats keys, wherever it can: none of them is shown, logged or raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from llmterm import log
from llmterm.config import BUILT_IN, ProvidersSettings, RemoteSettings, Settings
from llmterm.errors import ModelNotFoundError, ProviderError
from tests.contract.caller import KEY, KEY_MARK, Caller, fails, refuse
from tests.contract.dialects import Dialect
from tests.wire import Exchange

OTHER = f"{KEY_MARK}-of-somebody-else"
ODD = f"{KEY_MARK}/with+odd=signs"


def with_all_keys(dialect: Dialect) -> tuple[Settings, Mapping[str, str]]:
    """Return settings in which the provider's keys take turns, and an environment that has others besides."""
    remote = replace(RemoteSettings.of(BUILT_IN[dialect.name]), keys=("KEY_1", "KEY_2"))
    settings = Settings(providers=ProvidersSettings(remotes={dialect.name: remote}))
    return settings, {"KEY_1": KEY, "KEY_2": ODD, "GROQ_API_KEY": OTHER}


@pytest.mark.parametrize("status", [400, 401, 404, 500])
async def test_keys_that_are_repeated_beside_the_message_are_hidden(
    remote: Dialect, status: int, tmp_path: Path
) -> None:
    """In the name of the request, in headers and body; in the reason of the status; in the names of models."""
    stop = log.to_file(tmp_path, text=True)

    async def script(exchange: Exchange) -> None:
        if not exchange.body:
            await exchange.refuse(200, remote.listing(f"{remote.model}-{KEY}", f"{remote.model}-{quote(ODD, safe='')}"))
            return
        body = {**remote.refusal(status, f"no {KEY} {quote(ODD, safe='')} {OTHER}"), "request_id": f"r-{OTHER}"}
        headers = {name: f"{KEY}-{name}" for name in ("x_request_id", "request_id", "x_goog_request_id", "cf_ray")}
        await exchange.refuse(status, body, **headers)

    settings, environ = with_all_keys(remote)
    async with Caller(remote, script, settings=settings, environ=environ) as caller:
        with fails(ProviderError) as caught:
            await caller.ask()
        listed = list(await caller.provider.models())
    stop()

    assert caught.value.request_id.startswith("***")
    assert len(listed) == 2
    assert KEY_MARK not in json.dumps(listed)
    assert KEY_MARK not in (tmp_path / log.FILE_NAME).read_text("utf-8")
    if status == 404:
        assert isinstance(caught.value, ModelNotFoundError)
        assert "did you mean" in caught.value.hint


async def test_key_across_a_cut_is_hidden(remote: Dialect) -> None:
    """Half of it would be a secret, too; also that of another provider, in a failure inside the answer."""

    async def script(exchange: Exchange) -> None:
        words = f"{'x' * 490}{OTHER}{'y' * 600}"
        if exchange.body and exchange is caller.server.exchanges[0]:
            await exchange.start(content_type=remote.content_type)
            await exchange.raw(remote.opening() + remote.text("so ") + remote.failure(words))
            await exchange.close()
        else:
            await refuse(exchange, remote, 400, words)

    settings, environ = with_all_keys(remote)
    async with Caller(remote, script, settings=settings, environ=environ) as caller:
        for _ in range(2):
            with fails(ProviderError):
                await caller.ask()


async def test_reason_of_a_status_is_the_servers_words_too(remote: Dialect) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(f"HTTP/1.1 400 {'x' * 490}{OTHER}\r\ncontent-length: 0\r\n\r\n".encode())

    settings, environ = with_all_keys(remote)
    async with Caller(remote, script, settings=settings, environ=environ) as caller:
        with fails(ProviderError, "xxx"):
            await caller.ask()
