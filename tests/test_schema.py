"""The shape that an answer is to have: how it is given, whether an answer fits, and how each provider is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.options import Choices
from llmterm.errors import UsageError
from llmterm.messages import Message, Options, Request, Snapshot
from llmterm.messages.reply import Reply
from llmterm.messages.segment import EndReason
from llmterm.providers import anthropic, cohere, gemini, ollama, openai, responses
from llmterm.providers.structured import in_words
from llmterm.schema import Schema, json_in

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "given", ["name, age int, tags[]", " name str ,age integer,tags string[],", "name\nage int\n\ntags[] str"]
)
def test_short_form_names_fields_and_their_types(given: str) -> None:
    assert Schema.of(given).value == PERSON


def test_short_form_says_what_a_field_is() -> None:
    """By lines, where that has commas."""
    schema = Schema.of("score float: from 0 to 1, exactly\nok bool")

    assert schema.value["properties"] == {
        "score": {"type": "number", "description": "from 0 to 1, exactly"},
        "ok": {"type": "boolean"},
    }


def test_schema_is_given_itself_or_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "person.json"
    file.write_text(json.dumps(PERSON), "utf-8-sig")

    assert Schema.of(json.dumps(PERSON)) == Schema.of(str(file)) == Schema(PERSON)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "an empty schema"),
        ("gone.json", "no field of a schema, nor a file: 'gone.json'"),
        ("age years", "no field of a schema, nor a file: 'age years'"),
        ("{", "is no JSON"),
        ('{"type": "person"}', r"no JSON Schema: \$\.type"),
        ('{"$ref": "https://127.0.0.1:9/x"}', "refers to what is not in it: https://127.0.0.1:9/x"),
        ('{"$ref": "#/$defs/gone"}', "refers to what is not in it: #/\\$defs/gone"),
    ],
)
def test_schema_that_is_none_is_an_error(given: str, words: str) -> None:
    """Nothing that it refers to is fetched."""
    with pytest.raises(UsageError, match=words):
        Schema.of(given)


@pytest.mark.parametrize(
    ("text", "misfit"),
    [
        ('{"name": "Ada", "age": 36, "tags": ["math"]}', ""),
        ('Here it is:\n```json\n{"name": "Ada", "age": 36, "tags": []}\n```\nDone.', ""),
        ('{"name": "Ada", "age": 36.5, "tags": []}', "$.age: 36.5 is not of type 'integer'"),
        ('{"name": "Ada", "age": 36}', "$: 'tags' is a required property"),
        ("[]", "$: [] is not of type 'object'"),
        ("Ada", "it is no JSON: Expecting value: line 1 column 1 (char 0)"),
        ("", "it is no JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_answer_fits_or_it_is_said_where_not(text: str, misfit: str) -> None:
    assert Schema(PERSON).misfit(text) == misfit


def test_schema_that_refers_to_itself_is_checked() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}}, "additionalProperties": False}

    schema = Schema.of(json.dumps(tree))

    assert schema.misfit('{"left": {"left": {}}}') == ""
    assert schema.misfit('{"left": {"right": {}}}').startswith("$.left: ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(json_values.filter(lambda value: isinstance(value, list | dict)), st.sampled_from(["", "Sure:\n"]))
def test_json_is_found_whatever_is_said_around_it(value: Any, before: str) -> None:
    text = json.dumps(value)

    assert json_in(text) == text
    assert json_in(f"{before}```json\n{text}\n```\n") == text


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (PERSON, True),
        ({**PERSON, "required": ["name"]}, False),
        ({**PERSON, "additionalProperties": True}, False),
        ({"type": "array", "items": PERSON}, True),
        ({"anyOf": [PERSON, {"type": "object"}]}, False),
        ({"type": "string"}, True),
        ({"properties": 1, "required": 2}, False),
    ],
)
def test_schema_is_strict_where_its_objects_are_closed(schema: dict[str, Any], strict: bool) -> None:
    assert Schema(schema).strict is strict


REQUEST = Request(model="m", messages=(Message(role="user", text="who?"),), options=Options(schema=PERSON))
NAMED = {"name": "answer", "schema": PERSON, "strict": True}


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (openai.payload, {"response_format": {"type": "json_schema", "json_schema": NAMED}}),
        (responses.payload, {"text": {"format": {"type": "json_schema", **NAMED}}}),
        (anthropic.payload, {"output_config": {"format": {"type": "json_schema", "schema": PERSON}}}),
        (cohere.payload, {"response_format": {"type": "json_object", "json_schema": PERSON}}),
        (cohere.payload_v1, {"response_format": {"type": "json_object", "schema": PERSON}}),
        (ollama.payload, {"format": PERSON}),
        (
            lambda request: gemini.payload(request)["generationConfig"],
            {"responseMimeType": "application/json", "responseJsonSchema": PERSON},
        ),
    ],
)
def test_every_api_is_told_in_its_own_way(payload: Callable[[Request], dict[str, Any]], told: dict[str, Any]) -> None:
    """And without a schema of nothing."""
    without = payload(Request(model="m", messages=REQUEST.messages))

    assert payload(REQUEST) == {**without, **told}


@pytest.mark.parametrize(
    ("model", "shaped"),
    [
        ("claude-opus-4-1", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-haiku-5", True),
        ("claude-sonnet-4-20250514", False),
        ("claude-3-5-sonnet-latest", False),
        ("glm-5", False),
    ],
)
def test_claude_is_told_in_words_before_it_knew_another_way(model: str, shaped: bool) -> None:
    assert anthropic.wire().schemas(model) is shaped


def test_words_stand_behind_the_system_prompt() -> None:
    system = Message(role="system", text="Be brief.")

    worded = in_words(Request(model="m", messages=(system, *REQUEST.messages), options=REQUEST.options))

    first, question = worded.messages
    assert first.text.startswith("Be brief.\n\nAnswer with JSON alone")
    assert json.loads(first.text.splitlines()[-1]) == PERSON
    assert (question, worded.options) == (REQUEST.messages[0], Options())


def test_snapshot_keeps_the_schema_and_one_of_earlier_has_none() -> None:
    rest = Snapshot(request=REQUEST, reply=Reply(), reason=EndReason.PAUSE)
    value = json.loads(rest.to_json())
    del value["request"]["options"]["schema"]

    assert Snapshot.from_json(rest.to_json()) == rest
    assert Snapshot.from_json(json.dumps(value)).request.options == Options()


def test_schema_of_an_answer_that_is_gone_on_with_is_not_that_of_the_chat() -> None:
    choices = Choices(provider="p", model="m", options=Options(seed=1))

    choices.lay_under(Options(seed=2, max_tokens=9, schema=PERSON))

    assert choices.options == Options(seed=1, max_tokens=9)
