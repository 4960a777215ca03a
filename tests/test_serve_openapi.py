"""The document that says what the service can be asked: it is whole, and its answers are as it says.

All answers of the tests that serve (`tests/serving.py`) are held against it as they come.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from starlette.routing import Route

from llmterm.serve.app import all_routes
from llmterm.serve.openapi.document import document
from tests.described import fits, operations
from tests.serving import reply_of, serving
from tests.wire import say


def test_all_routes_are_described_and_nothing_else() -> None:
    served = {
        (method.lower(), re.sub(r":\w+\}", "}", route.path))
        for route in all_routes()
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert {(method, path) for method, path, _ in operations()} == served


def test_document_is_whole() -> None:
    """Names are used once, what is referred to is there, and all parameters of a path are described."""
    names = Counter(operation["operationId"] for _, _, operation in operations())
    referred = {each["$ref"] for each in objects(document()) if "$ref" in each}

    assert {name for name, count in names.items() if count > 1} == set()
    for each in referred:
        found: Any = document()
        for part in each.removeprefix("#/").split("/"):
            found = found[part]
    assert {f"#/components/schemas/{name}" for name in document()["components"]["schemas"]} - referred <= {
        "#/components/schemas/Event"  # of streams, whose format the document cannot say
    }
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for method, path, operation in operations():
        given = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert given == set(re.findall(r"\{(\w+)\}", path)), (method, path)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects that are in a value."""
    inner: list[Any] = []
    match value:
        case dict():
            yield value
            inner = [*value.values()]
        case list():
            inner = value
    for each in inner:
        yield from objects(each)


async def test_answers_of_the_service_are_as_it_says_itself(tmp_path: Path) -> None:
    """One of every kind; what is here not asked for wrongly is so in the tests of the guard and of turns."""
    async with serving(tmp_path, say("An ", "answer.")) as client:
        assert await client.get("/openapi.json") == document()
        image = {"name": "a.png", "data": "iVBORw0KGgo="}
        turn = await client.ask(model="openai/gpt-5", attachments=[image], options={"max_tokens": 9, "seed": 3})
        async with client.told(turn["id"]) as told:
            assert (await reply_of(told)).text == "An answer."
        session = turn["session"]
        one = f"/v1/sessions/{session}"
        again = await client.ask(session=session, question="And?", replaces=True)
        async with client.told(again["id"]) as told:
            await reply_of(told)
        versions = await client.get(f"{one}/versions")
        assert [len(each) for each in versions["versions"]] == [2]
        shown = await client.post(f"{one}/switch", {"row": float(versions["versions"][0][0]["row"])})
        assert shown["messages"][0]["attachments"] == [{"name": "a.png", "media_type": "image/png", "bytes": 8}]
        assert (await client.get("/v1/sessions"))["sessions"][0]["messages"] == 2
        assert (await client.get("/v1/sessions", q="answer"))["sessions"] != []
        assert (await client.get(f"{one}/export"))["messages"] != []
        assert (await client.text(f"{one}/export", format="markdown")).startswith("# ")
        for page in ("/", "/stats"):
            assert (await client.text(page)).startswith("<!doctype html>")
        for model in (await client.get("/v1/models"))["data"][:1]:
            assert await client.get(f"/v1/models/{model['id']}") == model
        refused = await client.http.put(one)
        assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH")
        await client.send("PATCH", one, {"title": "Another"})
        await client.send("DELETE", one)
        for path in (one, f"{one}/versions", f"{one}/export", "/v1/turns/a.1", "/v1/turns/x/events", "/v1/models/no"):
            await client.get(path, status=404)


@pytest.mark.parametrize("wrong", [{"seq": -1}, {"event": "Delta"}, {"more": 1}, {"text": None}])
def test_event_that_is_none_does_not_fit(wrong: dict[str, Any]) -> None:
    event, schema = {"seq": 1, "event": "TextDelta", "text": "x", "chunks": 1}, {"$ref": "#/components/schemas/Event"}
    fits(event, schema)
    with pytest.raises(ValidationError):
        fits({**event, **wrong}, schema)
