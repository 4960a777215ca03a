"""Answers are remembered in the pieces that they were written in, and go on from these where it makes a difference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.conversation import Conversation, resumed
from llmterm.errors import ServerError
from llmterm.framing import Frame
from llmterm.messages import (
    EndReason,
    Finished,
    Options,
    Reply,
    Request,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.providers import openai
from llmterm.providers.token_pieces import Answer, Answers, completions, parse, split, tokens
from llmterm.providers.wire import Failure, MalformedFrameError, WireEvent
from tests.values import at_rest

HEAD = "<user>Hi<assistant>"
texts = st.text(alphabet="ab \né👨\u200d👩", max_size=12)
pieces = st.lists(texts.filter(bool), max_size=12)


def ask(question: str) -> Request:
    return Conversation().ask(question).request(model="m", options=Options(temperature=0, max_tokens=5, seed=7))


def going_on(request: Request, text: str) -> Request:
    return resumed(at_rest(request, Reply().add(TextDelta(text))), "prefill")


def write(answer: Answer, *written: str) -> None:
    """Let the model say each of `written` in a frame."""
    wire = answer.noting(openai.wire())
    for text in written:
        list(wire.parse(Frame("", json.dumps({"choices": [{"delta": {"content": text}}]}))))


def events(frame: Mapping[str, Any]) -> list[WireEvent]:
    return list(parse(Frame("", json.dumps(frame))))


class Llama:
    """A llama.cpp whose tokenizer knows the `words`, and takes the longest; other characters are tokens, too.

    With `space` it puts one before every text, as some tokenizers do. It says what is `odd` for the paths in there, and
    that nothing is there for the one that is `missing`.
    """

    def __init__(
        self, *words: str, space: bool = False, odd: Mapping[str, Any] | None = None, missing: str = ""
    ) -> None:
        self._words = sorted(words, key=len, reverse=True)
        self._space = " " if space else ""
        self._odd = odd or {}
        self._missing = missing

    async def __call__(self, path: str, body: Mapping[str, Any]) -> Any:
        if path == self._missing:
            raise ServerError("404")
        if path in self._odd:
            return self._odd[path]
        match path:
            case "/apply-template":
                return {"prompt": HEAD + body["messages"][-1]["content"]}
            case "/tokenize":
                content = body["content"]
                return {"tokens": self.tokens(*([content] if isinstance(content, str) else content))}
            case _:
                return {"content": self.text(body["tokens"])}

    def tokens(self, *contents: str) -> list[int]:
        return [token for content in contents for token in self._tokens(self._space + content)]

    def text(self, numbers: Sequence[int]) -> str:
        return "".join(self._words[-number - 1] if number < 0 else chr(number) for number in numbers)

    def _tokens(self, text: str) -> list[int]:
        found = []
        while text:
            word = next((word for word in self._words if text.startswith(word)), text[0])
            found.append(-1 - self._words.index(word) if word in self._words else ord(word))
            text = text[len(word) :]
        return found


async def prompt(llama: Llama, *written: str) -> list[int] | None:
    return await tokens(llama, [{"role": "assistant", "content": "".join(written)}], written)


@given(pieces, st.integers(0, 200))
def test_part_of_an_answer_is_its_first_pieces_and_a_rest(written: list[str], size: int) -> None:
    """Wherever it was cut: nothing is lost, and no piece is there but those that it was written in and the last."""
    text = "".join(written)[:size]

    parts = split(text, written)

    assert "".join(parts) == text
    assert all(parts)
    *whole, _ = parts or [""]
    assert whole == written[: len(whole)]


@given(texts, pieces)
def test_any_text_is_split_without_loss(text: str, written: list[str]) -> None:
    """Also one that somebody has edited; as far as it is the same the pieces are kept."""
    assert "".join(split(text, written)) == text
    assert split("".join(written) + text, written) == [*written, *filter(None, [text])]


@given(st.lists(pieces, min_size=1, max_size=6))
def test_answer_is_remembered_over_any_pauses(segments: list[list[str]]) -> None:
    """Each goes on from the pieces of all before it: behind the white space at their end, which it says first."""
    answers = Answers()
    answer = answers.begin(ask("Hi"))
    said: list[str] = []

    for segment in segments:
        write(answer, *segment)
        said += segment
        text = "".join(said).rstrip()
        if not text:
            return
        answer = answers.begin(going_on(ask("Hi"), text))

        assert answer.pieces == said
        assert text + answer.white == "".join(said)


def test_white_space_is_said_with_the_first_text() -> None:
    """Once; and not where the request lacks more than white space, or has to be sent as text."""
    answers = Answers()
    write(answers.begin(ask("a")), "f", "ox", ".\n", "\n")

    answer = answers.begin(going_on(ask("a"), "fox."))
    first = {"choices": [{"delta": {"content": "And"}}]}
    wire = answer.noting(openai.wire())
    said = [list(wire.parse(Frame("", json.dumps(first)))) for _ in range(2)]

    assert said == [[TextDelta("\n\nAnd")], [TextDelta("And")]]
    assert answer.pieces == ["f", "ox", ".\n", "\n", "And", "And"]
    assert answers.begin(going_on(ask("a"), "fox")).white == ""
    again = answers.begin(going_on(ask("a"), "fox"))
    write(again, "\n")
    again = answers.begin(going_on(ask("a"), "fox"))
    again.without_white()
    assert (again.pieces, again.white) == (["f", "ox"], "")


def test_answers_to_other_questions_are_kept_apart() -> None:
    """Two that begin alike, and one that goes on under guidance, which makes it another question."""
    answers = Answers()
    write(answers.begin(ask("a")), "f", "ox", " and")
    write(answers.begin(ask("b")), "fo", "x", " and")

    assert answers.begin(going_on(ask("a"), "fox and")).pieces == ["f", "ox", " and"]
    assert answers.begin(going_on(ask("b"), "fox and")).pieces == ["fo", "x", " and"]
    assert answers.begin(going_on(ask("c"), "fox and")).pieces == ["fox and"]


def test_of_two_answers_to_one_question_the_one_that_fits_goes_on() -> None:
    """By its words, and where these are the same by its end."""
    answers = Answers()
    write(answers.begin(ask("a")), "f", "ox")
    write(answers.begin(ask("a")), "do", "g")
    write(answers.begin(ask("a")), "f", "o", "x", " and")

    assert answers.begin(going_on(ask("a"), "dog")).pieces == ["do", "g"]
    assert answers.begin(going_on(ask("a"), "fox")).pieces == ["f", "ox"]
    assert answers.begin(going_on(ask("a"), "fox and")).pieces == ["f", "o", "x", " and"]


def test_memory_of_answers_is_bounded() -> None:
    """The oldest is forgotten: its text is one piece."""
    answers = Answers()
    for number in range(30):
        write(answers.begin(ask(str(number))), "f", "ox")

    assert answers.begin(going_on(ask("0"), "fox")).pieces == ["fox"]
    assert answers.begin(going_on(ask("29"), "fox")).pieces == ["f", "ox"]


def test_many_pauses_of_one_answer_take_the_room_of_one() -> None:
    """Others that wait are not forgotten for them."""
    answers = Answers()
    write(answers.begin(ask("waits")), "f", "ox")
    write(answers.begin(ask("a")), "a")
    for number in range(2, 50):
        write(answers.begin(going_on(ask("a"), "a" * (number - 1))), "a")

    assert answers.begin(going_on(ask("waits"), "fox")).pieces == ["f", "ox"]


def test_thinking_is_remembered() -> None:
    """Of an answer, and of all that goes on with it: what tells it from text is the chat endpoint."""
    answers = Answers()
    answer = answers.begin(ask("a"))
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}

    found = list(answer.noting(openai.wire()).parse(Frame("", json.dumps(thought))))
    write(answer, "f", "ox")

    assert found == [ThinkingDelta("hm")]
    assert answers.begin(going_on(ask("a"), "fox")).thought
    assert answers.begin(going_on(ask("a"), "fox")).thought
    assert not answers.begin(ask("a")).thought


async def test_answer_in_the_tokens_of_its_text_needs_no_prompt_in_tokens() -> None:
    """The chat endpoint reads the same."""
    llama = Llama("Ai", "uti")

    assert await prompt(llama, "Ai", "uti", ":") is None


async def test_answer_in_other_tokens_is_a_prompt_in_tokens() -> None:
    """The template's words as they would be read, and then each piece by itself."""
    llama = Llama("Ai", "uti", "ut", "<assistant>")

    found = await prompt(llama, "A", "i", "ut", "i")

    assert found == llama.tokens(HEAD, "A", "i", "ut", "i")
    assert llama.text(found) == HEAD + "Aiuti"


async def test_prompt_in_tokens_can_be_had_always() -> None:
    """For an answer that goes on behind white space, which the chat endpoint would not be told of."""
    llama = Llama("Ai", "uti")

    assert await tokens(llama, [{"role": "assistant", "content": "Aiuti"}], ["Ai", "uti"], always=True) == llama.tokens(
        HEAD, "Ai", "uti"
    )


async def test_tokenizer_that_adds_spaces_gets_the_text() -> None:
    """Piece by piece it would read another text."""
    assert await prompt(Llama("Ai", space=True), "A", "i") is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/apply-template", []),
        ("/apply-template", {"prompt": None}),
        ("/apply-template", {"prompt": "A template that closes what was said: Ai."}),
        ("/tokenize", None),
        ("/tokenize", {"tokens": "none"}),
        ("/tokenize", {"tokens": [{"id": 1, "piece": "Ai"}]}),
    ],
)
async def test_answer_that_makes_no_sense_gives_no_prompt(path: str, said: Any) -> None:
    """From a llama.cpp that is older than these endpoints, or newer."""
    assert await prompt(Llama("Ai", odd={path: said}), "A", "i") is None


@pytest.mark.parametrize("path", ["/apply-template", "/tokenize", "/detokenize"])
async def test_missing_endpoint_gives_no_prompt(path: str) -> None:
    """The answer goes on as text."""
    assert await prompt(Llama("Ai", missing=path), "A", "i") is None


def test_body_of_a_completion_has_the_options_of_the_request() -> None:
    """The same as for a chat, with tokens in the place of messages."""
    request = going_on(ask("Hi"), "Ai")
    request = replace(request, options=replace(request.options, stop=("END",)))
    chat = openai.wire(continuation="prefill").payload(request)

    wire = completions([1, 2, 3])

    assert wire.path(request) == "/completions"
    assert wire.payload(request) == {key: chat[key] for key in chat if key != "messages"} | {"prompt": [1, 2, 3]}
    assert {"stream", "stream_options", "temperature", "max_tokens", "seed", "stop"} < wire.payload(request).keys()


def test_completion_says_text_end_and_usage() -> None:
    """As llama.cpp sends it; text that comes with the end goes first."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

    assert events({"choices": [{"text": "uti", "index": 0, "finish_reason": None}]}) == [TextDelta("uti")]
    assert events({"choices": [{"text": "!", "finish_reason": "length"}], "usage": usage}) == [
        TextDelta("!"),
        Finished(EndReason.LENGTH),
        UsageReport(Usage(input_tokens=3, output_tokens=2)),
    ]
    assert events({"choices": [{"text": "", "finish_reason": "stop"}]}) == [Finished(EndReason.STOP)]
    assert list(parse(Frame("error", json.dumps({"error": {"message": "too long"}})))) == [Failure('"too long"')]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["choices", "text", "usage"]), inner),
    max_leaves=8,
)


@given(st.sampled_from(["", "error"]), st.text(max_size=30) | json_values.map(json.dumps))
def test_any_frame_is_events_or_malformed(name: str, data: str) -> None:
    """Nothing that a server says raises anything else."""
    try:
        found = list(parse(Frame(name, data)))
    except MalformedFrameError:
        return

    assert all(event.text for event in found if isinstance(event, TextDelta))
