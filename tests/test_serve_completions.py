"""Chat completions as OpenAI's clients ask for them: streamed, whole, refused in their shape, over with the client."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.serving import TOKEN, Client, serving
from tests.wire import Exchange, Gate, finish, say, thought
from tests.x11 import require

HELLO = {"role": "user", "content": "Hello?"}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def asked(**more: Any) -> dict[str, Any]:
    return {"model": "openai/test", "messages": [HELLO]} | more


async def streamed(client: Client, **more: Any) -> list[Any]:
    """Return the chunks of a stream, the last of which is its end."""
    async with client.http.stream("POST", "/v1/chat/completions", json=asked(stream=True, **more)) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") async for line in response.aiter_lines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def test_answer_is_streamed_in_chunks_and_has_an_end(tmp_path: Path) -> None:
    async with serving(tmp_path, say("one ", "two")) as client:
        first, *chunks, end, done = await streamed(client)

        assert done == "[DONE]"
        assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert "".join(each["choices"][0]["delta"]["content"] for each in chunks) == "one two"
        assert (end["choices"][0]["delta"], end["choices"][0]["finish_reason"]) == ({}, "stop")
        assert {each["id"] for each in (first, *chunks, end)} == {first["id"]}
        assert {(each["object"], each["model"]) for each in (first, end)} == {("chat.completion.chunk", "openai/test")}
        assert all("usage" not in each for each in (first, *chunks, end))


async def test_usage_is_one_more_chunk_where_it_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path, say("one")) as client:
        *_, used, done = await streamed(client, stream_options={"include_usage": True})

        assert done == "[DONE]"
        assert used["choices"] == []
        counted = {name: count for name, count in used["usage"].items() if name.endswith("tokens")}
        assert counted == {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


async def test_answer_that_is_not_streamed_is_one_object(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(thought("hm"))
        await exchange.text("an answer")
        await exchange.raw(finish("length"))
        await exchange.close()

    async with serving(tmp_path, script) as client:
        whole = await client.post("/v1/chat/completions", asked())

        [choice] = whole["choices"]
        assert whole["object"] == "chat.completion"
        assert choice["message"]["content"] == "an answer"
        assert choice["message"]["reasoning_content"] == "hm"
        assert choice["finish_reason"] == "length"
        assert whole["usage"]["total_tokens"] == 12


async def test_what_is_asked_arrives_at_the_model(tmp_path: Path) -> None:
    """System prompts, earlier messages, images, and options; what nobody knows is left aside."""
    url = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        HELLO,
        {"role": "assistant", "content": "Hello.", "tool_calls": None},
        {
            "role": "user",
            "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}],
        },
    ]
    async with serving(tmp_path, say("x")) as client:
        options = {
            "temperature": 0.5,
            "max_completion_tokens": 99,
            "seed": 3,
            "stop": ["END"],
            "reasoning_effort": "none",
            "top_p": 0.5,
            "verbosity": "low",
            "service_tier": "flex",
            "logit_bias": {},
            "x": 1,
        }
        await client.post("/v1/chat/completions", {"model": "openai/gpt-4o", "messages": messages, **options})
        [sent] = client.upstream.exchanges

        assert sent.body["model"] == "gpt-4o"
        assert sent.body["messages"][0]["content"] == "Be brief.\n\nBe kind."
        assert [each["role"] for each in sent.body["messages"][1:]] == ["user", "assistant", "user"]
        assert url in json.dumps(sent.body["messages"][-1])
        assert (sent.body["temperature"], sent.body["seed"], sent.body["stop"]) == (0.5, 3, ["END"])
        assert 99 in sent.body.values()
        wished = [sent.body[name] for name in ("reasoning_effort", "top_p", "verbosity", "service_tier")]
        assert wished == ["none", 0.5, "low", "flex"]


@pytest.mark.parametrize("stream", [True, False])
async def test_client_that_leaves_ends_its_answer_and_the_connection_to_the_model(tmp_path: Path, stream: bool) -> None:
    begun, over = Gate(), Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        begun.open()
        await exchange.hung_up()
        over.open()

    async with serving(tmp_path, script) as client:
        if stream:
            body = asked(stream=True)
            async with client.http.stream("POST", "/v1/chat/completions", json=body) as response:
                async for line in response.aiter_lines():
                    if "one" in line:
                        break
        else:
            _, writer = await client.connect()
            writer.write(client.request("POST", "/v1/chat/completions", asked()))
            await begun.wait()
            writer.close()
        await over.wait()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [(401, 502, "provider_refused_key"), (404, 404, "model_not_found"), (400, 400, "request_refused")],
)
async def test_refusal_of_the_provider_has_a_status_and_an_object(
    tmp_path: Path, stream: bool, status: int, expected: int, code: str
) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(status, {"error": {"message": "no: sk-test"}})

    async with serving(tmp_path, refuse) as client:
        refused = await client.post("/v1/chat/completions", asked(stream=stream), expected)

        assert refused["error"]["code"] == code
        assert "sk-test" not in refused["error"]["message"]


async def test_answer_that_breaks_off_says_so_in_the_stream(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        exchange.drop()

    async with serving(tmp_path, script) as client:
        *_, text, error = await streamed(client)

        assert text["choices"][0]["delta"] == {"content": "one "}
        assert error["error"]["type"] == "api_error"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"messages": [HELLO], "model": "gpt-4o"}, 404, None),
        ({"messages": [], "model": "openai/test"}, 400, "messages"),
        ({"messages": "hello", "model": "openai/test"}, 400, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, 400, "messages[0].role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, 400, "messages[0].content[0].type"),
        (asked(n=2), 400, "n"),
        (asked(temperature=3), 400, "temperature"),
        (asked(reasoning_effort="much"), 400, "reasoning_effort"),
        (asked(verbosity="much"), 400, "verbosity"),
        (asked(stream="yes"), 400, "stream"),
        (asked(max_tokens=0), 400, "max_tokens"),
        (asked(response_format={"type": "xml"}), 400, "response_format.type"),
        (asked(response_format={"type": "json_schema", "json_schema": {"schema": {"type": 3}}}), 400, None),
        (
            asked(
                messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}]
            ),
            400,
            "messages[0].content[0].image_url",
        ),
    ],
    ids=str,
)
async def test_what_cannot_be_completed_is_refused_with_the_field(
    tmp_path: Path, body: object, status: int, param: str | None
) -> None:
    async with serving(tmp_path, say("never")) as client:
        refused = await client.post("/v1/chat/completions", body, status)

        assert refused["error"]["param"] == param
        assert refused["error"]["type"] == "invalid_request_error"
        assert client.upstream.exchanges == []


async def test_answer_that_streams_when_the_service_ends_ends_with_an_error(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        await exchange.hung_up()

    async def read(url: str) -> str:
        last = ""
        async with (
            httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}) as http,
            http.stream("POST", "/v1/chat/completions", json=asked(stream=True)) as response,
        ):
            async for line in response.aiter_lines():
                if "one" in line:
                    begun.set()
                last = line or last
        return last

    async with serving(tmp_path, script) as client:
        reading = asyncio.create_task(read(client.url))
        await begun.wait()
    assert json.loads((await reading).removeprefix("data: "))["error"]["code"] == "draining"


async def test_sdk_of_openai_asks_whole_and_streaming_async_and_not(tmp_path: Path) -> None:
    require(libraries=("openai",))
    openai: Any = importlib.import_module("openai")

    async def script(exchange: Exchange) -> None:
        if not exchange.body:
            await exchange.refuse(200, {"data": [{"id": "test"}]})
            return
        await exchange.start()
        await exchange.raw(thought("hm"))
        await exchange.text("An ")
        await exchange.text("answer.")
        await exchange.end()

    async with serving(tmp_path, script) as client:
        settings = {"base_url": f"{client.url}/v1", "api_key": TOKEN, "max_retries": 0}

        def ask() -> list[str]:
            with openai.OpenAI(**settings) as sdk:
                raw = sdk.chat.completions.with_raw_response.create(**asked())
                stream = sdk.chat.completions.create(**asked(stream=True))
                streamed = "".join(each.choices[0].delta.content or "" for each in stream)
                with pytest.raises(openai.NotFoundError) as missing:
                    sdk.chat.completions.create(**asked(model="gpt-4o"))
                assert missing.value.code == "model_not_found"
                return [raw.parse().choices[0].message.content, streamed, raw.headers["content-type"]]

        assert await asyncio.to_thread(ask) == ["An answer.", "An answer.", "application/json"]
        async with openai.AsyncOpenAI(**settings) as sdk:
            found = await sdk.chat.completions.create(**asked())
            stream = await sdk.chat.completions.create(**asked(stream=True, stream_options={"include_usage": True}))
            told = [each async for each in stream]
            listed = [each.id async for each in await sdk.models.list()]
        assert found.usage.total_tokens == told[-1].usage.total_tokens == 12
        assert "openai/test" in listed
