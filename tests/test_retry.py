"""Retries: only what may pass is tried again, as often and as late as allowed, and every wait can be seen and ended."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import (
    AuthError,
    CircuitOpenError,
    ConfigError,
    ConnectError,
    ContextTooLongError,
    LimitError,
    ModelNotFoundError,
    NetworkError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
    StaleConnectionError,
    StreamTimeoutError,
)
from llmterm.transport.retry import RetryPolicy, retriable
from tests.clock import RecordingProgress, instant, now


def longest(_low: float, high: float) -> float:
    return high


POLICY = RetryPolicy(jitter=longest)
LIMITED = RateLimitError("slow down", status=429)


def failing(*errors: BaseException) -> Callable[[], Awaitable[str]]:
    """Return an attempt that fails with these, one after the other, and then succeeds."""
    left = list(errors)

    async def attempt() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return attempt


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectError("x"), True),
        (NetworkError("x"), True),
        (RateLimitError("x"), True),  # in an accepted stream
        (ServerError("x"), True),
        (ServerError("x", status=200), True),
        (StreamTimeoutError("x", timer="connect"), True),
        (StreamTimeoutError("x", timer="first token"), False),
        (StreamTimeoutError("x", timer="chunk"), False),
        (StreamTimeoutError("x", timer="stream"), False),
        (AuthError("x", status=401), False),
        (ModelNotFoundError("x", status=404), False),
        (ContextTooLongError("x", status=413), False),
        (ProtocolError("x"), False),
        (ProtocolError("x", status=302), False),
        (LimitError("x"), False),
        (CircuitOpenError("x", retry_after=3), False),
        (ConfigError("x"), False),
        (asyncio.CancelledError(), False),
        (ValueError(), False),
    ],
)
def test_only_what_may_pass_is_retriable(error: BaseException, expected: bool) -> None:
    """Decided by the kind of failure."""
    assert retriable(error) is expected


@given(st.integers(400, 599))
def test_http_statuses_that_may_pass(status: int) -> None:
    """These eight and no others, whatever class a status has been given."""
    passing = status in {408, 409, 429, 500, 502, 503, 504, 529}

    assert all(retriable(kind("x", status=status)) is passing for kind in (RequestRefusedError, ServerError))


@pytest.mark.parametrize(("number", "bound"), [(1, 2), (2, 4), (3, 8), (6, 60), (10**9, 60)])
def test_back_off_doubles_up_to_the_cap(number: int, bound: float) -> None:
    """The bound of the wait grows with each try; the jitter is full: from nothing to the bound."""
    assert POLICY.wait_for(LIMITED, number) == bound
    assert RetryPolicy(jitter=lambda low, _high: low).wait_for(LIMITED, number) == 0


@given(
    retry_after=st.none() | st.floats() | st.integers(),
    number=st.integers(1, 10_000),
    cap=st.floats(0, 1e6),
    part=st.floats(0, 1),
)
def test_wait_is_never_negative_and_never_above_the_cap(
    retry_after: float | None, number: int, cap: float, part: float
) -> None:
    """Whatever a provider says, it is a time to wait within the cap, or not waited for."""
    policy = RetryPolicy(max_wait=cap, jitter=lambda low, high: low + part * (high - low))

    wait = policy.wait_for(RateLimitError("x", retry_after=retry_after), number)

    assert wait is None or 0 <= wait <= cap
    if retry_after is not None and not math.isnan(retry_after) and retry_after > 0:
        assert wait == (retry_after if retry_after <= cap else None)


@instant
async def test_passing_failure_is_tried_again() -> None:
    """Three tries with growing waits, each of which is shown, and the retries are counted."""
    progress = RecordingProgress()

    answer = await POLICY.run(failing(LIMITED, ConnectError("nobody")), progress)

    assert answer == "answer"
    assert progress.waits == [(2, "too many requests (HTTP 429), try 2 of 3"), (4, "no connection, try 3 of 3")]
    assert (now(), progress.retries) == (6, 2)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ServerError("x", status=529), "the provider is overloaded (HTTP 529)"),
        (ServerError("x", status=500), "a failure at the provider (HTTP 500)"),
        (ServerError("x"), "a failure at the provider"),
        (StreamTimeoutError("x", timer="connect"), "no connection"),
        (NetworkError("x"), "the connection broke"),
        (RequestRefusedError("x", status=409), "refused for the moment (HTTP 409)"),
    ],
)
@instant
async def test_wait_says_why(error: ProviderError, words: str) -> None:
    """The status line names the failure and its HTTP status, if there was one."""
    progress = RecordingProgress()

    await POLICY.run(failing(error), progress)

    assert progress.waits == [(2, f"{words}, try 2 of 3")]


@instant
async def test_last_failure_is_raised() -> None:
    """When all tries failed, the error is that of the last one, itself."""
    progress = RecordingProgress()
    last = ServerError("c", status=503)

    with pytest.raises(ServerError) as caught:
        await POLICY.run(failing(ServerError("a"), ServerError("b"), last), progress)

    assert caught.value is last
    assert (len(progress.waits), progress.retries) == (2, 2)


@pytest.mark.parametrize("error", [AuthError("x", status=401), ProtocolError("x"), ConfigError("x"), ValueError("x")])
@instant
async def test_failure_that_will_not_pass_is_raised_at_once(error: Exception) -> None:
    """No wait, no second try."""
    progress = RecordingProgress()

    with pytest.raises(type(error)) as caught:
        await POLICY.run(failing(error), progress)

    assert caught.value is error
    assert (progress.waits, progress.retries) == ([], 0)


@instant
async def test_retry_after_is_honoured() -> None:
    """The provider's own word counts, not the back-off."""
    progress = RecordingProgress()

    await POLICY.run(failing(RateLimitError("x", retry_after=17.5)), progress)

    assert now() == 17.5


@pytest.mark.parametrize(("seconds", "words"), [(61, "61 s"), (1200, "20 min"), (86400, "24 h")])
@instant
async def test_retry_after_above_the_cap_is_not_waited_for(seconds: float, words: str) -> None:
    """The failure is raised at once and says when to try again."""
    progress = RecordingProgress()

    with pytest.raises(ServerError, match=f"try again in {words}, or use another provider"):
        await POLICY.run(failing(ServerError("down", status=503, retry_after=seconds)), progress)

    assert progress.waits == []


@instant
async def test_hurry_ends_the_wait() -> None:
    """Whoever does not want to wait gets the next try at once."""
    progress = RecordingProgress()
    running = asyncio.create_task(POLICY.run(failing(RateLimitError("x", retry_after=60)), progress))
    await progress.waiting.wait()

    progress.hurry()

    assert await running == "answer"
    assert now() == 0


@instant
async def test_cancel_ends_the_wait() -> None:
    """A wait is no reason to come late."""
    progress = RecordingProgress()
    running = asyncio.create_task(POLICY.run(failing(LIMITED), progress))
    await progress.waiting.wait()

    running.cancel()
    await asyncio.wait({running})

    assert running.cancelled()
    assert (now(), progress.line, progress.retries) == (0, "", 0)


@instant
async def test_cancel_of_a_try_is_no_failure() -> None:
    """A cancelled try is over: it is not tried again, and stays a cancellation."""
    progress = RecordingProgress()
    asked: list[int] = []

    async def attempt() -> None:
        asked.append(1)
        await asyncio.Event().wait()

    running = asyncio.create_task(POLICY.run(attempt, progress))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    running.cancel()
    await asyncio.wait({running})

    assert running.cancelled()
    assert (asked, progress.waits) == ([1], [])


@instant
async def test_caller_may_forbid_another_try() -> None:
    """`again` has the last word."""
    with pytest.raises(RateLimitError):
        await POLICY.run(failing(LIMITED), RecordingProgress(), again=lambda _error: False)


@instant
async def test_one_attempt_is_no_retry() -> None:
    """A policy of one try never waits."""
    progress = RecordingProgress()

    with pytest.raises(RateLimitError):
        await RetryPolicy(attempts=1).run(failing(LIMITED), progress)

    assert progress.waits == []


@instant
async def test_stale_connection_is_a_try_without_a_wait() -> None:
    """What was sent for nothing is sent again at once, as one of the tries that there are."""
    progress = RecordingProgress()

    with pytest.raises(StaleConnectionError):
        await POLICY.run(failing(*[StaleConnectionError("x")] * 3), progress)

    assert (progress.waits, progress.retries) == ([], 2)


FAILURES = [LIMITED, NetworkError("x"), StaleConnectionError("x"), ServerError("x", retry_after=3600), AuthError("x")]


@given(st.lists(st.sampled_from(FAILURES), max_size=8), st.integers(1, 5))
def test_it_is_tried_until_it_succeeds_may_not_pass_or_the_tries_are_over(
    errors: list[ProviderError], attempts: int
) -> None:
    """Every request is counted, the failure raised is the last one, and only after a stale connection is no wait."""
    lasting = [number for number, error in enumerate(errors, 1) if error in FAILURES[3:]]
    tries = min(attempts, len(errors) + 1, *lasting)
    progress = RecordingProgress()
    asked = 0
    attempt = failing(*errors)

    async def counted() -> str:
        nonlocal asked
        asked += 1
        return await attempt()

    @instant
    async def run() -> None:
        policy = RetryPolicy(attempts, jitter=longest)
        if tries > len(errors):
            assert await policy.run(counted, progress) == "answer"
            return
        with pytest.raises(ProviderError) as caught:
            await policy.run(counted, progress)
        assert caught.value is errors[tries - 1]

    run()

    assert (asked, progress.retries) == (tries, tries - 1)
    assert len(progress.waits) == sum(not isinstance(each, StaleConnectionError) for each in errors[: tries - 1])


@instant
async def test_nothing_is_logged_or_printed(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A retry is told through `Progress` and nowhere else."""
    await POLICY.run(failing(LIMITED), RecordingProgress())

    assert (caplog.records, capfd.readouterr()) == ([], ("", ""))
