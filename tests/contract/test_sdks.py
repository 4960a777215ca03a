"""The providers' own SDKs, at the servers that we talk to: called with what we say they say it, and hear the same.

Each is left out where it is not installed. Google's is at the servers of
`test_checkpoints`, `test_interactions` and `test_interactions_background`, OpenAI's Responses at that of
`test_background`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from llmterm.assembly.roster import registry
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.config.credential import Credential
from llmterm.messages import Message, Options, Request, StreamLimits
from llmterm.progress import Progress
from llmterm.providers import Provider
from tests.contract.caller import KEY, Answer, Caller, answering
from tests.contract.dialects import Anthropic, Cohere, Dialect, Ollama, OpenAI, whole
from tests.wire import WireServer

WORDS = ("Hello, ", "東京 🎉", " and so on.")
TEXT = "".join(WORDS)
MESSAGES = (
    Message(role="system", text="be brief"),
    Message(role="user", text="hello"),
    Message(role="assistant", text="yes?"),
    Message(role="user", text="where is it?"),
)
WISHES = Options(temperature=0.5, max_tokens=99, seed=4, stop=("END",))

Sdk: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[str]]


async def openai(address: str, body: dict[str, Any]) -> str:
    async with importlib.import_module("openai").AsyncOpenAI(base_url=f"{address}/v1", api_key=KEY) as client:
        chunks = await client.chat.completions.create(**body)
        return "".join([each.choices[0].delta.content or "" async for each in chunks if each.choices])


async def anthropic(address: str, body: dict[str, Any]) -> str:
    async with importlib.import_module("anthropic").AsyncAnthropic(base_url=address, api_key=KEY) as client:
        # It has no word any more for what only models of before take.
        older = {"temperature": body.pop("temperature")}
        events = await client.messages.create(**body, extra_body=older)
        return "".join([each.delta.text async for each in events if each.type == "content_block_delta"])


async def cohere(address: str, body: dict[str, Any]) -> str:
    client = importlib.import_module("cohere").AsyncClientV2(base_url=address, api_key=KEY)
    body.pop("stream")
    return "".join(
        [each.delta.message.content.text async for each in client.chat_stream(**body) if each.type == "content-delta"]
    )


async def ollama(address: str, body: dict[str, Any]) -> str:
    client = importlib.import_module("ollama").AsyncClient(host=address)
    text = "".join([each.message.content or "" async for each in await client.chat(**body)])
    await client.close()
    return text


async def mistral(address: str, body: dict[str, Any]) -> str:
    async with importlib.import_module("mistralai.client").Mistral(server_url=address, api_key=KEY) as client:
        body.pop("stream")
        events = await client.chat.stream_async(**body)
        return "".join([each.data.choices[0].delta.content or "" async for each in events])


async def asked(provider: Provider, model: str) -> str:
    request = Request(model=model, messages=MESSAGES, options=WISHES)
    answer = Answer(await provider.open(request, StreamLimits(), Progress()))
    try:
        return (await answer.to_end()).text
    finally:
        await answer.aclose()


async def agree(server: WireServer, ours: str, sdk: Sdk) -> None:
    theirs = await sdk(server.address, dict(server.exchanges[0].body))

    said, same = server.exchanges
    assert theirs == ours == TEXT
    assert (same.method, same.path) == (said.method, said.path)
    assert common(same.body, said.body) == said.body


def common(sent: Any, wanted: Any) -> Any:
    """Return of what was sent what is wanted: some say besides that there are no tools, or that this is no prefix."""
    match sent, wanted:
        case dict(), dict():
            return {name: common(sent[name], wanted[name]) for name in wanted if name in sent}
        case list(), list() if len(sent) == len(wanted):
            return [common(*pair) for pair in zip(sent, wanted, strict=True)]
        case _:
            return sent


@pytest.mark.parametrize(
    ("dialect", "sdk"),
    [
        pytest.param(OpenAI(), openai, id="openai"),
        pytest.param(Anthropic(), anthropic, id="anthropic"),
        pytest.param(Cohere(), cohere, id="cohere"),
        pytest.param(Ollama(), ollama, id="ollama"),
    ],
)
async def test_sdk_says_and_hears_the_same(dialect: Dialect, sdk: Sdk) -> None:
    """Of a conversation with all that can be wished of its answer."""
    pytest.importorskip(dialect.name)
    async with Caller(dialect, answering(dialect, *whole(dialect, *WORDS))) as caller:
        await agree(caller.server, await asked(caller.provider, dialect.model), sdk)


async def test_sdk_of_mistral_says_and_hears_the_same() -> None:
    """Which speaks the wire of others, with a word or two of its own."""
    pytest.importorskip("mistralai.client")
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}

    def chunk(text: str, reason: str | None = None, **more: object) -> bytes:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
        said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}
        return f"data: {json.dumps(said)}\n\n".encode()

    frames = (*map(chunk, WORDS), chunk("", "stop", usage=usage), b"data: [DONE]\n\n")
    with WireServer(answering(OpenAI(), *frames)) as server:
        remote = RemoteSettings(base_url=server.base_url, api_key=Credential(KEY), continuation="prefix")
        given = Settings(providers=ProvidersSettings(remotes={"mistral": remote}))
        async with registry(given, {}) as providers:
            ours = await asked(providers.get("mistral"), "mistral-medium-latest")
        await agree(server, ours, mistral)
