"""A JSON Schema in words, for models whose provider has no way of its own to keep an answer to one."""

from __future__ import annotations

import json
from dataclasses import replace

from llmterm.messages import Message, Request

_INSTRUCTION = "Answer with JSON alone, without a word around it, that fits this JSON Schema:"


def in_words(request: Request) -> Request:
    """Return the request with its schema as an instruction, behind the system prompt."""
    schema = request.options.schema
    if schema is None:
        return request
    said = [each.text for each in request.messages if each.role == "system"]
    others = [each for each in request.messages if each.role != "system"]
    system = "\n\n".join((*said, f"{_INSTRUCTION}\n{json.dumps(schema, ensure_ascii=False)}"))
    return replace(
        request,
        messages=(Message(role="system", text=system), *others),
        options=replace(request.options, schema=None),
    )
