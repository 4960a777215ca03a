"""What not every provider can be asked for: it is refused before anything is sent, and not left out unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from llmterm.errors import WishRefusedError
from llmterm.messages import Request
from llmterm.providers import efforts
from llmterm.providers.wire import Wire

# What each is called on the screen, and who has it.
_WISHES: Final[Mapping[str, tuple[str, str]]] = {
    "verbosity": ("verbosity", "OpenAI's interfaces have it; elsewhere, say it in the system prompt"),
    "service_tier": ("service tier", "OpenAI's interfaces, anthropic and gemini have it"),
    "web_search": (
        "web search",
        'anthropic, gemini and openrouter have it, openai and xai with api = "responses" in their configuration',
    ),
}


def refuse(provider: str, wire: Wire, request: Request) -> None:
    """Raise WishRefusedError where something is asked for that the provider, or the model of the request, cannot do."""
    options = request.options
    if options.effort is not None:
        if wire.host is None:
            raise WishRefusedError(f"{provider} cannot be told how much to think", hint="it takes no effort")
        efforts.word(wire.host, request.model, options.effort)
    for name, (called, who) in _WISHES.items():
        if getattr(options, name) and name not in wire.takes:
            raise WishRefusedError(f"{provider} has no {called}", hint=who)
