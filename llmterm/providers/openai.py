"""OpenAI's chat completions, and every server that speaks them.

https://platform.openai.com/docs/api-reference/chat-streaming; what servers that only resemble it send is tolerated:
empty `choices`, `content: null`, usage in any chunk, errors inside a stream that began with HTTP 200.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from llmterm.conversation import ContinuationMode
from llmterm.errors import ConfigError, ProtocolError
from llmterm.framing import Frame
from llmterm.messages import (
    EndReason,
    Finished,
    Message,
    Request,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.providers.stream import WireStream
from llmterm.transport import Call, Transport, error_words, provider_error

OFFICIAL_BASE_URL = "https://api.openai.com/v1"

_FINISH = {
    "stop": EndReason.STOP,
    "eos": EndReason.STOP,
    "length": EndReason.LENGTH,
    "content_filter": EndReason.REFUSAL,
}


class OpenAIProvider:
    """Answers from one base URL. `key` is called for each request, so that no key is kept here."""

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str = OFFICIAL_BASE_URL,
        key: Callable[[], str] | None = None,
        name: str = "openai",
    ) -> None:
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def continuation(self, model: str) -> ContinuationMode:
        """OpenAI takes a trailing assistant message and starts over: it has to be told."""
        return "instruct"

    def preparation(self, model: str) -> str:
        return ""

    async def open(self, request: Request, limits: StreamLimits) -> WireStream:
        secret = self._key() if self._key else ""
        if not secret and self._base_url == OFFICIAL_BASE_URL:
            raise ConfigError(
                f"no key for {self._name}",
                hint="set OPENAI_API_KEY, or run: llmterm config set-key openai",
            )
        call = Call(
            who=self._name,
            url=f"{self._base_url}/chat/completions",
            payload=payload(request, official=self._base_url == OFFICIAL_BASE_URL),
            headers={"authorization": f"Bearer {secret}"} if secret else {},
            secrets=(secret,),
        )
        frames = await self._transport.open(call, limits)
        return WireStream(self._name, frames, parser(self._name, (secret,)))

    async def aclose(self) -> None:
        await self._transport.aclose()


def payload(request: Request, *, official: bool = False) -> dict[str, Any]:
    """Return the JSON body for `request`; `official` for OpenAI itself, whose newer models refuse `max_tokens`."""
    options = request.options
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if options.temperature is not None:
        body["temperature"] = options.temperature
    if options.max_tokens is not None:
        body["max_completion_tokens" if official else "max_tokens"] = options.max_tokens
    if options.seed is not None:
        body["seed"] = options.seed
    if options.stop:
        body["stop"] = list(options.stop)
    return body


def _message(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.text}


def parser(who: str, secrets: tuple[str, ...] = ()) -> Callable[[Frame], Iterable[StreamEvent]]:
    """Return `parse` with a name and secrets for its errors."""

    def parse_named(frame: Frame) -> Iterator[StreamEvent]:
        return parse(frame, who=who, secrets=secrets)

    return parse_named


def parse(frame: Frame, *, who: str = "openai", secrets: tuple[str, ...] = ()) -> Iterator[StreamEvent]:
    """Return the events of one frame. Raises ServerError for an error in it, ProtocolError for what is no JSON."""
    try:
        chunk = json.loads(frame.data)
    except (ValueError, RecursionError):
        raise ProtocolError(
            f"{who}: the stream has a frame that is no JSON", hint="is this an OpenAI-compatible API?"
        ) from None
    if not isinstance(chunk, dict):
        return
    if frame.event == "error" or chunk.get("error"):
        raise provider_error(who, error_words(frame.data, secrets))
    choices = chunk.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        yield from _choice(choices[0])
    usage = chunk.get("usage")
    if isinstance(usage, dict):
        yield UsageReport(_usage(usage))


def _choice(choice: dict[str, Any]) -> Iterator[StreamEvent]:
    delta = choice.get("delta")
    if isinstance(delta, dict):
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thinking, str) and thinking:
            yield ThinkingDelta(thinking)
        text = delta.get("content") or delta.get("refusal")
        if isinstance(text, str) and text:
            yield TextDelta(text)
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason:
        yield Finished(_FINISH.get(reason, EndReason.OTHER))


def _usage(usage: dict[str, Any]) -> Usage:
    def count(name: str) -> int:
        value = usage.get(name)
        return value if isinstance(value, int) else 0

    return Usage(input_tokens=count("prompt_tokens"), output_tokens=count("completion_tokens"))
