"""Several answers to one question, and one answer whose index is counted up: in every order they are told apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.errors import NetworkError
from llmterm.messages import EndReason
from tests.contract.caller import Caller, answering, fails
from tests.contract.dialects import Gemini, OpenAI

# What an index says in a chunk, and why it ends there.
Said = tuple[int, str, str | None]


def chat(*said: Said) -> bytes:
    """A chunk of OpenAI's chat."""
    choices = [{"index": index, "delta": {"content": text}, "finish_reason": reason} for index, text, reason in said]
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": choices}).encode() + b"\n\n"


def content(*said: Said) -> bytes:
    """An event of Gemini's."""
    candidates = [
        {
            "index": index,
            "content": {"parts": [{"text": text}] if text else []},
            **({"finishReason": reason.upper()} if reason else {}),
        }
        for index, text, reason in said
    ]
    return b"data: " + json.dumps({"candidates": candidates}).encode() + b"\r\n\r\n"


async def heard(dialect: OpenAI | Gemini, chunks: Iterable[Iterable[Said]]) -> tuple[str, EndReason | None]:
    event = chat if isinstance(dialect, OpenAI) else content
    async with Caller(dialect, answering(dialect, b"".join(event(*chunk) for chunk in chunks))) as caller:
        answer = await caller.ask()
        assert len(caller.server.exchanges) == 1
    return answer.text, answer.reason


def alone(*said: Said) -> list[list[Said]]:
    return [[each] for each in said]


CASES: dict[str, tuple[list[list[Said]], str]] = {
    "one after the other": (alone((0, "a", None), (0, "b", "stop"), (1, "x", None), (1, "y", "length")), "ab"),
    "in turns": (alone((0, "a", None), (1, "x", None), (0, "b", None), (1, "y", "length"), (0, "", "stop")), "ab"),
    "beside each other": ([[(0, "a", None), (1, "x", None)], [(0, "b", "stop"), (1, "y", "length")]], "ab"),
    "the second first": (alone((1, "a", None), (0, "x", None), (1, "b", "stop"), (0, "y", "length")), "ab"),
    "the first says nothing": (alone((0, "", None), (1, "a", None), (1, "b", None), (1, "", "stop")), "ab"),
    "three, with roles": (
        alone(
            *((index, "", None) for index in range(3)),
            *((index, text, None) for text in ("a", "b") for index in range(3)),
            *((index, "", "stop") for index in range(3)),
        ),
        "ab",
    ),
    "a chunk each": (alone((0, "ab", None), (1, "xy", None), (0, "", "stop"), (1, "", "length")), "ab"),
    "counted up": (
        alone(*((index, text, None) for index, text in enumerate("abcdefghijklmnop")), (16, "", "stop")),
        "",
    ),
    "counted up, short": (alone((0, "a", None), (1, "b", None), (2, "c", "stop")), "abc"),
    "counted up, ended by the first": (alone((0, "a", None), (1, "b", None), (2, "c", None), (0, "", "stop")), "abc"),
    "counted up from one": (alone((1, "a", None), (2, "b", None), (3, "c", None), (4, "", "stop")), "abc"),
    "always another index": (alone((7, "a", None), (7, "b", None), (7, "", "stop")), "ab"),
}


@pytest.mark.parametrize("dialect", [OpenAI(), Gemini()], ids=["chat", "gemini"])
@pytest.mark.parametrize("case", CASES)
async def test_one_answer_is_heard(dialect: OpenAI | Gemini, case: str) -> None:
    """All of it, nothing of the others, and with its own end."""
    chunks, text = CASES[case]

    assert await heard(dialect, chunks) == (text or "abcdefghijklmnop", EndReason.STOP)


@settings(max_examples=30)
@given(st.integers(1, 30), st.booleans())
async def test_answer_whose_index_is_counted_up_is_whole(tokens: int, last_is_first: bool) -> None:
    """However short or long it is."""
    chunks = alone(
        *((index, f"{index} ", None) for index in range(tokens)), (0 if last_is_first else tokens, "", "stop")
    )

    text, reason = await heard(OpenAI(), chunks)

    assert (text.split(), reason) == ([str(index) for index in range(tokens)], EndReason.STOP)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12).flatmap(lambda order: st.permutations([*order, *order])))
async def test_answer_that_speaks_first_is_the_one(order: list[int]) -> None:
    """Of answers that come in any order, each in two parts at least."""
    chunks = alone(*((index, f"{index}", None) for index in order), (order[0], "", "stop"))

    text, reason = await heard(OpenAI(), chunks)

    assert (text, reason) == (str(order[0]) * order.count(order[0]), EndReason.STOP)


def ending_in(text: str, word: object) -> bytes:
    """A chunk of text that says of itself why it is the last."""
    return OpenAI().text(text).replace(b'"finish_reason": null', b'"finish_reason": %b' % json.dumps(word).encode())


@pytest.mark.parametrize("word", ["null", "", "None", " NULL ", "undefined", 0, False, {}, []])
async def test_reason_that_is_none_does_not_end_an_answer(word: object) -> None:
    """Neither is what came before it whole, nor does it take the place of the real one."""
    frames = [ending_in(text, word) for text in "ab"]
    async with Caller(OpenAI(), answering(OpenAI(), *frames)) as caller, aclosing(await caller.open()) as answer:
        with fails(NetworkError, "broke off"):
            await answer.to_end()
    async with Caller(OpenAI(), answering(OpenAI(), *frames, OpenAI().ending(), frames[0])) as caller:
        whole = await caller.ask()

    assert answer.text == "ab"
    assert (whole.text, whole.reason) == ("aba", EndReason.STOP)


async def test_reason_that_nobody_knows_is_an_end_only_at_the_end() -> None:
    """A server that says "running" until it breaks off has not ended its answer."""
    frames = [*(ending_in(text, "running") for text in "ab"), OpenAI().text("c")]
    async with Caller(OpenAI(), answering(OpenAI(), *frames)) as caller, aclosing(await caller.open()) as answer:
        with fails(NetworkError, "broke off"):
            await answer.to_end()

    assert answer.text == "abc"
