"""JSON and numbers from outside: whatever is sent, what is read of it can be added, multiplied, stored and shown."""

from __future__ import annotations

import json

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.framing import Frame
from llmterm.providers.wire import decoded
from llmterm.transport import error_words
from llmterm.transport.call import Call
from llmterm.transport.failures import refusal, request_id, retry_after
from llmterm.transport.limits import exhausted_seconds, reset_seconds
from llmterm.untrusted import MOST_SECONDS, MOST_TOKENS, count, parsed, seconds

CALL = Call(who="openai", url="http://127.0.0.1/v1", model="m")
DEEP = "[" * 100_000 + "]" * 100_000
# Numbers as servers write them, and as none should.
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(json.dumps),
    st.sampled_from(["9" * 400, "9" * 4300, "9" * 5000, "-" + "9" * 5000, "1e999", "-1e999", "1.2.3", "true", "null"]),
)
DATES = st.builds(
    "{} {} {} {}:{}:{} {}".format,
    st.integers(-1, 10**12),
    st.sampled_from(["Jan", "Feb", "xyz", ""]),
    st.integers(-1, 10**12),
    st.integers(-1, 10**9),
    st.integers(-1, 10**9),
    st.integers(-1, 10**9),
    st.sampled_from(["GMT", "+2359", "-9999", "+999999999999", ""]),
)
MOMENTS = st.builds(
    "{}-{}-{}T{}:00:00{}".format,
    st.sampled_from(["0001", "9999", "2026", "99999"]),
    st.sampled_from(["01", "12", "13"]),
    st.sampled_from(["01", "31"]),
    st.sampled_from(["00", "23", "24"]),
    st.sampled_from(["", "Z", "+23:59", "-23:59", "+99:99"]),
)
HINTS = st.one_of(NUMBERS, DATES, MOMENTS, st.text(), st.builds("{}{}".format, NUMBERS, st.sampled_from("smh")))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "message", "detail", "code", "details"]), inner)
    ),
)


def in_header(text: str) -> str:
    """Return as much of a text as a header may have."""
    return "".join(character for character in text if " " <= character <= "~").strip()


@given(NUMBERS)
def test_a_number_of_any_kind_becomes_a_count(digits: str) -> None:
    try:
        value = parsed(f'{{"n": {digits}}}')["n"]
    except ValueError:
        assert digits == "1.2.3"
        return

    assert type(count(value)) is int
    assert 0 <= count(value) <= MOST_TOKENS


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, 7), (7.0, 7), (0, 0), (-1, 0), (True, 0), ("7", 0), (None, 0), (float("nan"), 0), (float("inf"), MOST_TOKENS)],
)
def test_what_is_no_count_is_none_and_what_is_absurd_is_clamped(value: object, expected: int) -> None:
    assert count(value) == expected


def test_a_number_that_python_refuses_takes_nothing_with_it() -> None:
    """What stands beside 5,000 digits is read."""
    assert parsed(f'{{"text": "kept", "n": {"9" * 5000}, "m": -{"9" * 5000}}}')["text"] == "kept"


@pytest.mark.parametrize("text", ["", "{", DEEP, '{"a":' * 100_000, f"[{'9' * 5000}, {DEEP}]", b"\xff\xfe{"])
def test_what_cannot_be_read_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


@given(HINTS)
def test_seconds_are_none_or_in_reason(text: str) -> None:
    found = seconds(text)

    assert found is None or 0 <= found <= MOST_SECONDS


@given(HINTS, HINTS, HINTS, HINTS)
def test_any_hint_to_wait_is_a_wait_or_none(after: str, exact: str, delay: str, reset: str) -> None:
    """In a header or in the body, alone or with others."""
    headers = {
        "retry-after": in_header(after),
        "retry-after-ms": in_header(exact),
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": in_header(reset),
        "x-request-id": in_header(delay),
    }
    for names in ((), ("retry-after",), ("retry-after", "retry-after-ms")):
        response = httpx2.Response(429, headers={name: headers[name] for name in names})
        body = json.dumps({"error": {"message": "slow", "details": [{"retryDelay": f"{delay}s"}]}}).encode()
        wait = retry_after(response, body)

        assert wait is None or 0 <= wait <= MOST_SECONDS
        assert str(refusal(CALL, response, body))
    assert exhausted_seconds(headers, 1.8e9) >= 0
    assert request_id(headers).isprintable()
    assert (reset_seconds(reset, 1.8e9) or 0) >= 0


@given(JSON, st.sampled_from([400, 401, 402, 403, 404, 409, 422, 429, 500, 503, 529]))
def test_an_error_body_of_any_shape_is_an_error_of_ours(value: object, status: int) -> None:
    body = json.dumps(value).encode()

    error = refusal(CALL, httpx2.Response(status), body)

    assert error.status == status
    assert isinstance(error_words(body), str)


@given(st.binary(max_size=200))
def test_an_error_body_of_any_bytes_is_an_error_of_ours(body: bytes) -> None:
    assert refusal(CALL, httpx2.Response(500), body).status == 500


@pytest.mark.parametrize("text", [f'{{"error": {DEEP}}}', f'{{"error": {"9" * 5000}}}', f'{{"code": {"9" * 4300}}}'])
def test_an_absurd_error_body_is_an_error_of_ours(text: str) -> None:
    assert refusal(CALL, httpx2.Response(429), text.encode()).status == 429


def test_a_frame_with_an_absurd_number_is_read() -> None:
    assert decoded(Frame("", f'{{"n": {"9" * 5000}, "text": "kept"}}'))["text"] == "kept"
