"""The body of a request: the same JSON as if it had been made at once, in pieces that take no time."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.transport.body import SLICE, Body, Embedded

# Surrogates too: the text of a stranger has them, and they must not end a request.
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
EMBEDDED = st.builds(Embedded, st.binary(max_size=20), TEXT)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | EMBEDDED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def spelled_out(value: Any) -> Any:
    """Return `value` with a text in the place of everything that is embedded."""
    match value:
        case Embedded(data, prefix):
            return prefix + base64.b64encode(data).decode()
        case dict():
            return {name: spelled_out(each) for name, each in value.items()}
        case list():
            return [spelled_out(each) for each in value]
        case _:
            return value


def made(payload: dict[str, Any]) -> Body:
    return asyncio.run(Body.of(payload))


async def sent(body: Body) -> list[bytes]:
    return [piece async for piece in body]


@given(payload=st.dictionaries(TEXT, VALUE, max_size=4))
def test_pieces_are_the_json_of_the_payload(payload: dict[str, Any]) -> None:
    """Wherever something is embedded, and whatever else is said; the size is known before."""
    body = made(payload)

    whole = b"".join(body.pieces())
    assert whole == json.dumps(spelled_out(payload), ensure_ascii=False).encode("utf-8", "replace")
    assert body.size == len(whole)


@pytest.mark.parametrize("length", [0, 1, 2, 3, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE + 2])
def test_no_length_leaves_a_seam_between_slices(length: int) -> None:
    """Padding belongs to the end of a base64 text only."""
    data = bytes(number % 251 for number in range(length))
    body = made({"image": Embedded(data)})

    value = json.loads(b"".join(body.pieces()))

    assert base64.b64decode(value["image"], validate=True) == data
    assert body.size == sum(map(len, body.pieces()))


def test_large_attachment_never_is_one_piece() -> None:
    """Between any two of them the event loop gets to the keys."""
    body = made({"text": "q", "image": Embedded(bytes(5 * SLICE), "data:image/png;base64,")})

    lengths = [len(piece) for piece in body.pieces()]

    assert len(lengths) == 7  # the words before, five slices, the words after
    assert max(lengths) == SLICE // 3 * 4


async def test_long_text_is_written_in_slices() -> None:
    """What was said before, and the answer that goes on: no piece is larger than another's turn allows."""
    text = "“line”\n\ud83d\ude00" * SLICE
    payload = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]}
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    body = await Body.of(payload)
    beside.cancel()

    assert b"".join(await sent(body)) == json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
    assert body.size == sum(map(len, body.pieces()))
    assert turns >= len(text) // SLICE


async def test_body_can_be_sent_again() -> None:
    """A connection that turned out to be closed must not cost the question."""
    body = await Body.of({"image": Embedded(b"abc"), "again": Embedded(b"")})

    assert await sent(body) == await sent(body)


def test_repr_has_nothing_of_the_data() -> None:
    """Values are shown in logs and failures, megabytes should not be."""
    assert "secret" not in repr(Embedded(b"secret", "data:"))


def test_what_json_does_not_have_is_refused() -> None:
    """A mistake in a wire is found at once, not by the server."""
    with pytest.raises(TypeError, match="bytes is nothing that JSON has"):
        made({"image": b"abc"})
