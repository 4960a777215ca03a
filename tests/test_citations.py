"""The sources that an answer names: told below it as numbered links, each once, and no part of its text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.citations import Citations
from llmterm.events import Notice
from llmterm.framing import Frame
from llmterm.messages import Cited, EndReason, Finished, Message, Request, TextDelta
from llmterm.providers import anthropic, cohere, gemini, ollama, openai, responses
from llmterm.providers.cached import CachedProvider
from llmterm.providers.wire import Choice, WireEvent, cited
from llmterm.sessions import SessionStore
from llmterm.turn import Turn, TurnState
from tests.chatting import Open, opened
from tests.scripted import ScriptedProvider
from tests.test_pipe import run
from tests.wire import Exchange, Gate, Script

Parse: TypeAlias = Callable[[Frame], Iterable[WireEvent]]

PARSERS: dict[str, Parse] = {
    "openai": openai.parse,
    "responses": responses.parse,
    "anthropic": anthropic.parse,
    "gemini": gemini.wire().parse,
    "cohere": cohere.parse,
    "ollama": ollama.wire().parse,
}
A, B = "https://a.example/one", "http://b.example/two?q=3#x"
REQUEST = Request(model="scripted-1", messages=(Message(role="user", text="q"),))


def sources(wire: str, value: object) -> list[Cited]:
    events = list(PARSERS[wire](Frame("", json.dumps(value))))
    events += [inner for event in events if isinstance(event, Choice) for inner in event.events]
    return [event for event in events if isinstance(event, Cited)]


def note(url: str, title: str = "A") -> dict[str, Any]:
    return {"type": "url_citation", "url_citation": {"url": url, "title": title, "start_index": 0, "end_index": 3}}


def flat(url: str, title: str = "A") -> dict[str, Any]:
    return {"type": "url_citation", "url": url, "title": title, "start_index": 0, "end_index": 3}


def page(url: str, title: str = "A") -> dict[str, Any]:
    return {"type": "web_search_result_location", "url": url, "title": title, "encrypted_index": "x", "cited_text": "y"}


OUTPUT = {"type": "message", "content": [{"type": "output_text", "text": "x", "annotations": [flat(A)]}]}
DOCUMENT = {"type": "document", "id": "1", "document": {"url": A, "title": "A", "snippet": "x"}}
CITATION = {"start": 0, "end": 1, "text": "x", "sources": [{"type": "tool", "id": "t"}, DOCUMENT]}


@pytest.mark.parametrize(
    ("wire", "value", "expected"),
    [
        ("openai", {"choices": [{"delta": {"content": "x", "annotations": [note(A), note(B, "B")]}}]}, "AB"),
        ("openai", {"choices": [{"index": 1, "delta": {"annotations": [note(A)]}}]}, "A"),
        ("openai", {"choices": [{"delta": {"content": "", "annotations": [flat(A)]}}]}, "A"),
        ("openai", {"choices": [{"message": {"content": "x", "annotations": [note(A)]}}]}, "A"),
        ("openai", {"choices": [{"delta": {"content": "x", "annotations": []}}]}, ""),
        ("openai", {"choices": [], "search_results": [{"title": "A", "url": A, "date": None}]}, "A"),
        ("responses", {"type": "response.output_text.annotation.added", "annotation": flat(A)}, "A"),
        ("responses", {"type": "response.output_item.done", "item": OUTPUT}, "A"),
        ("responses", {"type": "response.completed", "response": {"output": [OUTPUT]}}, "A"),
        ("responses", {"output": [OUTPUT], "status": "completed"}, "A"),
        ("responses", {"type": "response.output_text.annotation.added", "annotation": {"type": "file_citation"}}, ""),
        ("anthropic", {"type": "content_block_delta", "delta": {"type": "citations_delta", "citation": page(A)}}, "A"),
        ("anthropic", {"type": "content_block_start", "content_block": {"type": "text", "citations": [page(A)]}}, "A"),
        ("anthropic", {"type": "content_block_start", "content_block": {"type": "text", "citations": None}}, ""),
        ("anthropic", {"type": "message", "content": [{"type": "text", "text": "x", "citations": [page(A)]}]}, "A"),
        (
            "anthropic",
            {
                "type": "content_block_delta",
                "delta": {"type": "citations_delta", "citation": {"type": "char_location", "document_title": "A"}},
            },
            "",
        ),
        (
            "gemini",
            {
                "candidates": [
                    {
                        "content": {"parts": [{"text": "x"}]},
                        "groundingMetadata": {
                            "groundingChunks": [
                                {"web": {"uri": A, "title": "A"}},
                                {"retrievedContext": {"uri": "gs://x"}},
                                {"web": {"uri": B, "title": "B"}},
                            ]
                        },
                    }
                ]
            },
            "AB",
        ),
        ("gemini", {"candidates": [{"citationMetadata": {"citationSources": [{"uri": A, "title": "A"}]}}]}, "A"),
        ("cohere", {"type": "citation-start", "delta": {"message": {"citations": CITATION}}}, "A"),
        (
            "cohere",
            {"message": {"content": [{"text": "x"}], "citations": [CITATION]}, "finish_reason": "COMPLETE"},
            "A",
        ),
    ],
)
def test_sources_are_found_where_each_wire_names_them(wire: str, value: object, expected: str) -> None:
    known = {"A": Cited(A, "A"), "B": Cited(B, "B")}

    assert sources(wire, value) == [known[letter] for letter in expected]


def test_bare_urls_say_the_order_and_results_of_the_search_the_titles() -> None:
    """The numbers in the text are those of the bare URLs."""
    chunk = {
        "choices": [{"delta": {"content": "x"}}],
        "citations": [B, A],
        "search_results": [{"url": A, "title": "A"}, {"url": B, "title": "B"}],
    }

    assert list(dict.fromkeys(sources("openai", chunk))) == [Cited(B, "B"), Cited(A, "A")]


@pytest.mark.parametrize(
    "url",
    [
        *(None, 3, [A], "", "https://", "javascript:alert(1)", "file:///etc/passwd", "a.example"),
        *(f"{A} b", f"{A}\x1b[2J", f"{A}\n", f"{A}{'x' * 3000}"),
    ],
)
def test_what_is_no_url_of_the_web_is_left_out(url: object) -> None:
    assert list(cited([{"url": url, "title": "A"}, url])) == []


def test_title_is_one_short_line_and_of_too_many_sources_some_are_left_out() -> None:
    (source,) = cited([{"url": A, "title": " two\n lines\t" + "x" * 5000}])

    assert source.title.startswith("two lines x")
    assert len(source.title) <= 200
    assert len(list(cited([f"{A}/{number}" for number in range(5000)]))) == 100


WORDS = [
    *("choices", "delta", "message", "annotations", "url_citation", "url", "title", "citations", "search_results"),
    *("type", "annotation", "item", "response", "output", "content", "citation", "content_block", "index", "web"),
    *("candidates", "groundingMetadata", "groundingChunks", "citationMetadata", "citationSources", "uri"),
    *("sources", "document"),
]
KINDS = [
    *("response.output_text.annotation.added", "response.output_item.done", "response.completed", "message", "text"),
    *("content_block_delta", "content_block_start", "citations_delta", "citation-start", A, "https://x y"),
]
json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(KINDS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(WORDS), inner),
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(WORDS), json_values), st.sampled_from([*KINDS, ""]), st.sampled_from([*PARSERS]))
def test_no_json_breaks_a_parser(value: dict[str, Any], kind: str, wire: str) -> None:
    for source in sources(wire, {**value, "type": kind} if kind else value):
        assert source.url == A
        assert isinstance(source.title, str)


@given(st.lists(st.builds(Cited, st.integers(0, 150).map(str), st.sampled_from(["", "T"])), max_size=400), st.data())
def test_each_source_is_told_once_by_the_number_of_its_first_mention(named: list[Cited], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(named)))
    citations = Citations()
    for source in named[:cut]:
        citations.add(source)
    told = citations.untold()
    for source in named[cut:]:
        citations.add(source)
    told += citations.untold()

    order = list(dict.fromkeys(source.url for source in named))[:100]
    assert [(line.split()[0], line.split()[-1]) for line in told] == [
        (f"[{number}]", url) for number, url in enumerate(order, 1)
    ]
    assert citations.untold() == []


async def notices(turn: Turn) -> list[str]:
    return [event.text async for _, event in turn.events() if isinstance(event, Notice)]


async def test_turn_tells_its_sources_when_the_answer_ends_and_not_at_a_pause() -> None:
    """Over all segments, each once; the reply is its text."""
    provider = ScriptedProvider()
    turn = Turn(provider, REQUEST)
    told = asyncio.create_task(notices(turn))
    turn.start()
    await provider.opened.wait()
    provider.stream.put(TextDelta("one "), Cited(A), Cited(B, "B"))
    await turn.pause()  # what was put in has been received
    provider.opened.clear()

    turn.resume()
    await provider.opened.wait()
    provider.stream.put(Cited(A, "A"), TextDelta("two"), Cited("https://c.example"), Finished(EndReason.STOP))

    assert await told == [f"[1] A - {A}", f"[2] B - {B}", "[3] https://c.example"]
    assert (turn.state, turn.reply.text) == (TurnState.DONE, "one two")


async def test_answer_with_sources_is_asked_for_again_and_not_cached(tmp_path: Path) -> None:
    """Without them it would be less than it was."""
    inner = ScriptedProvider()
    with closing(SessionStore(tmp_path)) as store:
        provider = CachedProvider(inner, store)
        for _ in range(2):
            inner.opened.clear()
            turn = Turn(provider, REQUEST)
            turn.start()
            await inner.opened.wait()
            inner.stream.put(TextDelta("x"), Cited(A), Finished(EndReason.STOP))
            assert await notices(turn) == [f"[1] {A}"]

    assert len(inner.requests) == 2


def chunk(text: str = "", **more: object) -> bytes:
    value = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **more}
    return f"data: {json.dumps(value)}\n\n".encode()


FOUND = {"citations": [A, B], "search_results": [{"url": A, "title": "Á \x1b[31mfirst"}, {"url": B, "title": "B"}]}


def repeating(*texts: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for text in texts:
            await exchange.raw(chunk(text, **FOUND))
        await exchange.end()

    return script


def test_pipe_gets_the_sources_on_standard_error(tmp_path: Path) -> None:
    """As often as the server names them, once."""
    done = run(tmp_path, "q", script=repeating("one [1] ", "two [2]"))

    assert (done.stdout, done.returncode) == (b"one [1] two [2]\n", 0)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("llmterm: [1] ")
    assert lines[0].endswith(f"first - {A}")
    assert lines[1] == f"llmterm: [2] B - {B}"
    assert "\x1b" not in done.stderr.decode()


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path)


@pytest.mark.parametrize("plain", [[], ["--plain"]], ids=["drawn", "plain"])
def test_chat_shows_the_sources_below_the_whole_answer(open_chat: Open, plain: list[str]) -> None:
    """Over a pause and an end by the limit, each once, and none in the record."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked == 1:
            await exchange.raw(chunk("It is:\n\n- one\n- two", **FOUND))
            await exchange.hung_up()
            return
        await exchange.raw(chunk({2: "\n- three", 3: "\n- **four**"}[asked], **FOUND))
        await exchange.end({2: "length", 3: "stop"}[asked])

    with open_chat(script, *plain) as chat:
        chat.ask("go")
        chat.program.wait_for("two")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        assert A not in chat.program.text
        chat.program.send(" ")
        chat.program.wait_for(rf"three\n+\[1\] \S+ .*first - {A}\n\[2\] B - ")
        chat.program.wait_for(r"(?i)SPACE (resume|goes on)")
        chat.program.send(" ")
        chat.program.wait_for(r"four.*\n\n?>(\n(?!.*SPACE pause).*)?$")

        assert chat.program.text.count(A) == 1
        assert chat.messages()[-1]["text"] == "It is:\n\n- one\n- two\n- three\n- **four**"


def test_sources_stand_below_the_last_block_of_the_answer(open_chat: Open) -> None:
    """Whatever that is, and nothing of it is drawn twice."""
    blocks = ["Words and *more* words.", "| a | b |\n|---|---|\n| cell | x |", "```python\ncell = 1\n```", "# Head"]
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await repeating("Begin.\n\n", blocks[asked - 1])(exchange)

    with open_chat(script) as chat:
        for number, last in enumerate(["words.", "cell", "cell = 1", "Head"]):
            chat.ask(f"q{number}")
            chat.program.wait_for(
                rf"(?s)> q{number}\n.*\[2\] B - http://b\.example/two\?q=3#x\n+>(\n(?!.*SPACE pause).*)?$"
            )
            answer = chat.program.text.split(f"> q{number}\n")[1]
            assert answer.count(last) == 1, answer
            assert answer.index(last) < answer.index("[1]"), answer


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_sources_of_an_answer_that_ended_while_it_was_held_are_shown_with_the_rest(
    open_chat: Open, reason: str
) -> None:
    """Also where no text was left to show."""
    held = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(chunk("one.", **FOUND))
        await held.wait()
        await exchange.end(reason)

    with open_chat(script, "--pause-mode", "hold") as chat:
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("0 more so far")
        held.open()
        chat.program.wait_for("0 more - SPACE show")
        assert A not in chat.program.text
        chat.program.send(" ")
        chat.program.wait_for(r"(?s)one\.\n+\[1\] .*\[2\] B - [^\n]*\n.*(>|stop)")

        assert chat.program.text.count("one.") == 1
