"""What requests say to have their provider's prompt cache keep them for the next one, and find what it has.

Only those of a session: another is to follow them, which begins as they do. What stands alone would be written to the
cache for nobody, and that has its price. Only at addresses that are known to take it, as others answer 400. DeepSeek,
Gemini, Cohere and most servers keep beginnings by themselves, and are told nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from llmterm.messages import Request
from llmterm.providers.wire import Wire

# https://platform.claude.com/docs/en/build-with-claude/prompt-caching: the last block that can be kept is, for five
# minutes from its last use.
_MARK: Mapping[str, Any] = {"cache_control": {"type": "ephemeral"}}


def told(provider: str, wire: Wire) -> Wire:
    """Return the wire as it is spoken to `provider` at its own address."""
    match provider, wire.name:
        case "anthropic", _:
            return _saying(wire, lambda _: _MARK)
        # https://developers.openai.com/api/docs/guides/prompt-caching, https://docs.mistral.ai/api
        case ("openai" | "mistral", _) | ("xai", "responses"):
            return _saying(wire, lambda key: {"prompt_cache_key": key})
        # https://docs.x.ai/developers/advanced-api-usage/prompt-caching/maximizing-cache-hits
        case "xai", _:
            return replace(wire, headers_of=lambda request: {"x-grok-conv-id": key} if (key := _key(request)) else {})
        case _:
            return wire


def _saying(wire: Wire, more: Callable[[str], Mapping[str, Any]]) -> Wire:
    """Return a wire that says more in the body of what is of a session; `more` is by the key of that."""

    def payload(request: Request) -> dict[str, Any]:
        key = _key(request)
        return {**wire.payload(request), **more(key)} if key else wire.payload(request)

    plain = wire.plain and _saying(wire.plain, more)
    return replace(wire, payload=payload, plain=plain)


def _key(request: Request) -> str:
    """Return what tells the requests of one session from all others, "" for one of none. Nobody can tell what it is."""
    return hashlib.sha256(request.session.encode()).hexdigest()[:32] if request.session else ""
