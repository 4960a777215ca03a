"""What the service's own document says of its answers, held against the answers themselves.

The document leaves room for fields to come; here an answer may have none that the document does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from llmterm.serve.openapi.document import document


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no other fields than those that it names."""
    match schema:
        case {"type": "object", "properties": dict() as fields}:
            inner = {name: closed(each) for name, each in fields.items()}
            return {**schema, "properties": inner, "additionalProperties": False}
        case dict():
            return {name: closed(each) for name, each in schema.items()}
        case list():
            return [closed(each) for each in schema]
        case _:
            return schema


@cache
def _components() -> Any:
    return closed(document()["components"])


def fits(value: object, schema: Any) -> None:
    """Have the test fail where a value is not what a schema of the document says."""
    whole = {"components": _components(), **closed(schema)}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def is_described(method: str, path: str, status: int, kind: str, value: object = None) -> None:
    """Have the test fail where the document does not know such an answer; `value` is that of one in JSON."""
    operation = _operation(method.lower(), path)
    if operation is None:
        assert status in (404, 405), f"{method} {path} is not in the document"
        return
    responses = operation["responses"]
    response = responses.get(str(status), document()["components"]["responses"]["Problem"])
    assert str(status) in responses or status >= 400, f"{method} {path} is not said to answer with {status}"
    content = response["content"]
    kind = kind.partition(";")[0]
    assert kind in content, f"{method} {path} is not said to answer with {kind}"
    if kind == "application/json":
        fits(value, content[kind]["schema"])


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield all that can be asked for: its method, its path, and what is said of it."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Return all operations, those first whose paths have the fewest names in them."""
    found = []
    for method, path, operation in sorted(operations(), key=lambda each: each[1].count("{")):
        pieces = [re.escape(piece) for piece in re.split(r"\{\w+\}", path)]
        between = ".+" if path.endswith("{model}") else "[^/]+"
        found.append((method, re.compile(between.join(pieces)), operation))
    return found


def _operation(method: str, path: str) -> dict[str, Any] | None:
    return next((each for name, pattern, each in _patterns() if name == method and pattern.fullmatch(path)), None)
