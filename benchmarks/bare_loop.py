"""The baseline: an HTTP client, a JSON parser and standard output, with nothing around them.

`python -m benchmarks.bare_loop PROVIDER URL`, with the question on standard input.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import httpx2

# For each provider: where to ask, what a line of the answer begins with, and the way to the text in what follows.
WIRES: dict[str, tuple[str, str, Callable[[Any], str | None]]] = {
    "openai": (
        "/chat/completions",
        "data: ",
        lambda event: event["choices"] and event["choices"][0]["delta"].get("content"),
    ),
    "responses": ("/responses", "data: ", lambda event: event.get("delta")),
    "anthropic": ("/v1/messages", "data: ", lambda event: event.get("delta", {}).get("text")),
    "gemini": (
        "/v1/models/test:streamGenerateContent?alt=sse",
        "data: ",
        lambda event: event["candidates"][0]["content"]["parts"][0]["text"],
    ),
    "cohere": (
        "/v2/chat",
        "data: ",
        lambda event: event["type"] == "content-delta" and event["delta"]["message"]["content"]["text"],
    ),
    "ollama": ("/api/chat", "", lambda event: event["message"]["content"]),
}


async def main(provider: str, url: str) -> None:
    path, prefix, text_of = WIRES[provider]
    body = {"model": "test", "stream": True, "messages": [{"role": "user", "content": sys.stdin.read()}]}
    async with httpx2.AsyncClient() as client, client.stream("POST", url + path, json=body) as response:
        async for line in response.aiter_lines():
            if not line.startswith(prefix) or line == "data: [DONE]":
                continue
            if text := text_of(json.loads(line[len(prefix) :])):
                sys.stdout.write(text)
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
