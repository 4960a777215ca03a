"""A provider that is held back: how fast its tokens come, and that a pause loses none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.messages import (
    EndReason,
    Finished,
    Message,
    Request,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers import EventStream
from llmterm.providers.throttled import ThrottledProvider, by_token
from tests.clock import instant, now
from tests.scripted import ScriptedProvider

REQUEST = Request(model="m", messages=(Message(role="user", text="why?"),))
END = (UsageReport(Usage(input_tokens=5, output_tokens=10)), Finished(EndReason.STOP))


async def opened(provider: ScriptedProvider, per_second: float) -> EventStream:
    return await ThrottledProvider(provider, per_second).open(REQUEST, StreamLimits(), Progress())


def text_of(events: Sequence[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@instant
async def test_tokens_come_no_faster_than_wanted() -> None:
    """Ten that came at once take a second at ten a second, less the first; the end comes with the last."""
    provider = ScriptedProvider()
    stream = await opened(provider, 10)
    provider.stream.put(TextDelta("0123 " * 10, 10), *END)
    at: list[float] = []

    while await stream.read():
        at.append(now())

    assert at == pytest.approx([number / 10 for number in range(10)])


@instant
async def test_read_that_is_cancelled_loses_nothing() -> None:
    """While it is waited for the time of a token, and for the provider."""
    for taken in (1, 4):
        provider = ScriptedProvider()
        stream = await opened(provider, 1)
        provider.stream.put(TextDelta("0123", 1), TextDelta("4567", 1))
        provider.stream.put(ThinkingDelta("hm", 1), TextDelta("89", 1))
        said = "".join([text_of(await stream.read()) for _ in range(taken)])

        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0.5)
        reading.cancel()
        await asyncio.wait({reading})
        provider.stream.put(TextDelta("ab", 1))

        assert said + text_of(stream.rest()) == "0123456789ab"
        await stream.aclose()
        assert provider.stream.closed


events = st.lists(
    st.builds(TextDelta, st.text(max_size=100), st.integers(0, 30))
    | st.builds(ThinkingDelta, st.text(max_size=100), st.integers(0, 30))
    | st.sampled_from(END)
)


@given(events)
def test_tokens_are_what_came_in_its_order(came: list[StreamEvent]) -> None:
    groups = by_token(came)

    parts = [event for group in groups for event in group]
    assert text_of(parts) == text_of(came)
    for kind in (TextDelta, ThinkingDelta):
        counts = [sum(each.chunks for each in some if isinstance(each, kind)) for some in (parts, came)]
        assert counts[0] == counts[1]
    assert [each for each in parts if each in END] == [each for each in came if each in END]
    assert all(sum(isinstance(each, TextDelta | ThinkingDelta) for each in group) <= 1 for group in groups)
