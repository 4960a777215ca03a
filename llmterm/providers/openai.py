"""OpenAI's chat completions, and every server that speaks them.

https://platform.openai.com/docs/api-reference/chat-streaming; what servers that only resemble it send is tolerated:
empty `choices`, `content: null`, usage in any chunk, thinking under four names, errors inside a stream that began with
HTTP 200. Thinking inside the text, between `<think>` and `</think>`, is text here: whoever has the answer tells it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, assert_never

from llmterm.errors import ContextTooLongError, ProviderError, QuotaError, RateLimitError
from llmterm.framing import Frame
from llmterm.messages import (
    Attachment,
    Cited,
    Continuation,
    Effort,
    EndReason,
    Finished,
    Message,
    Opaque,
    Part,
    Request,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    UsageReport,
)
from llmterm.providers import efforts
from llmterm.providers.attachments import PDF, text_first
from llmterm.providers.wire import (
    TOOL_WANTED,
    Choice,
    Failure,
    MalformedFrameError,
    Wire,
    WireEvent,
    bearer,
    cited,
    data_url,
    decoded,
    reason,
    whole,
)
from llmterm.schema import Schema
from llmterm.untrusted import MOST_COST, amount, count

_FINISH = {
    "stop": EndReason.STOP,
    # Other servers' names of the same.
    **dict.fromkeys(
        ("eos", "eos_token", "end_turn", "end", "complete", "completed", "finished", "done"), EndReason.STOP
    ),
    "length": EndReason.LENGTH,
    "model_length": EndReason.LENGTH,
    "max_tokens": EndReason.LENGTH,
    "content_filter": EndReason.REFUSAL,
}
_TOOLS = frozenset({"tool_calls", "function_call"})

# What goes with a trailing assistant message that is to be continued: in the message, and beside the messages.
# https://docs.mistral.ai/api, https://api-docs.deepseek.com/guides/chat_prefix_completion,
# https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
_IN_MESSAGE: Mapping[Continuation, Mapping[str, Any]] = {"prefix": {"prefix": True}}
_IN_BODY: Mapping[Continuation, Mapping[str, Any]] = {
    "continue_final_message": {"continue_final_message": True, "add_generation_prompt": False},
}

# What OpenAI's own models refuse, by the beginning of their names; the first match counts. A model that thinks before
# it answers refuses `temperature`; GPT-5.1 to 5.4 do not think unless they are asked to.
# https://platform.openai.com/docs/guides/reasoning
_SAMPLING = frozenset({"temperature", "top_p"})
_THINKER = _SAMPLING | {"stop"}
_REFUSED: tuple[tuple[str, frozenset[str]], ...] = (
    (r"gpt-5-chat", frozenset()),
    (r"gpt-5\.[1-4]\b.*-(pro|chat)|gpt-5\.1-codex", _THINKER),
    (r"gpt-5\.[1-4]\b", frozenset({"stop"})),
    (r"o\d|gpt-[5-9]\b|codex-mini", _THINKER),
)

# Those that reason, if they are asked to, are at their best over Responses, which has their thoughts go back to them:
# https://developers.openai.com/api/docs/guides/migrate-to-responses.
_REASONING = re.compile(r"(ft:)?(o\d|gpt-[5-9]|codex)(?!.*(-chat|-search|audio|realtime|transcribe))")
# Models of others that do not show what they think: https://docs.x.ai/docs/guides/reasoning.
_UNSEEN = re.compile(r"grok-([4-9]|\d\d)(?!.*non-reasoning)")

# The tool that a provider itself uses: https://openrouter.ai/docs/guides/features/server-tools/web-search.
_SEARCH: Mapping[str, Mapping[str, Any]] = {"openrouter": {"type": "openrouter:web_search"}}

_TICKS = 10_000_000_000
_MOST_TICKS = _TICKS * MOST_COST

# What the code, type or status of an error says of it.
_FAILURES: tuple[tuple[str, type[ProviderError]], ...] = (
    (r"insufficient.?(quota|credit|balance|funds)|billing|\b402\b", QuotaError),
    (r"\b429\b|rate.?limit|too.?many.?requests", RateLimitError),
    (r"context.?(length|window|size)", ContextTooLongError),
)


def wire(
    *,
    official: bool = False,
    continuation: Continuation = "instruct",
    usage: bool = True,
    seed: str = "seed",
    says_stop: bool = False,
    host: str = "",
) -> Wire:
    """Return the wire of OpenAI itself (`official`), or of a server that resembles it.

    `host` is the provider by whose words a model is told how much to think, "" for those of most servers.
    Mistral answers 422 to what it does not know: it wants no `usage` asked for, which it sends all the same, and its
    name of the `seed` is `random_seed`. vLLM `says_stop`.
    """
    return Wire(
        name="openai",
        known=frozenset({"choices", "usage", "error"}),
        path=lambda _: "/chat/completions",
        payload=partial(payload, official=official, usage=usage, seed=seed, host="openai" if official else host),
        parse=parse,
        headers=bearer,
        continuation=lambda _: continuation,
        says_stop=says_stop,
        quiet=quiet,
        attachments=frozenset({"image", "pdf"}),
        host="openai" if official else host,
        takes=frozenset({"verbosity", "service_tier", *(("web_search",) if host in _SEARCH else ())} if usage else ()),
        schemas=lambda _: True,
        models_path="/models",
        models=models,
    )


def payload(
    request: Request,
    *,
    official: bool = False,
    usage: bool = True,
    seed: str = "seed",
    host: str = "",
) -> dict[str, Any]:
    """Return the JSON body for `request`; `official` for OpenAI itself, whose newer models refuse `max_tokens`.

    Raises WishRefusedError for an effort that the model cannot make.
    """
    options = request.options
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
    }
    if usage:
        body["stream_options"] = {"include_usage": True}
    if request.continuation is not None:
        body["messages"][-1] |= _IN_MESSAGE.get(request.continuation, {})
        body |= _IN_BODY.get(request.continuation, {})
    wishes = {
        "temperature": options.temperature,
        "max_completion_tokens" if official else "max_tokens": request.left(),
        seed: options.seed,
        "stop": list(options.stop) or None,
        "response_format": None if options.schema is None else _format(options.schema),
        "top_p": options.top_p,
        "verbosity": options.verbosity,
        "service_tier": options.service_tier,
        "tools": [_SEARCH[host]] if options.web_search and host in _SEARCH else None,
        **efforts.chat(host, request.model, options.effort),
    }
    left_out = refused(request.model, options.effort) if official else ()
    return body | {name: value for name, value in wishes.items() if value is not None and name not in left_out}


def _format(schema: Opaque) -> dict[str, Any]:
    """https://platform.openai.com/docs/guides/structured-outputs"""
    return {"type": "json_schema", "json_schema": json_schema(schema)}


def json_schema(schema: Opaque) -> dict[str, Any]:
    """Return a schema under a name; strictly kept where it is one that can be."""
    return {"name": "answer", "schema": schema, "strict": Schema(schema).strict}


def _message(message: Message) -> dict[str, Any]:
    if not message.attachments:
        return {"role": message.role, "content": message.text}
    # The text first, as OpenRouter wants it; the others do not mind.
    parts = text_first(message.parts)
    return {"role": message.role, "content": [each for part in parts for each in _content(part)]}


def _content(part: Part) -> Iterator[dict[str, Any]]:
    """Yield what a part is: https://developers.openai.com/api/docs/guides/images-vision, .../file-inputs."""
    match part:
        case TextPart(text):
            if text:
                yield {"type": "text", "text": str(text)}
        case Attachment(name=name, media_type=media_type):
            if media_type == PDF:
                yield {"type": "file", "file": {"filename": name, "file_data": data_url(part)}}
            else:
                yield {"type": "image_url", "image_url": {"url": data_url(part)}}
        case ThinkingPart() | ToolCall() | ToolResult():
            pass  # thoughts stay here, and no request offers a tool yet
        case _:
            assert_never(part)


def refused(model: str, effort: Effort | None = None) -> frozenset[str]:
    """Return the options that a model of OpenAI's own answers with an error, where it is to make that effort."""
    name = model.removeprefix("ft:")
    usual = next((names for pattern, names in _REFUSED if re.match(pattern, name)), frozenset[str]())
    if effort is None:
        return usual
    return usual - _SAMPLING if effort == "off" else usual | _SAMPLING


def thinks(model: str, effort: Effort | None = None) -> bool:
    """Tell whether a model of OpenAI's own thinks before it answers, without being asked to or as the effort says."""
    return "temperature" in refused(model, effort)


def reasons(model: str) -> bool:
    """Tell whether a model of OpenAI's own is one that reasons, or can."""
    return _REASONING.match(model) is not None


def quiet(model: str) -> bool:
    """Tell whether a model thinks unseen, with no sign of life meanwhile, under whatever name a server passes it on."""
    name = model.rpartition("/")[2]
    return thinks(name) or _UNSEEN.match(name) is not None


def parse(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one frame. Raises MalformedFrameError for what is no JSON."""
    if frame.event == "error":
        yield failed(frame)
        return
    chunk = decoded(frame)
    listed = chunk.get("choices")
    choices = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    yield from _choices(choices)
    if "citations" in chunk or "search_results" in chunk:
        yield from _sources(chunk)
    groq = chunk.get("x_groq")
    beside: dict[str, Any] = groq if isinstance(groq, dict) else {}
    error = chunk.get("error") or beside.get("error") or (choices[0].get("error") if choices else None)
    if error or chunk.get("object") == "error" or (choices and choices[0].get("finish_reason") == "error"):
        yield failure(error or chunk, frame.data)
        return
    usage = chunk.get("usage") or beside.get("usage")
    if isinstance(usage, dict):
        yield UsageReport(_usage(usage))


def failed(frame: Frame) -> Failure:
    """Return the failure that a frame of the name `error` tells of, be it JSON or not."""
    try:
        value = decoded(frame)
    except MalformedFrameError:
        return failure(frame.data, "")
    return failure(value.get("error") or value, frame.data)


def failure(error: object, words: str) -> Failure:
    """Return the failure that an error object, or a bare message, tells of; by `words` where it has no message."""
    about: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
    message = about.get("message")
    codes = [about.get("code"), about.get("type"), about.get("status")]
    kinds = " ".join(str(code) for code in codes if isinstance(code, str | int))
    found = (kind for pattern, kind in _FAILURES if re.search(pattern, kinds, re.IGNORECASE))
    said = json.dumps(message) if isinstance(message, str) else words
    return Failure(said, kind) if (kind := next(found, None)) else Failure(said)


def models(body: Any) -> Sequence[str]:
    """Return the names in the answer to `GET /models`: an object with a list or, at Together, the bare list."""
    listed = body.get("data") if isinstance(body, dict) else body
    if not isinstance(listed, list):
        return []
    return [each["id"] for each in listed if isinstance(each, dict) and isinstance(each.get("id"), str)]


def _choices(choices: Sequence[dict[str, Any]]) -> Iterator[WireEvent]:
    if len(choices) == 1 and not choices[0].get("index"):
        yield from _choice(choices[0])
        return
    for choice in choices:
        yield Choice(count(choice.get("index")), tuple(_choice(choice)), beside=len(choices) > 1)


def _choice(choice: dict[str, Any]) -> Iterator[WireEvent]:
    delta, message = choice.get("delta"), choice.get("message")
    ended = reason(choice.get("finish_reason"))
    if isinstance(delta, dict):
        yield from _delta(delta)
        if "annotations" in delta:
            yield from _annotated(delta)
    # Perplexity says all of it again in a message beside each delta; at the end it counts where no delta said it.
    if isinstance(message, dict) and (ended or not isinstance(delta, dict)):
        yield from whole(_delta(message))
        yield from _annotated(message)
        ended = ended or "stop"
    if ended and ended != "error":
        # vLLM names what stopped it there: a text is a stop sequence, a number the token of a real end.
        name = ended.lower()
        matched = name == "stop" and isinstance(choice.get("stop_reason"), str)
        if matched or name in _FINISH:
            yield Finished(EndReason.STOP_SEQUENCE if matched else _FINISH[name])
        else:
            yield Finished(EndReason.OTHER, words=TOOL_WANTED if name in _TOOLS else ended)


def _delta(delta: dict[str, Any]) -> Iterator[TextDelta | ThinkingDelta]:
    if thinking := _thinking(delta):
        yield ThinkingDelta(thinking)
    content = delta.get("content") or delta.get("refusal")
    if isinstance(content, str):
        if content:
            yield TextDelta(content)
    elif isinstance(content, list):
        yield from filter(None, map(_part, content))


def _annotated(said: dict[str, Any]) -> Iterator[Cited]:
    """Yield the sources that a delta or a message names beside its text."""
    notes = said.get("annotations")
    if isinstance(notes, list):
        yield from cited([each.get("url_citation", each) for each in notes if isinstance(each, dict)])


def _sources(chunk: dict[str, Any]) -> Iterator[Cited]:
    """Yield the sources of a whole answer, in the order of the bare URLs: the text counts those.

    https://docs.perplexity.ai/api-reference/chat-completions-post, https://docs.x.ai/docs/guides/live-search
    """
    found = list(cited(chunk.get("search_results")))
    titles = {each.url: each.title for each in found}
    for each in cited(chunk.get("citations")):
        yield Cited(each.url, each.title or titles.get(each.url, ""))
    yield from found


def _thinking(delta: dict[str, Any]) -> str:
    # The same thought may stand under several of these names at once.
    for name in ("reasoning_content", "reasoning"):
        thinking = delta.get(name)
        if isinstance(thinking, str) and thinking:
            return thinking
    return _joined(delta.get("reasoning_details"))


def _part(part: object) -> TextDelta | ThinkingDelta | None:
    """Return the event for one part of a content that is a list, as Mistral's thinking models send it."""
    if not isinstance(part, dict):
        return None
    if part.get("type") == "thinking":
        thinking = _joined(part.get("thinking"))
        return ThinkingDelta(thinking) if thinking else None
    text = _joined(part.get("text"))
    return TextDelta(text) if text else None


def _joined(value: object) -> str:
    """Return the text in a string, or in a list of objects that have some."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    texts = (each.get("text") or each.get("summary") for each in value if isinstance(each, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _usage(usage: dict[str, Any]) -> Usage:
    """Return the tokens; those of the cache are some of the prompt's, under one of two names.

    https://developers.openai.com/api/docs/guides/prompt-caching, https://api-docs.deepseek.com/guides/kv_cache
    """
    told = usage.get("prompt_tokens_details")
    details: dict[str, Any] = told if isinstance(told, dict) else {}
    return Usage(
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        cached_tokens=count(details.get("cached_tokens")) or count(usage.get("prompt_cache_hit_tokens")),
        cache_write_tokens=count(details.get("cache_write_tokens")),
        cost=stated_cost(usage),
    )


def stated_cost(usage: dict[str, Any]) -> float | None:
    """Return what a provider says that a request costs, in US dollars, None where it says nothing.

    OpenRouter says a number (https://openrouter.ai/docs/use-cases/usage-accounting), Perplexity an object
    (https://docs.perplexity.ai/api-reference/chat-completions-post), xAI very many very small ones
    (https://docs.x.ai/developers/cost-tracking).
    """
    cost, ticks = usage.get("cost"), amount(usage.get("cost_in_usd_ticks"), _MOST_TICKS)
    if ticks is not None:
        return ticks / _TICKS
    return amount(cost.get("total_cost") if isinstance(cost, dict) else cost)
