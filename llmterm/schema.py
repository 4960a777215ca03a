"""The shape that an answer is to have: a JSON Schema, as it is given, and whether an answer fits it.

https://json-schema.org/draft/2020-12. Nothing that a schema refers to is fetched from elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmterm.errors import UsageError
from llmterm.openblock import code_blocks

# A field of the short form: `name`, `age int`, `tags[]`, `scores float[]: from 0 to 1`.
_FIELD = re.compile(
    r"(?P<name>\w+)\s*(?P<list>\[\])?(?:\s+(?P<type>[a-z]+)\s*(?P<of>\[\])?)?\s*(?::\s*(?P<about>.*))?\Z"
)
_TYPES = {
    **dict.fromkeys(("str", "string", "text"), "string"),
    **dict.fromkeys(("int", "integer"), "integer"),
    **dict.fromkeys(("float", "number"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
}
# Characters of what is said of a misfit: it may quote all of an answer.
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Schema:
    """A JSON Schema that is one."""

    value: Mapping[str, Any]

    @classmethod
    def of(cls, given: str) -> Schema:
        """Return the schema in a file of that name, or the one that it is itself: JSON, or the short form.

        That names fields, set apart by commas, or by lines: each with its type, str where none is named, with [] for a
        list, and, behind a colon, what it is. All of them are required. Raises UsageError.
        """
        schema = cls(_read(given))
        schema._require_valid()
        return schema

    @property
    def strict(self) -> bool:
        """Whether every object in it lists all that it has, and requires it: then OpenAI keeps to it strictly.

        https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
        """
        return _is_strict(self.value)

    def misfit(self, text: str) -> str:
        """Return why the JSON in an answer does not fit, "" where it does."""
        from jsonschema.exceptions import best_match

        try:
            value = json.loads(json_in(text))
        except (ValueError, RecursionError) as error:
            return f"it is no JSON: {error}"
        worst = best_match(self._validator().iter_errors(value))
        return "" if worst is None else f"{worst.json_path}: {worst.message}"[:_LONGEST]

    def complaint(self, misfit: str) -> str:
        """Return what a model is told whose answer does not fit, so that it answers again."""
        wanted = json.dumps(self.value, ensure_ascii=False)
        return f"That does not fit: {misfit}\nAnswer again, with JSON alone that fits this JSON Schema:\n{wanted}"

    def _require_valid(self) -> None:
        from jsonschema.exceptions import SchemaError
        from referencing import Registry
        from referencing.exceptions import Unresolvable
        from referencing.jsonschema import DRAFT202012

        refers_to = ""
        try:
            type(self._validator()).check_schema(self.value)
            root: Any = DRAFT202012.create_resource(self.value)
            resolver = Registry().resolver_with_root(root)
            for reference in _references(self.value):
                refers_to = reference
                resolver.lookup(reference)
        except SchemaError as error:
            raise UsageError(f"no JSON Schema: {error.json_path}: {error.message}"[:_LONGEST]) from None
        except Unresolvable:
            raise UsageError(
                f"the schema refers to what is not in it: {refers_to}", hint="put it under $defs: nothing is fetched"
            ) from None
        except RecursionError:
            raise UsageError("the schema is too deep") from None

    def _validator(self) -> Any:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import validator_for
        from referencing import Registry

        # A registry of its own: the usual one would fetch what is referred to.
        return validator_for(self.value, default=Draft202012Validator)(self.value, registry=Registry())


def json_in(text: str) -> str:
    """Return the JSON in an answer, which may stand in a block of code, whatever is said around it."""
    bare = text.strip()
    if bare[:1] in ("{", "["):
        return bare
    blocks = [block.code.strip() for block in code_blocks(text) if block.language in ("", "json", "jsonc")]
    return blocks[0] if blocks else bare


def _read(given: str) -> Mapping[str, Any]:
    text = given.strip()
    if text.startswith("{"):
        return _object(text, "what --schema is given")
    try:
        path = Path(text).expanduser()
        if path.is_file():
            return _object(path.read_text("utf-8-sig"), text)
    except UnicodeDecodeError:
        raise UsageError(f"{text} is no JSON Schema: it is not in UTF-8") from None
    except (OSError, RuntimeError, ValueError) as error:  # a name that is too long is none
        if isinstance(error, PermissionError):
            raise UsageError(f"{text} cannot be read: {error.strerror}") from None
    return _fields(text)


def _object(text: str, name: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{name} is no JSON Schema: it has to be an object")
    return value


def _fields(text: str) -> Mapping[str, Any]:
    """Return the schema that the short form means."""
    fields = [each.strip() for each in text.split("\n" if "\n" in text else ",")]
    properties = dict(map(_field, filter(None, fields)))
    if not properties:
        raise UsageError("an empty schema", hint='for example --schema "name, age int, tags[]"')
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _field(text: str) -> tuple[str, dict[str, Any]]:
    found = _FIELD.match(text)
    kind = _TYPES.get(found["type"] or "str") if found else None
    if found is None or kind is None:
        raise UsageError(
            f"no field of a schema, nor a file: {text!r:.80}",
            hint=f'for example "name, age int, tags[]"; types are {", ".join(dict.fromkeys(_TYPES.values()))}',
        )
    value: dict[str, Any] = {"type": kind}
    if found["list"] or found["of"]:
        value = {"type": "array", "items": value}
    if found["about"]:
        value["description"] = found["about"].strip()
    return found["name"], value


def _is_strict(schema: object) -> bool:
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("type") == "object" or "properties" in schema:
        listed = isinstance(properties, Mapping) and isinstance(required, list) and set(properties) == set(required)
        if not listed or schema.get("additionalProperties") is not False:
            return False
    return all(map(_is_strict, schema.values()))


def _references(schema: object) -> Iterator[str]:
    """Yield what a schema refers to."""
    if isinstance(schema, list):
        for each in schema:
            yield from _references(each)
    elif isinstance(schema, Mapping):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        for each in schema.values():
            yield from _references(each)
