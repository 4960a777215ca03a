"""The pieces in which the embedded model wrote its last answers: a string for each token, as they came.

A model may write a text in other tokens than its tokenizer takes for it: "Ai" as "A" and "i". Replayed as text, what
was computed for the answer is of no use from there on, and the model reads something else than it wrote. So an answer
that goes on is spelled in its pieces, and where these make other tokens than the text, `tokens` gives the prompt, and
`completions` the wire that takes one. In memory, of the last few answers; unknown text is one piece.

White space at the end of an answer is not in the request that goes on with it, as other providers take it amiss. Here
it need not be written a second time: the answer goes on behind it, and says it first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from llmterm.errors import ProviderError
from llmterm.framing import Frame
from llmterm.messages import Message, Request, TextDelta, ThinkingDelta
from llmterm.providers import openai
from llmterm.providers.slot import question
from llmterm.providers.wire import Wire, WireEvent, decoded

# Sends llama.cpp a body to a path, and returns the JSON it is answered with. Raises ProviderError.
Ask: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

_MOST_ANSWERS = 16
_CHAT = openai.wire(continuation="prefill")


class Answer:
    """An answer that is being written: `pieces` has those it goes on from, and those that come."""

    def __init__(self, asked: tuple[Message, ...], pieces: list[str], *, thought: bool, white: str = "") -> None:
        self.question = asked
        self.pieces = pieces
        self.thought = thought
        """Whether there was thinking, which only the chat endpoint tells from the text."""
        self.white = white
        """White space at the end of the pieces, which the request lacks."""

    def without_white(self) -> None:
        """Leave the white space to be written again."""
        self.pieces = split("".join(self.pieces).removesuffix(self.white), self.pieces)
        self.white = ""

    def noting(self, wire: Wire) -> Wire:
        """Return `wire`, with what it finds noted here; the first text comes with the white space before it."""

        def parse(frame: Frame) -> Iterator[WireEvent]:
            for event in wire.parse(frame):
                if isinstance(event, TextDelta):
                    self.pieces.append(event.text)
                    event = replace(event, text=self.white + event.text)
                    self.white = ""
                self.thought |= isinstance(event, ThinkingDelta)
                yield event

        return replace(wire, parse=parse)


class Answers:
    """The last answers of one engine."""

    def __init__(self) -> None:
        self._known: deque[Answer] = deque(maxlen=_MOST_ANSWERS)

    def begin(self, request: Request) -> Answer:
        """Return the record of the answer to `request`, with the pieces that make up the text it goes on with."""
        asked = question(request)
        text = "".join(message.text for message in request.messages[len(asked) :])
        earlier = [each for each in self._known if text and each.question == asked]
        # Of two answers to one question: the one that has more of the text and, if both do, nothing else.
        best = max(earlier, key=lambda each: (_fit(text, each.pieces)[1], -len(each.pieces)), default=None)
        thought = any(each.thought for each in earlier)
        written = best.pieces if best else []
        white = "" if thought else _white(text, written)
        answer = Answer(asked, list(written) if white else split(text, written), thought=thought, white=white)
        if best is not None:
            self._known.remove(best)
        self._known.append(answer)
        return answer


def split(text: str, pieces: Sequence[str]) -> list[str]:
    """Return those of `pieces` that `text` begins with, and its rest, if there is one, as one more."""
    count, size = _fit(text, pieces)
    return [*pieces[:count], *([text[size:]] if size < len(text) else [])]


def _white(text: str, pieces: Sequence[str]) -> str:
    """Return the white space by which `pieces` are longer than the text, "" where they are not, or by more."""
    written = "".join(pieces)
    rest = written[len(text) :] if written.startswith(text) else ""
    return rest if rest.isspace() else ""


def _fit(text: str, pieces: Sequence[str]) -> tuple[int, int]:
    """Return how many of `pieces` the text begins with, and how many characters of it they are."""
    size = 0
    for count, piece in enumerate(pieces):
        if not text.startswith(piece, size):
            return count, size
        size += len(piece)
    return len(pieces), size


async def prompt_of(ask: Ask, messages: Sequence[Mapping[str, Any]]) -> list[int] | None:
    """Return the tokens of `messages` as the chat endpoint reads them; None where that cannot be known."""
    try:
        prompt = _field(await ask("/apply-template", {"messages": messages}), "prompt")
        return await _tokenized(ask, prompt) if isinstance(prompt, str) else None
    except ProviderError:
        return None


async def tokens(
    ask: Ask, messages: Sequence[Mapping[str, Any]], pieces: Sequence[str], *, always: bool = False
) -> list[int] | None:
    """Return the prompt of `messages`, of which the last is the answer in `pieces`.

    None where its text gives the same, unless it is wanted `always`; also where that cannot be known, from an older
    llama.cpp or for a template that puts something behind the answer. An array is read by /tokenize one by one:
    https://github.com/ggml-org/llama.cpp/tree/master/tools/server.
    """
    text = "".join(pieces)
    try:
        prompt = _field(await ask("/apply-template", {"messages": messages}), "prompt")
        if not isinstance(prompt, str) or not prompt.endswith(text):
            return None
        read = await _tokenized(ask, prompt)
        written = await _tokenized(ask, [prompt.removesuffix(text), *pieces])
        if read is None or written is None or (read == written and not always):
            return None
        # Some tokenizers put a space before every text that they are given: pieces are not for those.
        same = await ask("/detokenize", {"tokens": read}) == await ask("/detokenize", {"tokens": written})
    except ProviderError:
        return None
    return written if same else None


async def _tokenized(ask: Ask, content: str | list[str]) -> list[int] | None:
    body = {"content": content, "add_special": True, "parse_special": True}
    found = _field(await ask("/tokenize", body), "tokens")
    if not isinstance(found, list) or not all(isinstance(each, int) for each in found):
        return None
    return found


def _field(body: object, name: str) -> object:
    return body.get(name) if isinstance(body, dict) else None


def parse(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one frame of a completion: what a chat's is, but for the place of the text."""
    if frame.event != "error":
        choices = decoded(frame).get("choices")
        text = _field(choices[0], "text") if isinstance(choices, list) and choices else None
        if isinstance(text, str) and text:
            yield TextDelta(text)
    yield from openai.parse(frame)


def completions(prompt: list[int]) -> Wire:
    """Return the wire that goes on with a prompt in tokens, with the options of a request."""
    return replace(_CHAT, path=lambda _: "/completions", payload=partial(payload, prompt=prompt), parse=parse)


def payload(request: Request, prompt: list[int]) -> dict[str, Any]:
    """Return the JSON body for `request`, with `prompt` for its messages."""
    return {name: value for name, value in openai.payload(request).items() if name != "messages"} | {"prompt": prompt}
