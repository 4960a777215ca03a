"""Every wire, and how a server reads what is sent over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from llmterm.messages import Request
from llmterm.providers import anthropic, cohere, gemini, ollama, openai, responses
from llmterm.providers.attachments import noted
from llmterm.providers.capabilities import accepted
from llmterm.providers.wire import Wire

# A turn as a server reads it: whose it is, and the texts and other things in it.
Turn: TypeAlias = tuple[str, list[object]]


def chat(body: Mapping[str, Any]) -> Iterator[Turn]:
    """OpenAI's chat, Ollama's, Cohere's second."""
    for message in body["messages"]:
        content, images = message["content"], message.get("images", [])
        # What Ollama has words for beside a text is not in it, and comes before it in the prompt.
        yield (
            message["role"],
            content if isinstance(content, list) else [*images, *([content] if content else [])] or [""],
        )


def messages(body: Mapping[str, Any]) -> Iterator[Turn]:
    if "system" in body:
        yield "system", [body["system"]]
    yield from chat(body)


def contents(body: Mapping[str, Any]) -> Iterator[Turn]:
    if "systemInstruction" in body:
        yield "system", body["systemInstruction"]["parts"]
    for content in body["contents"]:
        # An empty text is what carries a signature.
        parts = [part for part in content["parts"] if "thoughtSignature" not in part]
        yield {"model": "assistant"}.get(content["role"], content["role"]), parts


def items(body: Mapping[str, Any]) -> Iterator[Turn]:
    if "instructions" in body:
        yield "system", [body["instructions"]]
    for item in body["input"]:
        if item.get("type") != "reasoning":
            yield item["role"], item["content"]


def history(body: Mapping[str, Any]) -> Iterator[Turn]:
    """Cohere's first chat."""
    if "preamble" in body:
        yield "system", [body["preamble"]]
    for message in body["chat_history"]:
        yield {"USER": "user", "CHATBOT": "assistant"}[message["role"]], [message["message"]]
    yield "user", [body["message"]]


class Way(NamedTuple):
    """A wire, the provider and model that it is spoken to, and how a server reads what it sends."""

    provider: str
    wire: Wire
    model: str
    read: Callable[[Mapping[str, Any]], Iterator[Turn]]


WAYS = (
    Way("openai", openai.wire(official=True), "gpt-4.1", chat),
    Way("openai", openai.wire(), "gpt-3.5-turbo", chat),  # without eyes
    Way("llamacpp", openai.wire(continuation="prefill"), "qwen2.5-vl", chat),
    Way("openai", responses.wire(official=True), "o3", items),
    Way("anthropic", anthropic.wire(), "claude-haiku-4-5", messages),
    Way("anthropic", anthropic.wire(thinking=2000), "claude-opus-4-6", messages),
    Way("gemini", gemini.wire(), "gemini-3.1-pro", contents),
    Way("cohere", cohere.wire(), "command-a-vision-07-2025", chat),
    Way("cohere", cohere.wire(version="v1"), "command-r", history),
    Way("ollama", ollama.wire(), "gemma3", chat),
)


def sent(way: Way, request: Request) -> list[Turn]:
    """Return the turns that `request` is on the wire."""
    seen = noted(request, accepted(way.provider, way.wire, request.model, None))
    return list(way.read(way.wire.payload(seen)))
