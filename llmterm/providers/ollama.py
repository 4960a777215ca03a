"""Ollama's chat: newline-delimited JSON from a server on this machine, or one like it.

https://docs.ollama.com/api/chat, https://docs.ollama.com/api/pull. A trailing assistant message is continued
literally. Here is also what the lines of a download say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmterm.errors import ServerError
from llmterm.framing import Frame
from llmterm.messages import EndReason, Finished, Message, Request, TextDelta, ThinkingDelta, Usage, UsageReport
from llmterm.providers import efforts
from llmterm.providers.wire import Failure, Wire, WireEvent, bearer, decoded, reason
from llmterm.redaction import redact
from llmterm.transport import Embedded, error_words
from llmterm.untrusted import MOST_BYTES, count

PULL_PATH = "/api/pull"

_FINISH = {"stop": EndReason.STOP, "length": EndReason.LENGTH}


def wire() -> Wire:
    return Wire(
        name="ollama",
        known=frozenset({"message", "done", "error"}),
        framing="ndjson",
        path=lambda _: "/api/chat",
        payload=payload,
        parse=parse,
        headers=bearer,
        continuation=lambda _: "prefill",
        quiet=lambda _: True,  # while it loads the model
        attachments=frozenset({"image"}),
        host="ollama",
        schemas=lambda _: True,
        models_path="/api/tags",
        models=models,
    )


def payload(request: Request) -> dict[str, Any]:
    """Return the JSON body for `request`."""
    asked = request.options
    options: dict[str, Any] = {
        "temperature": asked.temperature,
        "num_predict": request.left(),
        "seed": asked.seed,
        "stop": list(asked.stop) or None,
        "top_p": asked.top_p,
    }
    return {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "options": {name: value for name, value in options.items() if value is not None},
        # https://docs.ollama.com/capabilities/structured-outputs
        **({} if asked.schema is None else {"format": asked.schema}),
        **efforts.ollama(request.model, asked.effort),
    }


def _message(message: Message) -> dict[str, Any]:
    images = [Embedded(each.data) for each in message.attachments]
    return {"role": message.role, "content": message.text, **({"images": images} if images else {})}


def parse(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one line. Raises MalformedFrameError for what is no JSON."""
    line = decoded(frame)
    if line.get("error"):
        yield Failure(json.dumps(line))
        return
    message = line.get("message")
    if isinstance(message, dict):
        thinking, text = message.get("thinking"), message.get("content")
        if isinstance(thinking, str) and thinking:
            yield ThinkingDelta(thinking)
        if isinstance(text, str) and text:
            yield TextDelta(text)
    if line.get("done") is True:
        yield UsageReport(_usage(line))
        said = reason(line.get("done_reason"))
        yield Finished(_reason(said), words="" if said in _FINISH else said)


def _usage(line: dict[str, Any]) -> Usage:
    return Usage(input_tokens=count(line.get("prompt_eval_count")), output_tokens=count(line.get("eval_count")))


def _reason(said: str) -> EndReason:
    """Return why an answer ended. Old servers do not say; `load` and `unload` are no answers at all."""
    return _FINISH.get(said, EndReason.OTHER) if said else EndReason.STOP


def models(body: Any) -> Sequence[str]:
    """Return the names in the answer to `GET /api/tags`."""
    listed = body.get("models") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        return []
    return [each["name"] for each in listed if isinstance(each, dict) and isinstance(each.get("name"), str)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """What a line of a download says: of the part `digest`, `completed` of `total` bytes are here. 0 is unknown."""

    status: str
    digest: str = ""
    completed: int = 0
    total: int = 0


def pull_payload(model: str) -> dict[str, Any]:
    """Return the JSON body that has a model downloaded; asked again, it goes on where it was interrupted."""
    return {"model": model, "stream": True}


def pull_progress(frame: Frame, secrets: Iterable[str] = ()) -> PullProgress:
    """Return what one line says. Raises ServerError if the download failed, MalformedFrameError for no JSON."""
    line = decoded(frame)
    if line.get("error"):
        said = error_words(frame.data, secrets) or "the server reports an error"
        raise ServerError(f"ollama: {said}", provider="ollama")
    return PullProgress(
        status=redact(_text(line.get("status")), secrets),
        digest=_text(line.get("digest")),
        completed=count(line.get("completed"), MOST_BYTES),
        total=count(line.get("total"), MOST_BYTES),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
