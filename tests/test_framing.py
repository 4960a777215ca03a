"""Frames: the same whatever the chunking, and what real servers get wrong is survived."""

from __future__ import annotations

from itertools import pairwise

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import LimitError
from llmterm.framing import Frame, Framing, decoder

LIMIT = 10_000


def decode(framing: Framing, chunks: list[bytes], limit: int = LIMIT) -> list[Frame]:
    decoding = decoder(framing, limit)
    frames = [frame for chunk in chunks for frame in decoding.feed(chunk)]
    return [*frames, *decoding.close()]


def sse(body: bytes) -> list[Frame]:
    return decode("sse", [body])


pieces = st.sampled_from(
    [
        b"data: ",
        b"data:",
        b"event: x",
        b"error: ",
        b"{}",
        "é😀".encode(),
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b": ping",
        b"\xef\xbb\xbf",
    ]
)


@given(st.lists(pieces).map(b"".join), st.lists(st.integers(0, 500), max_size=20), st.sampled_from(["sse", "ndjson"]))
def test_chunking_makes_no_difference(body: bytes, cuts: list[int], framing: Framing) -> None:
    """Bytes cut anywhere, within characters and line ends too, give the same frames."""
    points = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]

    chunks = [body[start:end] for start, end in pairwise(points)]

    assert decode(framing, chunks) == decode(framing, [body]) == decode(framing, [bytes([byte]) for byte in body])


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=5))
def test_any_text_survives(texts: list[str]) -> None:
    """Line and paragraph separators, NUL and the like do not end a line."""
    body = "".join(f"data: {text}\n\n" for text in texts).encode()

    assert [frame.data for frame in sse(body)] == texts


@pytest.mark.parametrize(
    ("body", "frames"),
    [
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [Frame("", "a"), Frame("", "b")]),
        (b": OPENROUTER PROCESSING\n\n:\n\ndata: a\n\n", [Frame("", "a")]),
        (b"data: a", [Frame("", "a")]),
        (b"data: a\nevent: late\n\n", [Frame("late", "a")]),
        (b"event: e\ndata: 1\ndata: 2\n\n", [Frame("e", "1\n2")]),
        (b"data: a\n\n\n\n\ndata: b\n\n", [Frame("", "a"), Frame("", "b")]),
        (b'error: {"message": "boom"}\n\n', [Frame("error", '{"message": "boom"}')]),
        (
            b'data: a\n\n{\n  "error": {"code": 1}\n}\n',
            [Frame("", "a"), Frame("error", '{\n  "error": {"code": 1}\n}')],
        ),
        (b"\xef\xbb\xbfdata: a\n\n", [Frame("", "a")]),
        (b"event: ping\n\ndata: a\n\n", [Frame("", "a")]),
        (b"id: 7\nretry: 10\ndata: a\n\n", [Frame("", "a", "7")]),
    ],
)
def test_what_servers_really_send(body: bytes, frames: list[Frame]) -> None:
    """CRLF, comments, missing ends, odd orders, errors outside of events."""
    assert sse(body) == frames


def test_ndjson_gives_a_frame_for_each_line() -> None:
    """Empty lines are no frames; the last line counts without its newline."""
    assert decode("ndjson", [b'{"a":1}\n\n{"b":2}']) == [Frame("", '{"a":1}'), Frame("", '{"b":2}')]


@pytest.mark.parametrize("framing", ["sse", "ndjson"])
def test_a_line_without_end_is_an_error_not_a_full_memory(framing: Framing) -> None:
    """A hostile server is refused as soon as the limit is passed."""
    decoding = decoder(framing, LIMIT)

    for _ in range(LIMIT // 10):
        assert decoding.feed(b"data: xxxx") == []

    with pytest.raises(LimitError, match="10000 bytes"):
        decoding.feed(b"x")


def test_an_event_of_many_lines_counts_as_one() -> None:
    """The limit is for the event, not for its lines."""
    with pytest.raises(LimitError):
        decode("sse", [b"data: xxxxxxxx\n" * LIMIT])


def test_comments_for_hours_are_no_large_event() -> None:
    """Keep-alive comments do not add up."""
    assert decode("sse", [b": ping\n\n" * LIMIT, b"data: a\n\n"]) == [Frame("", "a")]


FIELD = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(st.none() | FIELD, st.none() | FIELD, st.lists(FIELD, min_size=1, max_size=3)), max_size=6))
def test_events_are_those_that_the_http_library_reads(events: list[tuple[str | None, str | None, list[str]]]) -> None:
    """Names, data and ids; an id holds until there is another one, and one with NUL in it is none."""
    body = ""
    for name, identity, lines in events:
        body += f"event: {name}\n" if name is not None else ""
        body += f"id: {identity}\n" if identity is not None else ""
        body += "".join(f"data: {line}\n" for line in lines) + "\n"
    response = httpx2.Response(
        200,
        headers={"content-type": "text/event-stream; charset=utf-8"},
        content=body.encode(),
        request=httpx2.Request("GET", "http://localhost"),
    )

    read = [(each.event, each.data, each.id) for each in httpx2.EventSource(response)]

    assert [(frame.event or "message", frame.data, frame.id) for frame in sse(body.encode())] == read
