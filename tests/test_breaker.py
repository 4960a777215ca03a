"""The circuit breaker: what fails again and again is left alone, and nothing but the provider's own failures counts."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import (
    AuthError,
    CircuitOpenError,
    ConfigError,
    ConnectError,
    LlmtermError,
    ModelNotFoundError,
    NetworkError,
    ProtocolError,
    RateLimitError,
    ServerError,
    StaleConnectionError,
    StreamTimeoutError,
)
from llmterm.transport.breaker import Breaker

FAULT = ServerError("down", status=500)
# A time to live that is over before it begins: half open at the next request.
AT_ONCE = -1.0


def ask(breaker: Breaker, error: BaseException | None = None) -> None:
    """Make one request that ends in this way. Raises CircuitOpenError where it is not let through."""
    with suppress(*[type(error)] if error else []), breaker.guard("acme"):
        if error:
            raise error


def opened(ttl: float = 30.0) -> Breaker:
    breaker = Breaker(ttl=ttl)
    for _ in range(5):
        ask(breaker, FAULT)
    assert breaker.is_open
    return breaker


@pytest.mark.parametrize(
    "fault",
    [FAULT, ConnectError("x"), NetworkError("x"), StreamTimeoutError("x", timer="first token"), ServerError("x")],
)
def test_five_failures_in_a_row_open_it(fault: LlmtermError) -> None:
    """From then on nothing is asked; the error names the provider and says when it will be."""
    breaker = Breaker()
    for _ in range(4):
        ask(breaker, fault)
    assert not breaker.is_open

    ask(breaker, fault)

    with pytest.raises(CircuitOpenError, match=r"acme: not asked.*tried again in \d+ s") as caught:
        breaker.check("acme")
    assert caught.value.provider == "acme"
    assert 0 <= (caught.value.retry_after or 0) <= 30


def test_success_starts_the_count_anew() -> None:
    """Only failures in a row count."""
    breaker = Breaker()
    for _ in range(3):
        for _ in range(4):
            ask(breaker, FAULT)
        ask(breaker)

    assert not breaker.is_open


@pytest.mark.parametrize(
    "neutral",
    [
        AuthError("x", status=401),
        ModelNotFoundError("x", status=404),
        RateLimitError("x", status=429),
        ProtocolError("x"),
        StaleConnectionError("x"),
        ConfigError("x"),
        asyncio.CancelledError(),
    ],
)
def test_what_is_not_the_providers_fault_does_not_count(neutral: BaseException) -> None:
    """Neither as a failure nor as a success: the count stays what it was."""
    breaker = Breaker()
    for _ in range(10):
        ask(breaker, neutral)
    for _ in range(4):
        ask(breaker, FAULT)
    for _ in range(10):
        ask(breaker, neutral)
    assert not breaker.is_open

    ask(breaker, FAULT)

    assert breaker.is_open


def test_after_its_time_one_request_is_let_through() -> None:
    """Half open: a success closes it, and the count starts at nothing."""
    breaker = opened(ttl=AT_ONCE)

    ask(breaker)
    for _ in range(4):
        ask(breaker, FAULT)

    assert not breaker.is_open


def test_failure_while_half_open_opens_it_again() -> None:
    """One is enough."""
    breaker = opened(ttl=AT_ONCE)
    breaker.check("acme")
    assert not breaker.is_open

    ask(breaker, FAULT)

    assert breaker.is_open


def test_cancel_while_half_open_decides_nothing() -> None:
    """The next request is let through as well, and its failure opens it."""
    breaker = opened(ttl=AT_ONCE)

    ask(breaker, asyncio.CancelledError())

    assert not breaker.is_open
    ask(breaker, FAULT)
    assert breaker.is_open


def test_request_from_before_it_opened_changes_nothing() -> None:
    """One that was on its way may still succeed or fail; the circuit stays open for its time."""
    breaker = Breaker()
    with breaker.guard("acme"):
        for _ in range(5):
            ask(breaker, FAULT)

    assert breaker.is_open


@given(st.lists(st.sampled_from(["fault", "success", "neutral", "stale", "a second"]), max_size=60), st.integers(1, 4))
def test_it_is_open_for_its_time_after_enough_failures_in_a_row(events: list[str], threshold: int) -> None:
    """Whatever happens, and in whichever order: nothing else opens it, and only its time lets a request through."""
    now = 0.0
    breaker = Breaker(threshold, ttl=3.0, clock=lambda: now)
    errors = {"fault": FAULT, "neutral": AuthError("x"), "stale": StaleConnectionError("x"), "success": None}
    row, until = 0, 0.0  # failures, and the time before which nobody is let through

    for event in events:
        if event == "a second":
            now += 1.0
            continue
        if now < until:
            with pytest.raises(CircuitOpenError) as caught:
                ask(breaker, errors[event])
            assert caught.value.retry_after == until - now
            continue
        ask(breaker, errors[event])
        if event in ("fault", "success"):
            row = row + 1 if event == "fault" else 0
        if row >= threshold:
            # Half open after its time: one more failure is enough.
            row, until = threshold - 1, now + 3.0
        assert breaker.is_open is (now < until)
