"""The few words that the document is written in: schemas of JSON, and what is asked for and answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

TEXT: Schema = {"type": "string"}
# More than white space.
WORDS: Schema = {"type": "string", "pattern": r"\S"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
DAY: Schema = {"type": "string", "format": "date"}
MOMENT: Schema = {"type": "string", "format": "date-time"}


def said(schema: Schema, description: str) -> Schema:
    """Return a schema with what a person should know of it."""
    return {**schema, "description": description}


def one_of(words: type[StrEnum] | Iterable[str]) -> Schema:
    return {"type": "string", "enum": [str(each) for each in words]}


def perhaps(schema: Schema) -> Schema:
    """Return the schema of what may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def several(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def thing(fields: Mapping[str, Schema], others: Mapping[str, Schema] | None = None, words: str = "") -> Schema:
    """Return the schema of an object that has all of the `fields`, and perhaps some of the `others`."""
    described = {"description": words} if words else {}
    return {
        "type": "object",
        "properties": {**fields, **(others or {})},
        "required": list(fields),
        **described,
    }


def asked(fields: Mapping[str, Schema], others: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object that a request has: null is there the same as nothing."""
    return thing(fields, {name: perhaps(each) for name, each in (others or {}).items()})


def ref(name: str) -> Schema:
    """Return the schema of that name: one of the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def at(name: str, description: str) -> Schema:
    """Return a parameter that is a part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": TEXT, "description": description}


def query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def header(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "header", "schema": schema, "description": description}


def operation(
    name: str,
    summary: str,
    answer: Schema | None = None,
    *,
    status: int = 200,
    also: Mapping[int, Schema] | None = None,
    kinds: Mapping[str, Schema] | None = None,
    body: Schema | None = None,
    parameters: Sequence[Schema] = (),
    words: str = "",
) -> Schema:
    """Return something that can be asked for: `answer` comes as JSON, `kinds` are answers by their media types.

    `also` are answers with another status; all else that may come is a problem.
    """
    content = dict(kinds or {})
    if answer is not None:
        content["application/json"] = answer
    found: Schema = {
        "operationId": name,
        "tags": [name.partition(".")[0]],
        "summary": summary,
        "responses": {
            str(status): _response(content),
            **{str(other): _response({"application/json": schema}) for other, schema in (also or {}).items()},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if words:
        found["description"] = words
    if parameters:
        found["parameters"] = [*parameters]
    if body is not None:
        required = bool(body.get("required"))
        found["requestBody"] = {"required": required, "content": {"application/json": {"schema": body}}}
    return found


def _response(content: Mapping[str, Schema]) -> Schema:
    return {"description": "What there is.", "content": {kind: {"schema": schema} for kind, schema in content.items()}}
