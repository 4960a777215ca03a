"""The whole document.

https://spec.openapis.org/oas/v3.1.1
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llmterm import __version__
from llmterm.serve.openapi.paths import PATHS
from llmterm.serve.openapi.schemas import SCHEMAS
from llmterm.serve.openapi.words import ref

_ABOUT = """Chat with language models: answers that can be read, paused, guided and gone on with from anywhere.

Leaving is not stopping: an answer that was asked for is made whether or not anybody reads it.
"""


@cache
def document() -> dict[str, Any]:
    """Return the document; nobody may change it."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "llmterm", "version": __version__, "description": _ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"cookie": []}, {"key": []}],
        "paths": PATHS,
        "components": {
            "schemas": SCHEMAS,
            "responses": {
                "Problem": {
                    "description": "It cannot be done.",
                    "content": {"application/json": {"schema": ref("Problem")}},
                }
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The token of `llmterm serve`."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "llmterm_token"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }
