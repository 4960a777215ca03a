"""Searches of a provider's: an official SDK and llmterm ask the same server the same, and hear the same of it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from google import genai
from google.genai import types

from llmterm.assembly.roster import registry
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.config.credential import Credential
from llmterm.conversation import Conversation
from llmterm.messages import Cited, Finished, Options, StreamLimits, TextDelta
from llmterm.progress import Progress
from tests.wire import Exchange, Script, WireServer
from tests.x11 import require

TEXT = "It rained."
URL, TITLE = "https://weather.example/today", "Weather, today"
WISHED = Options(effort="low", top_p=0.5, service_tier="flex", web_search=True)


class Heard(NamedTuple):
    text: str
    sources: list[tuple[str, str]]


def events(*values: dict[str, Any], end: str = "\n") -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for value in values:
            kind = f"event: {value['type']}{end}" if "type" in value else ""
            await exchange.raw(f"{kind}data: {json.dumps(value)}{end}{end}".encode())
        await exchange.close()

    return script


async def ours(server: WireServer, name: str, model: str, options: Options, **said: Any) -> Heard:
    """Ask as llmterm does; the answer ends as any other."""
    remote = RemoteSettings(base_url=f"{server.address}{'/v1' if name == 'openai' else ''}", **said)
    settings = Settings(providers=ProvidersSettings(remotes={name: remote}))
    async with registry(settings, {}) as providers:
        request = Conversation().ask("Did it rain?").request(model=model, options=options)
        stream = await providers.get(name).open(request, StreamLimits(), Progress())
        found: list[Any] = []
        while came := await stream.read():
            found += came
        await stream.aclose()
    assert [each.reason for each in found if isinstance(each, Finished)] == ["stop"]
    text = "".join(each.text for each in found if isinstance(each, TextDelta))
    return Heard(text, list(dict.fromkeys((each.url, each.title) for each in found if isinstance(each, Cited))))


def common(one: Any, other: Any, names: Sequence[str]) -> None:
    """Require what two requests say under these names to be the same."""
    assert {name: one.get(name) for name in names} == {name: other.get(name) for name in names}


def responses() -> Script:
    """A response that searched: its call, and a message with a note of where it is from."""
    search = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    note = {"type": "url_citation", "url": URL, "title": TITLE, "start_index": 0, "end_index": 10}
    part = {"type": "output_text", "text": TEXT, "annotations": [note]}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    head = {"id": "resp_1", "object": "response", "created_at": 0, "model": "gpt-6.1-terra", "output": []}
    begun = {**message, "status": "in_progress", "content": []}
    place = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    said: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**head, "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**search, "status": "in_progress"}},
        {"type": "response.web_search_call.in_progress", "output_index": 0, "item_id": "ws_1"},
        {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws_1"},
        {"type": "response.web_search_call.completed", "output_index": 0, "item_id": "ws_1"},
        {"type": "response.output_item.done", "output_index": 0, "item": search},
        {"type": "response.output_item.added", "output_index": 1, "item": begun},
        {"type": "response.content_part.added", **place, "part": {**part, "text": "", "annotations": []}},
        {"type": "response.output_text.delta", **place, "delta": TEXT, "logprobs": []},
        {"type": "response.output_text.annotation.added", **place, "annotation_index": 0, "annotation": note},
        {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 1, "item": message},
        {"type": "response.completed", "response": {**head, "status": "completed", "output": [search, message]}},
    ]
    return events(*({**each, "sequence_number": number} for number, each in enumerate(said)))


async def test_responses_are_searched_and_heard_as_the_sdk_of_openai_has_it() -> None:
    require(libraries=("openai",))
    openai: Any = importlib.import_module("openai")
    with WireServer(responses()) as server:
        heard = await ours(
            server, "openai", "gpt-5.4", WISHED, api="responses", api_key=Credential("sk-test"), kind="openai"
        )
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0) as sdk:
            stream = await sdk.responses.create(
                model="gpt-5.4",
                input=[{"role": "user", "content": [{"type": "input_text", "text": "Did it rain?"}]}],
                reasoning={"effort": "low"},
                tools=[{"type": "web_search"}],
                top_p=0.5,
                service_tier="flex",
                stream=True,
            )
            text, notes = "", []
            async for each in stream:
                if each.type == "response.output_text.delta":
                    text += each.delta
                elif each.type == "response.output_text.annotation.added":
                    notes.append((each.annotation.url, each.annotation.title))
        sent, sdks = (exchange.body for exchange in server.exchanges)

    assert heard == Heard(text, notes) == Heard(TEXT, [(URL, TITLE)])
    common(sent, sdks, ("model", "input", "reasoning", "tools", "top_p", "service_tier", "stream"))


def message() -> Script:
    """A message that searched: the call and what it found, and a text with its source."""
    usage = {"input_tokens": 5, "output_tokens": 1}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": []}
    found = {"type": "web_search_result", "url": URL, "title": TITLE, "encrypted_content": "x", "page_age": None}
    call = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    result = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [found]}
    cited = {
        "type": "web_search_result_location",
        "url": URL,
        "title": TITLE,
        "encrypted_index": "x",
        "cited_text": "rain",
    }

    def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"type": "content_block_start", "index": index, "content_block": content},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    return events(
        {"type": "message_start", "message": {**head, "stop_reason": None, "stop_sequence": None, "usage": usage}},
        *block(0, call, {"type": "input_json_delta", "partial_json": '{"query": "rain"}'}),
        *block(1, result),
        *block(
            2,
            {"type": "text", "text": "", "citations": []},
            {"type": "citations_delta", "citation": cited},
            {"type": "text_delta", "text": TEXT},
        ),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    )


async def test_messages_are_searched_and_heard_as_the_sdk_of_anthropic_has_it() -> None:
    require(libraries=("anthropic",))
    anthropic: Any = importlib.import_module("anthropic")
    wished = Options(effort="low", service_tier="auto", web_search=True, max_tokens=999)
    with WireServer(message()) as server:
        heard = await ours(
            server, "anthropic", "claude-sonnet-5-5", wished, kind="anthropic", api_key=Credential("sk-test")
        )
        async with anthropic.AsyncAnthropic(base_url=server.address, api_key="sk-test", max_retries=0) as sdk:
            asked = sdk.messages.stream(
                model="claude-sonnet-5-5",
                max_tokens=999,
                messages=[{"role": "user", "content": "Did it rain?"}],
                thinking={"type": "adaptive", "display": "summarized"},
                output_config={"effort": "low"},
                tools=[{"type": "web_search_20250305", "name": "web_search"}],
                service_tier="auto",
            )
            async with asked as stream:
                said = await stream.get_final_message()
        sent, sdks = (exchange.body for exchange in server.exchanges)

    texts = [block for block in said.content if block.type == "text"]
    sources = [(each.url, each.title) for block in texts for each in block.citations]
    assert heard == Heard("".join(block.text for block in texts), sources) == Heard(TEXT, [(URL, TITLE)])
    common(sent, sdks, ("model", "max_tokens", "thinking", "output_config", "tools", "service_tier", "stream"))


async def test_content_is_searched_and_heard_as_the_sdk_of_google_has_it() -> None:
    found = {"groundingChunks": [{"web": {"uri": URL, "title": TITLE}}], "webSearchQueries": ["rain"]}
    said = [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": TEXT}]}, "index": 0}]},
        {"candidates": [{"content": {"parts": []}, "finishReason": "STOP", "groundingMetadata": found, "index": 0}]},
    ]
    with WireServer(events(*said, end="\r\n")) as server:
        heard = await ours(server, "gemini", "gemini-3.8-flash", WISHED, kind="gemini", api_key=Credential("k" * 20))
        http = types.HttpOptions(base_url=server.address, api_version="v1")
        sdk = genai.Client(vertexai=False, api_key="k" * 20, http_options=http)
        text, sources = "", []
        stream = await sdk.aio.models.generate_content_stream(
            model="gemini-3.8-flash",
            contents="Did it rain?",
            config=types.GenerateContentConfig(
                tools=[types.Tool(google_search=types.GoogleSearch())],
                thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW, include_thoughts=True),
                top_p=0.5,
                service_tier=types.ServiceTier.FLEX,
            ),
        )
        async for chunk in stream:
            text += chunk.text or ""
            ground = chunk.candidates[0].grounding_metadata if chunk.candidates else None
            for each in (ground.grounding_chunks or []) if ground else []:
                assert each.web is not None
                assert each.web.uri
                assert each.web.title
                sources.append((each.web.uri, each.web.title))
        await sdk.aio.aclose()
        sdk.close()
        sent, sdks = (exchange.body for exchange in server.exchanges)

    assert heard == Heard(text, sources) == Heard(TEXT, [(URL, TITLE)])
    common(sent, sdks, ("contents", "tools", "serviceTier"))
    common(sent["generationConfig"], sdks["generationConfig"], ("topP", "thinkingConfig"))
