"""Alive, silent but alive, dead: what a stream is, and when it is given up. And how long the end of one may take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.status import streaming_line
from llmterm.errors import NetworkError, ProviderError
from llmterm.framing import Frame
from llmterm.messages import EndReason, Finished, StreamEvent, StreamLimits, TextDelta, Usage, UsageReport
from llmterm.providers.openai import wire
from llmterm.providers.stream import WireStream
from llmterm.pulse import Pulse
from llmterm.transport import Call
from tests.clock import instant, now

LIMITS = StreamLimits(first_token_timeout=60, chunk_timeout=30, silence_timeout=600)
CONTENT, SIGN = "content", "sign"


def pulse_of(*moments: tuple[float, str]) -> Pulse:
    """Return the pulse of a stream that was asked for at 0, and gave these at these moments."""
    pulse = Pulse(0.0)
    for moment, what in moments:
        pulse.heard = moment
        if what == CONTENT:
            pulse.speak()
    return pulse


@pytest.mark.parametrize(
    ("moments", "due"),
    [
        ([], (60, "first token")),
        ([(50, SIGN)], (110, "first token")),
        ([(590, SIGN)], (600, "silence")),
        ([(5, CONTENT)], (35, "chunk")),
        ([(5, CONTENT), (20, SIGN)], (50, "chunk")),
        ([(5, CONTENT), (600, SIGN)], (605, "silence")),
        ([(5, CONTENT), (600, SIGN), (601, CONTENT)], (631, "chunk")),
    ],
)
def test_each_kind_of_silence_has_its_limit(moments: Sequence[tuple[float, str]], due: tuple[float, str]) -> None:
    """Any sign restarts the limit of the dead, content alone that of the silent."""
    assert pulse_of(*moments).due(LIMITS) == due


@given(st.lists(st.tuples(st.floats(0, 1000), st.sampled_from([CONTENT, SIGN]))))
def test_no_order_of_signs_is_waited_for_longer_than_silence_lasts(moments: list[tuple[float, str]]) -> None:
    """And none without a limit ends."""
    pulse = pulse_of(*sorted(moments))
    spoke = max((moment for moment, what in moments if what == CONTENT), default=0.0)
    due = pulse.due(LIMITS)

    assert due is not None
    assert due[0] <= spoke + 600
    assert pulse.due(StreamLimits(first_token_timeout=None, chunk_timeout=None, silence_timeout=None)) is None


def test_what_waits_to_be_read_is_no_silence() -> None:
    """A reader that is slow does not make a stream silent."""
    pulse = pulse_of((5, CONTENT), (600, SIGN))
    pulse.wait(604)

    assert pulse.due(LIMITS) == (630, "chunk")


@pytest.mark.parametrize(
    ("moments", "rate", "words"),
    [
        ([], None, "m - 74 s - waiting for the first token - SPACE pause"),
        ([(60, SIGN)], None, "m - thinking, 74 s - SPACE pause"),
        ([(60, CONTENT), (70, SIGN)], 9.0, "m - 74 s - thinking, 14 s - SPACE pause"),
        ([(60, CONTENT)], 9.0, "m - 74 s - no sign of life for 14 s - SPACE pause"),
        ([(60, SIGN), (73.5, CONTENT)], 9.0, "m - 74 s - 9 tokens/s - SPACE pause"),
        ([(73.5, CONTENT), (73.6, SIGN)], 9.0, "m - 74 s - 9 tokens/s - SPACE pause"),
    ],
)
def test_status_line_says_which_it_is(moments: Sequence[tuple[float, str]], rate: float | None, words: str) -> None:
    life, quiet = pulse_of(*moments).life(74)

    assert streaming_line(model="m", elapsed=74, rate=rate, life=life, quiet=quiet) == words


def data(text: str) -> Frame:
    return Frame("", text)


TEXT = data('{"choices": [{"delta": {"content": "text"}}]}')
EMPTY = data('{"choices": [{"delta": {"content": ""}}]}')
FINISH = data('{"choices": [{"delta": {}, "finish_reason": "stop"}]}')
USAGE = data('{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}')
DONE = data("[DONE]")


class ScriptedFrames:
    """The frames of a response, each after so many seconds; at the end of the script the connection stays as it is."""

    def __init__(self, *script: tuple[float, Frame], closes: bool = False, breaks: bool = False) -> None:
        self.call = Call(who="openai", url="http://127.0.0.1/v1", model="m")
        self.headers: Mapping[str, str] = {}
        self._script = list(script)
        self._closes = closes
        self._breaks = breaks

    async def read(self) -> list[Frame]:
        if not self._script:
            if self._breaks:
                raise NetworkError("broke")
            if self._closes:
                return []
            await asyncio.Event().wait()
        seconds, frame = self._script[0]
        if seconds:
            await asyncio.sleep(seconds)
        self._script.pop(0)
        return [frame]

    def rest(self) -> list[Frame]:
        return []

    def content_came(self) -> None:
        pass

    async def drain(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


async def read(frames: ScriptedFrames) -> list[StreamEvent]:
    stream = WireStream(frames, wire())
    events: list[StreamEvent] = []
    while more := await stream.read():
        events += more
    assert isinstance(events[-1], Finished)
    assert sum(isinstance(event, Finished) for event in events) == 1
    return events


@instant
async def test_heartbeats_after_the_end_are_not_waited_for() -> None:
    """Two seconds, which they do not restart, whatever they are."""
    for heartbeat in (EMPTY, FINISH, USAGE):
        began = now()

        events = await read(ScriptedFrames((0, TEXT), (0, FINISH), *[(0.5, heartbeat)] * 1000))

        assert isinstance(events[0], TextDelta)
        assert now() - began == pytest.approx(2.0)


@instant
async def test_nothing_after_the_end_is_not_waited_for_either() -> None:
    began = now()

    await read(ScriptedFrames((0, TEXT), (0, FINISH)))

    assert now() - began == pytest.approx(2.0)


@instant
async def test_usage_may_come_a_little_after_the_end() -> None:
    events = await read(ScriptedFrames((0, TEXT), (0, FINISH), (1.9, USAGE)))

    assert UsageReport(Usage(input_tokens=5, output_tokens=7)) in events


@instant
async def test_done_ends_it_at_once() -> None:
    began = now()

    await read(ScriptedFrames((0, TEXT), (0, FINISH), (0, DONE)))

    assert now() == began


@instant
async def test_an_end_that_was_none_loses_no_text() -> None:
    """Some servers say that it is over with every chunk."""
    events = await read(ScriptedFrames((0, TEXT), (0, FINISH), (1, TEXT), (9, TEXT), (9, FINISH), closes=True))

    assert [event.text for event in events if isinstance(event, TextDelta)] == ["text"] * 3


@instant
async def test_pause_while_the_rest_is_waited_for_is_the_end() -> None:
    stream = WireStream(ScriptedFrames((0, TEXT), (0, FINISH)), wire())
    await stream.read()
    reading = asyncio.create_task(stream.read())
    await asyncio.sleep(1)

    reading.cancel()
    await asyncio.wait({reading})

    assert reading.cancelled()
    assert list(stream.rest()) == [Finished(EndReason.STOP)]


@instant
async def test_a_break_after_the_end_is_none() -> None:
    assert await read(ScriptedFrames((0, TEXT), (0, FINISH), breaks=True))


@instant
async def test_without_an_end_a_break_is_one() -> None:
    with pytest.raises(ProviderError, match="broke"):
        await read(ScriptedFrames((0, TEXT), breaks=True))
