"""Limits: whoever is over one waits, visibly, no longer than needed, and leaves nothing taken when it is cancelled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.transport.limits import RateLimits, exhausted_seconds, reset_seconds
from tests.clock import RecordingProgress, instant, now

TODAY = 1_790_000_000.0  # 2026-09-21T14:13:20Z
USED_UP = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12"}


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12),
        ("0.5", 0.5),
        (" 7 ", 7),
        ("0", 0),
        ("-3", 0),
        ("2m59.56s", 179.56),
        ("120ms", 0.12),
        ("1h2m", 3720),
        ("1h0m0s", 3600),
        ("6.", 6),
        ("250µs", 0.00025),
        (f"{TODAY + 30:.0f}", 30),
        (f"{(TODAY + 30) * 1000:.0f}", 30),
        (f"{(TODAY - 30) * 1000:.0f}", 0),
        ("2026-09-21T14:13:50Z", 30),
        ("2026-09-21T16:13:50.5+02:00", 30.5),
        ("2026-09-21T14:13:50", 30),
        ("2020-01-01T00:00:00Z", 0),
        ("", None),
        ("soon", None),
        ("2m and a bit", None),
        ("m", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("9" * 400 + "h", None),
        ("0001-01-01T00:00:00+23:59", 0),
    ],
)
def test_reset_is_understood_in_all_its_forms(text: str, seconds: float | None) -> None:
    """Seconds, durations, both kinds of epoch, RFC 3339; what is none of them is no time."""
    expected = seconds if seconds is None else pytest.approx(seconds)

    assert reset_seconds(text, TODAY) == expected


@given(st.text() | st.from_regex(r"[0-9.:hmsTZ+-]{0,30}") | st.datetimes().map(str) | st.floats().map(str))
def test_no_reset_breaks_it(text: str) -> None:
    """Whatever the header says, it is a finite time from now on, or none."""
    seconds = reset_seconds(text, TODAY)

    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        (USED_UP, 12),
        ({name.upper(): value for name, value in USED_UP.items()}, 12),
        ({**USED_UP, "x-ratelimit-remaining-requests": "1"}, 0),
        ({**USED_UP, "x-ratelimit-remaining-requests": "none"}, 0),
        ({"x-ratelimit-remaining-requests": "0"}, 0),
        ({"x-ratelimit-reset-requests": "12"}, 0),
        ({**USED_UP, "x-ratelimit-reset-requests": "soon"}, 0),
        ({**USED_UP, "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s"}, 90),
        ({**USED_UP, "x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "1m30s"}, 12),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{(TODAY + 4) * 1000:.0f}"}, 4),
        (
            {
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-09-21T14:13:29Z",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2026-09-21T14:14:00Z",
            },
            9,
        ),
    ],
)
def test_limit_with_nothing_left_is_waited_for(headers: Mapping[str, str], seconds: float) -> None:
    """Only where a header says that nothing remains, and another says until when; the latest counts."""
    assert exhausted_seconds(headers, TODAY) == pytest.approx(seconds)


@given(st.sampled_from(["x-ratelimit-remaining", "anthropic-ratelimit-tokens-remaining"]), st.text(), st.text())
def test_no_header_breaks_it(name: str, remaining: str, reset: str) -> None:
    """Headers come from outside."""
    assert exhausted_seconds({name: remaining, name.replace("remaining", "reset"): reset}, TODAY) >= 0


@instant
async def test_twenty_requests_never_are_more_than_ten_at_once() -> None:
    """The others wait for a place, and get it."""
    limits = RateLimits(concurrent=10)
    inside, most, done = 0, 0, 0

    async def request() -> None:
        nonlocal inside, most, done
        await limits.enter(0, RecordingProgress())
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(1)
        inside -= 1
        done += 1
        limits.leave()

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(request())

    assert (most, done, now()) == (10, 20, 2)


@instant
async def test_no_limits_are_no_limits() -> None:
    """0 stands for none, for the concurrent requests as well."""
    limits, progress = RateLimits(concurrent=0), RecordingProgress()

    for _ in range(1000):
        await limits.enter(10**9, progress)

    assert (now(), progress.waits) == (0, [])


@instant
async def test_requests_per_minute_are_waited_for() -> None:
    """A minute's worth at once, then one when there is room again; the wait is shown, and it is exact."""
    limits, progress = RateLimits(requests_per_minute=6), RecordingProgress()
    for _ in range(6):
        await limits.enter(0, progress)
    assert progress.waits == []

    await limits.enter(0, progress)

    assert [why for _, why in progress.waits] == ["the limit of requests per minute is reached"]
    assert now() == pytest.approx(10)


@instant
async def test_tokens_per_minute_are_waited_for() -> None:
    """The wait is for what is missing, not for all of it."""
    limits, progress = RateLimits(tokens_per_minute=6000), RecordingProgress()
    await limits.enter(5000, progress)

    await limits.enter(2000, progress)

    assert [why for _, why in progress.waits] == ["the limit of tokens per minute is reached"]
    assert now() == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(("tokens", "seconds"), [(1_000_000, 60), (-5, 0)])
@instant
async def test_request_beyond_the_bucket_takes_all_of_it(tokens: int, seconds: float) -> None:
    """What can never fit waits for an empty minute instead of for ever."""
    limits = RateLimits(tokens_per_minute=6000)
    await limits.enter(6000, RecordingProgress())

    await limits.enter(tokens, RecordingProgress())

    assert now() == pytest.approx(seconds)


@instant
async def test_those_who_wait_keep_to_the_limit() -> None:
    """Many at once get through one by one."""
    limits = RateLimits(requests_per_minute=60)
    times: list[float] = []

    async def request() -> None:
        await limits.enter(0, RecordingProgress())
        times.append(now())
        limits.leave()

    async with asyncio.TaskGroup() as group:
        for _ in range(90):
            group.create_task(request())

    assert len([time for time in times if time == 0]) == 60
    assert all(len([time for time in times if time <= second]) <= 60 + second + 0.01 for second in range(1, 40))
    assert max(times) == pytest.approx(30, abs=0.5)


@instant
async def test_short_wait_is_not_shown() -> None:
    """What is over in a moment would only flicker."""
    limits, progress = RateLimits(requests_per_minute=600), RecordingProgress()
    for _ in range(600):
        await limits.enter(0, progress)
        limits.leave()

    await limits.enter(0, progress)

    assert now() == pytest.approx(0.1)
    assert progress.waits == []


@instant
async def test_headers_of_the_provider_are_heeded() -> None:
    """Nothing is sent before the reset, and the reason is shown; afterwards all is as before."""
    limits, progress = RateLimits(), RecordingProgress()
    limits.learn(USED_UP)

    await limits.enter(0, progress)
    await limits.enter(0, progress)

    assert progress.waits == [(12, "the provider's rate limit is used up")]
    assert now() == 12


@instant
async def test_later_reset_counts() -> None:
    """Headers of answers that overtook each other do not shorten a wait."""
    limits = RateLimits()
    limits.learn(USED_UP)
    limits.learn({**USED_UP, "x-ratelimit-reset-requests": "1s"})

    await limits.enter(0, RecordingProgress())

    assert now() == 12


@instant
async def test_reset_that_is_far_away_is_not_waited_for() -> None:
    """A day's limit is for the provider to refuse, and for people to hear of."""
    limits, progress = RateLimits(), RecordingProgress()
    limits.learn({**USED_UP, "x-ratelimit-reset-requests": "7h12m"})

    await limits.enter(0, progress)

    assert progress.waits == []


@instant
async def test_epoch_is_the_wall_clocks() -> None:
    """A moment in a header is compared with the time of day, and waited for in the loop's time."""
    limits = RateLimits(wall_clock=lambda: TODAY)
    limits.learn({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{(TODAY + 5) * 1000:.0f}"})

    await limits.enter(0, RecordingProgress())

    assert now() == pytest.approx(5)


async def full_minute() -> RateLimits:
    limits = RateLimits(concurrent=2, requests_per_minute=1)
    await limits.draw(0, RecordingProgress())
    return limits


async def full_of_tokens() -> RateLimits:
    limits = RateLimits(concurrent=2, tokens_per_minute=100)
    await limits.draw(100, RecordingProgress())
    return limits


async def told_to_wait() -> RateLimits:
    limits = RateLimits(concurrent=2)
    limits.learn(USED_UP)
    return limits


waiting = pytest.mark.parametrize("make", [full_minute, full_of_tokens, told_to_wait])


@waiting
@instant
async def test_hurry_asks_at_once(make: Callable[[], Awaitable[RateLimits]]) -> None:
    """Whoever does not want to wait may try the provider's patience."""
    limits, progress = await make(), RecordingProgress()
    running = asyncio.create_task(limits.enter(10, progress))
    await progress.waiting.wait()

    progress.hurry()
    await running

    assert (now(), len(progress.waits)) == (0, 1)


@waiting
@instant
async def test_cancel_during_a_wait_leaves_no_place_taken(make: Callable[[], Awaitable[RateLimits]]) -> None:
    """Both places are there afterwards, and no more than both."""
    limits, progress = await make(), RecordingProgress()
    running = asyncio.create_task(limits.enter(10, progress))
    await progress.waiting.wait()

    running.cancel()
    await asyncio.wait({running})

    assert (now(), progress.line) == (0, "")
    for _ in range(2):
        await limits.enter(0, progress)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1000):
            await limits.enter(0, progress)


@instant
async def test_cancel_while_waiting_for_a_place_takes_none() -> None:
    """Nor does it pass one on to nobody."""
    limits = RateLimits(concurrent=1)
    await limits.enter(0, RecordingProgress())
    waiting = [asyncio.create_task(limits.enter(0, RecordingProgress())) for _ in range(3)]
    await settle()

    limits.leave()
    waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.wait(waiting)

    assert [task.cancelled() for task in waiting] == [True, True, False]


@instant
async def test_leaving_twice_is_a_bug_that_is_heard() -> None:
    """A place that was never taken would let too many in."""
    limits = RateLimits()

    with pytest.raises(ValueError, match="released too many times"):
        limits.leave()
