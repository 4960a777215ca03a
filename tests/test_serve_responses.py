"""OpenAI's responses: whole and in events, gone on with, in the background, read from any place, by its own SDK."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.serving import TOKEN, Client, serving
from tests.wire import Exchange, Gate, Script, say, thought
from tests.x11 import require


def asked(**more: Any) -> dict[str, Any]:
    return {"model": "openai/test", "input": "Hello?"} | more


def thinking(gate: Gate | None = None) -> Script:
    """Return a script that thinks before it answers, and stops half way at the gate."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(thought("hm"))
        await exchange.text("An ")
        if gate is not None:
            await gate.wait()
        await exchange.text("answer.")
        await exchange.end()

    return script


@asynccontextmanager
async def told(client: Client, **more: Any) -> AsyncIterator[AsyncIterator[Any]]:
    async with client.http.stream("POST", "/v1/responses", json=asked(stream=True, **more)) as response:
        assert response.status_code == 200
        yield events(response)


async def again(client: Client, response_id: str, after: int | None = None) -> list[Any]:
    query = {"stream": "true"} if after is None else {"stream": "true", "starting_after": str(after)}
    async with client.http.stream("GET", f"/v1/responses/{response_id}", params=query) as response:
        assert response.status_code == 200
        return [each async for each in events(response)]


async def events(response: Any) -> AsyncIterator[Any]:
    """Yield the events of a stream, each looked at: its name is that of its data, and its number is larger."""
    name, number = "", -1
    async for line in response.aiter_lines():
        kind, _, value = line.partition(": ")
        if kind == "event":
            name = value
        elif kind == "data":
            data = json.loads(value)
            assert data["type"] == name
            assert data["sequence_number"] > number
            number = data["sequence_number"]
            yield data


def text_of(told: list[Any], kind: str = "response.output_text.delta") -> str:
    return "".join(each["delta"] for each in told if each["type"] == kind)


async def test_response_comes_whole_and_is_a_session_of_the_store(tmp_path: Path) -> None:
    async with serving(tmp_path, thinking()) as client:
        found = await client.post("/v1/responses", asked(instructions="Be brief.", metadata={"a": "b"}))
        shown = await client.get(f"/v1/responses/{found['id']}")
        [session] = (await client.get("/v1/sessions"))["sessions"]
        [sent] = client.upstream.exchanges

    thoughts, message = found["output"]
    assert found["status"] == message["status"] == "completed"
    assert thoughts["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert message["content"][0]["text"] == "An answer."
    assert (found["usage"]["input_tokens"], found["usage"]["output_tokens"]) == (5, 7)
    assert (found["metadata"], found["instructions"]) == ({"a": "b"}, "Be brief.")
    assert shown["output"] == found["output"]
    assert found["id"].startswith(f"resp_{session['id']}.")
    assert sent.body["messages"][0] == {"role": "system", "content": "Be brief."}


async def test_response_comes_in_events_in_the_order_that_clients_expect(tmp_path: Path) -> None:
    async with serving(tmp_path, thinking()) as client, told(client) as coming:
        found = [each async for each in coming]

    kinds = [each["type"].removeprefix("response.") for each in found]
    assert [kind for kind in kinds if not kind.endswith("delta")] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert text_of(found) == found[-1]["response"]["output"][1]["content"][0]["text"] == "An answer."
    assert text_of(found, "response.reasoning_summary_text.delta") == "hm"
    assert [each["output_index"] for each in found if each["type"] == "response.output_item.added"] == [0, 1]


async def test_response_is_gone_on_with_also_after_a_restart_and_from_an_earlier_one(tmp_path: Path) -> None:
    async with serving(tmp_path, say("one")) as client:
        first = await client.post("/v1/responses", asked(input="1?"))
        second = await client.post("/v1/responses", asked(input="2?", previous_response_id=first["id"]))
    async with serving(tmp_path, say("two")) as client:
        shown = await client.get(f"/v1/responses/{second['id']}")
        third = await client.post("/v1/responses", asked(input="3?", previous_response_id=second["id"]))
        other = await client.post("/v1/responses", asked(input="other?", previous_response_id=first["id"]))
        heard = [[each["content"] for each in sent.body["messages"]] for sent in client.upstream.exchanges]
        missing = await client.post("/v1/responses", asked(previous_response_id="resp_zzzzzzzz.1"), 404)
        await client.post("/v1/responses/compact", asked(), 404)

    assert shown["output"] == second["output"]
    assert heard == [["1?", "one", "2?", "one", "3?"], ["1?", "one", "other?"]]
    assert third["id"].partition(".")[0] == first["id"].partition(".")[0] != other["id"].partition(".")[0]
    assert missing["error"]["code"] == "not_found"


async def test_response_that_was_cut_at_its_limit_is_followed_and_not_gone_on_with(tmp_path: Path) -> None:
    async with serving(tmp_path, say("An ans", reason="length")) as client:
        first = await client.post("/v1/responses", asked(max_output_tokens=3))
        await client.post("/v1/responses", asked(input="And?", previous_response_id=first["id"]))
        heard = [each["content"] for each in client.upstream.exchanges[1].body["messages"]]

    assert (first["status"], first["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert heard == ["Hello?", "An ans", "And?"]


async def test_wishes_go_on_to_the_model_and_are_said_of_the_response(tmp_path: Path) -> None:
    wishes: dict[str, Any] = {
        "reasoning": {"effort": "none", "summary": "auto"},
        "text": {"verbosity": "low"},
        "top_p": 0.5,
        "service_tier": "flex",
    }
    async with serving(tmp_path, say("Yes.")) as client:
        found = await client.post("/v1/responses", asked(**wishes))
        usual = await client.post("/v1/responses", asked(service_tier="auto"))
        sent, plain = (each.body for each in client.upstream.exchanges)

    told = {"reasoning_effort": "none", "verbosity": "low", "top_p": 0.5, "service_tier": "flex"}
    assert {name: sent[name] for name in told} == told
    assert not told.keys() & plain.keys()
    assert (found["reasoning"]["effort"], found["text"]["verbosity"]) == ("none", "low")
    assert (found["top_p"], found["service_tier"]) == (0.5, "flex")
    assert (usual["top_p"], usual["service_tier"]) == (1.0, "default")


async def test_what_is_not_to_be_stored_leaves_no_trace_and_what_has_a_past_is_stored_with_it(tmp_path: Path) -> None:
    past = [
        {"role": "developer", "content": "Be kind."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "1?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "one"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "2?"}]},
    ]
    async with serving(tmp_path, say("two")) as client:
        tools = [{"type": "function", "name": "look", "parameters": {}}]
        found = await client.post("/v1/responses", asked(input=past, store=False, tools=tools, include=[]))
        unstored = await client.get("/v1/sessions")
        await client.get(f"/v1/responses/{found['id']}", 404)
        await client.post("/v1/responses", asked(input=past))
        [session] = (await client.get("/v1/sessions"))["sessions"]
        heard = [[each["content"] for each in sent.body["messages"]] for sent in client.upstream.exchanges]

    assert unstored["sessions"] == []
    assert (session["messages"], session["title"]) == (4, "1?")
    assert heard == [["Be kind.", "1?", "one", "2?"]] * 2


async def test_background_goes_on_and_is_read_from_any_number_on(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, thinking(gate)) as client:
        async with told(client, background=True) as coming:
            had = []
            async for each in coming:
                had.append(each)
                if each["type"] == "response.output_text.delta":
                    break
        response_id, number = had[0]["response"]["id"], had[-1]["sequence_number"]
        assert (await client.get(f"/v1/responses/{response_id}"))["status"] == "in_progress"
        assert (await client.post("/v1/responses", asked(background=True)))["status"] == "in_progress"
        gate.open()
        rest = await again(client, response_id, number)
        every = await again(client, response_id)
    async with serving(tmp_path, say("never")) as client:
        after_a_restart = await again(client, response_id, number)

    assert text_of(had) + text_of(rest) == text_of(every) == "An answer."
    # By the numbers a client can leave out what it had, whatever it asks for.
    assert text_of([each for each in every if each["sequence_number"] > number]) == text_of(rest)
    assert [(each["type"], each["sequence_number"]) for each in after_a_restart] == [
        (each["type"], each["sequence_number"]) for each in rest
    ]
    assert text_of(after_a_restart) == text_of(rest) == "answer."


@pytest.mark.parametrize("stream", [True, False])
async def test_client_that_leaves_ends_its_response_unless_it_is_in_the_background(
    tmp_path: Path, stream: bool
) -> None:
    begun, over = Gate(), Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        begun.open()
        await exchange.hung_up()
        over.open()

    async with serving(tmp_path, script) as client:
        for more in ({}, {"store": False}):
            _, writer = await client.connect()
            writer.write(client.request("POST", "/v1/responses", asked(stream=stream, **more)))
            await begun.wait()
            writer.close()
            await over.wait()
        background = await client.post("/v1/responses", asked(background=True))
        stopped = await client.post(f"/v1/responses/{background['id']}/cancel")
        assert stopped["status"] == "cancelled"


async def test_failure_before_anything_came_has_its_status_and_no_session_and_a_later_one_is_told(
    tmp_path: Path,
) -> None:
    async def script(exchange: Exchange) -> None:
        if exchange.body and exchange.question == "Half?":
            await exchange.start()
            await exchange.text("one ")
            exchange.drop()
        else:
            await exchange.refuse(400, {"error": {"message": "no: sk-test"}})

    past = [{"role": "user", "content": "1?"}, {"role": "assistant", "content": "1"}, {"role": "user", "content": "2?"}]
    async with serving(tmp_path, script) as client:
        for more in ({}, {"stream": True}, {"store": False}, {"input": past}):
            refused = await client.post("/v1/responses", asked(**more), 400)
            assert refused["error"]["code"] == "request_refused"
            assert "sk-test" not in refused["error"]["message"]
        assert (await client.get("/v1/sessions"))["sessions"] == []
        async with told(client, input="Half?") as coming:
            *_, last = [each async for each in coming]
        assert (last["type"], last["response"]["error"]["code"]) == ("response.failed", "provider_error")
        assert last["response"]["output"][0]["content"][0]["text"] == "one "


async def test_what_cannot_be_asked_for_says_which_field(tmp_path: Path) -> None:
    wrong: list[tuple[Any, int, str | None]] = [
        (asked(model="gpt-4o"), 404, None),
        (asked(input=[]), 400, "input"),
        (asked(input=[{"role": "user", "content": [{"type": "x"}]}]), 400, "input[0].content[0].type"),
        (asked(background=True, store=False), 400, "background"),
        (asked(previous_response_id="7"), 404, None),
        (asked(text={"format": {"type": "xml"}}), 400, "text.format.type"),
        (asked(max_output_tokens=0), 400, "max_output_tokens"),
        (asked(reasoning={"effort": "much"}), 400, "reasoning.effort"),
        (asked(text={"verbosity": "much"}), 400, "text.verbosity"),
        (asked(tools=[{"type": "web_search"}]), 400, None),  # in chat completions there is none
    ]
    async with serving(tmp_path, say("never")) as client:
        for body, status, param in wrong:
            refused = await client.post("/v1/responses", body, status)
            assert refused["error"]["param"] == param, body
        await client.get("/v1/responses/resp_zzzzzzzz.1", 404)
        assert not client.upstream.exchanges


async def test_sdk_of_openai_goes_on_streams_and_comes_back(tmp_path: Path) -> None:
    require(libraries=("openai",))
    openai: Any = importlib.import_module("openai")
    gate = Gate()
    async with serving(tmp_path, thinking(gate)) as client:
        settings = {"base_url": f"{client.url}/v1", "api_key": TOKEN, "max_retries": 0}
        async with openai.AsyncOpenAI(**settings) as sdk:
            number = -1
            stream = await sdk.responses.create(**asked(background=True), stream=True)
            async for each in stream:
                if each.type == "response.created":
                    response_id = each.response.id
                if each.type == "response.output_text.delta":
                    number = each.sequence_number
                    break
            await stream.close()
            gate.open()
            resumed = await sdk.responses.retrieve(response_id, stream=True, starting_after=number)
            rest = "".join([each.delta async for each in resumed if each.type == "response.output_text.delta"])
            async with sdk.responses.stream(response_id=response_id, starting_after=number) as helper:
                helped = "".join([each.delta async for each in helper if each.type == "response.output_text.delta"])
                final = await helper.get_final_response()

        def ask() -> str:
            with openai.OpenAI(**settings) as sdk:
                found = sdk.responses.create(**asked(previous_response_id=response_id))
                text: str = found.output_text
                return text

        assert await asyncio.to_thread(ask) == "An answer."
        assert (rest, helped, final.output_text) == ("answer.", "answer.", "An answer.")
